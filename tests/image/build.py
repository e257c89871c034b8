"""The image by the repository's own Dockerfile, its two arguments naming images that are made here."""

import fcntl
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster import buildx, images
from tests.cluster.cluster import Cluster
from tests.cluster.commands import find_system_programs, run, succeeds
from tests.cluster.errors import RigError
from tests.image import base

ROOT = Path(__file__).resolve().parents[2]
NAME, BASE, CLIENT = "kdeploy", "kdeploy-base", "kdeploy-client"
PLUGINS = "usr/local/libexec/docker/cli-plugins"
SOURCES = ("Dockerfile", ".dockerignore", "LICENSE", "README.md", "kdeploy", "pyproject.toml")
PARTS = {"kdeploy": "/opt/kdeploy", "buildx": "docker-buildx", "docker CLI": "/usr/local/bin/docker", "git": "git"}
"""The parts of the image, and a word of the line in the Dockerfile that brings each; the rest is the base."""
SLOW = 600.0
"""Seconds: the build fetches packages from Debian and PyPI."""


def ensure(cluster: Cluster, say: Callable[[str], None]) -> str:
    """The reference of this tree's image in the cluster's Docker Engine, built if it is not there. Raises RigError.

    Of several processes one builds, and the others wait for it.
    """
    find_system_programs()
    docker = Docker(cluster)
    with (cluster.state / "image.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not docker.has(reference()):
            build(docker, say)
    return reference()


def reference() -> str:
    """Names the image by all that goes into it from this tree."""
    sources = [ROOT / name for name in SOURCES]
    files = [path for source in sources for path in (sorted(source.rglob("*")) if source.is_dir() else [source])]
    digest = hashlib.sha256()
    for path in files:
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return f"{NAME}:{digest.hexdigest()[:12]}"


class Docker:
    """The docker command, at the cluster's engine."""

    def __init__(self, cluster: Cluster) -> None:
        self.environment = {
            **os.environ,
            "DOCKER_HOST": cluster.docker_host,
            "DOCKER_CONFIG": str(cluster.docker_config),
        }

    def __call__(self, *words: str | Path, timeout: float = 120, stdin: str | None = None) -> str:
        """Runs `docker WORDS`; what it printed. RigError has its last words."""
        return run("docker", *words, environment=self.environment, timeout=timeout, stdin=stdin)

    def has(self, image: str) -> bool:
        """Whether the engine has this image."""
        return succeeds("docker", "image", "inspect", image, environment=self.environment)


def build(docker: Docker, say: Callable[[str], None]) -> None:
    """Builds the image of this tree, whatever is there."""
    bases = (f"--build-arg=BASE={_import_base(docker, say)}", f"--build-arg=CLIENT={_import_client(docker, say)}")
    say("building the image")
    # The engine's default bridge leads to the outside through two more networks; the engine's own is one nearer.
    words = ("--progress=plain", "--network=host", *bases, f"--tag={reference()}")
    docker("buildx", "build", *words, ROOT, timeout=SLOW)


def push(docker: Docker, registry: str, image: str) -> dict[str, int]:
    """Pushes an image by its own name and tag; the bytes that the registry holds of each part, compressed."""
    docker("tag", image, f"{registry}/{image}")
    docker("push", "--quiet", f"{registry}/{image}")
    repository, _, tag = image.partition(":")
    manifest = _ask(registry, f"{repository}/manifests/{tag}")
    config = _ask(registry, f"{repository}/blobs/{manifest['config']['digest']}")
    made_by = [step.get("created_by", "") for step in config["history"] if not step.get("empty_layer")]
    sizes = [layer["size"] for layer in manifest["layers"]]
    parts = dict.fromkeys(PARTS, 0) | {"base": 0}
    for command, size in zip(made_by, sizes, strict=True):
        parts[next((name for name, mark in PARTS.items() if mark in command), "base")] += size
    return parts


def _ask(registry: str, path: str) -> dict[str, Any]:
    request = urllib.request.Request(f"http://{registry}/v2/{path}", headers={"Accept": images.MANIFEST})
    with urllib.request.urlopen(request, timeout=30) as answer:
        document: dict[str, Any] = json.load(answer)
    return document


def _import_base(docker: Docker, say: Callable[[str], None]) -> str:
    archive = base.ensure(say)
    name = f"{BASE}:{archive.stem}"
    if not docker.has(name):
        docker("import", f"--change=ENV PIP_CERT={base.CERTIFICATES}", archive, name)
    return name


def _import_client(docker: Docker, say: Callable[[str], None]) -> str:
    """An image with the docker command of this machine and the rig's buildx, where docker:cli has them."""
    if docker.has(CLIENT):
        return CLIENT
    program, plugin = shutil.which("docker"), buildx.ensure(say)
    if not program or not plugin:
        raise RigError("the image needs the docker command and buildx")
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, "client.tar")
        with tarfile.open(archive, "w") as tar:
            tar.add(Path(program).resolve(), "usr/local/bin/docker")
            tar.add(plugin, f"{PLUGINS}/docker-buildx")
        docker("import", archive, CLIENT)
    return CLIENT
