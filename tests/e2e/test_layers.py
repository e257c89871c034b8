"""The builder without a daemon beside the real ones: the same Dockerfile is the same image, and a real pod runs it."""

import base64
import hashlib
import io
import json
import os
import subprocess
import tarfile
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kdeploy.build import open_builder, open_registry
from kdeploy.build.plan import INPUTS_LABEL
from kdeploy.clock import Deadline
from kdeploy.errors import BuildError
from kdeploy.model import Image, Reason
from kdeploy.ports import BuildRequest
from tests.cluster.cluster import Cluster
from tests.cluster.commands import run
from tests.e2e.scene import Scene
from tests.scenarios.versions import good

pytestmark = pytest.mark.e2e

FILES: Mapping[str, str] = {
    "a.txt": "a",
    "b.txt": "b",
    "run.sh": "#!/bin/sh\necho run\n",
    "src/c.py": "c",
    "src/deep/d.py": "d",
    "src/deep/link": "-> ../c.py",
    "src/out": "-> /etc/passwd",
    "link.txt": "-> a.txt",
    "left/secret": "secret",
    "left/kept": "kept",
    "passwd": "root:x:0:0::/:/bin/sh\nme:x:77:78::/:/bin/sh\n",
    "links/real/kept": "kept",
    "links/data": "-> real",
    "links/absolute": "-> /real",
    "links/around": "-> ../../data/..",
    "links/file": "-> real/kept",
    "web/old": "new old",
    "web/fresh/x": "x",
    ".dockerignore": "left\n!left/kept\n**/*.tmp\n",
    "x.tmp": "temporary",
    "src/x.tmp": "temporary",
}

DOCKERFILES: Mapping[str, str] = {
    "files and folders": """
FROM BASE
COPY a.txt /x
COPY a.txt /y/
COPY a.txt b.txt /z/
COPY src /src
COPY src/ /src2/
COPY src/deep /new/deep/er
COPY link.txt /followed
COPY link.txt /followed-too/
COPY *.txt /w/
COPY s*/d* /wild/
COPY --chown=5:6 --chmod=750 run.sh /own/ed/run.sh
COPY --chown=nobody src /owned
COPY left /left
""",
    "the base's folders and links": """
FROM BASE
COPY run.sh /tmp/run.sh
COPY run.sh /bin/
COPY a.txt /bin/sh2
COPY --chown=7 src /tmp
""",
    "links of the image": """
FROM BASE
COPY links /
COPY run.sh /data/
COPY a.txt /absolute/new/x
COPY b.txt /file
COPY src/deep /around/more/
COPY --chown=3 web /absolute
WORKDIR /data/work
COPY a.txt ../up
""",
    "a layer upon another": """
FROM BASE
COPY web /srv/web
COPY a.txt /srv/web/old
COPY web /srv/web
COPY passwd /etc/passwd
COPY --chown=me b.txt /mine
COPY src/deep/link /srv/web/
""",
    "a working folder": """
FROM BASE
WORKDIR /deep/er
WORKDIR down
COPY a.txt .
COPY src ./
COPY b.txt ../up
USER 1000:1000
WORKDIR /mine
COPY a.txt there/
WORKDIR /tmp
""",
    "settings": r"""
ARG TAGGED=BASE
ARG GLOBAL=global
FROM $TAGGED AS first
ARG GLOBAL
ARG LOCAL=local
ARG GIVEN=default
ENV A="one two" B=$A C=${GLOBAL}-${LOCAL:-none}-${GIVEN} D='$A' E=\$A F=${NONE:+x}${NONE:-y}
ENV B=$A \
    # a comment in between
    G=g
ENV OLD  form of it
LABEL a="$B" b.c='d e' "quoted key"=v
EXPOSE 80 53/udp 8000-8002
VOLUME /data /data2
STOPSIGNAL SIGQUIT
SHELL ["/bin/sh", "-ec"]
HEALTHCHECK --interval=30s --timeout=1500ms --retries=4 CMD ["/bin/true"]
USER nobody
WORKDIR /w
FROM first
COPY a.txt $C
ENTRYPOINT exec run
CMD ["x", "y z"]
""",
    "the exec form": """
FROM BASE
CMD ["kept"]
ENTRYPOINT ["/bin/echo", "a b"]
HEALTHCHECK NONE
""",
    "nothing below": """
FROM scratch
COPY a.txt src /app/
WORKDIR /app
CMD ["/app/run"]
""",
    "words of a variable": """
FROM BASE
ARG PORTS="1 2"
ARG NAME=a
EXPOSE $PORTS
COPY ${NAME}.txt ${NAME:+dir}/
COPY ["b.txt", "/with space/"]
ADD a.txt b.txt /added/
""",
    "wildcards that match nothing": """
FROM BASE
COPY a.txt *.nothing /some/
""",
}

CONFIG = (
    *("Env", "Entrypoint", "Cmd", "WorkingDir", "User", "ExposedPorts", "Labels", "Volumes", "StopSignal"),
    *("Healthcheck", "Shell", "OnBuild"),
)
MADE_BY_DOCKER = frozenset(
    {".dockerenv", "dev/console", "dev/pts", "dev/shm", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf"}
    | {"dev", "proc", "sys", "etc"}
)
"""What `docker create` puts into a container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A build context, and the same request for every builder."""

    cluster: Cluster
    folder: Path
    env: Mapping[str, str]

    def write(self, dockerfile: str, files: Mapping[str, str] = FILES) -> None:
        base = self.cluster.base_image
        for path, text in {**files, "Dockerfile": dockerfile.replace("BASE", base).lstrip()}.items():
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("-> "):
                place.symlink_to(text.removeprefix("-> "))
                continue
            place.write_text(text)
            place.chmod(0o755 if text.startswith("#!") else 0o644)
        for folder in (self.folder, *filter(Path.is_dir, self.folder.rglob("*"))):
            folder.chmod(0o755)

    def build(self, builder: str, repository: str, *, tag: str = "v1", **more: Any) -> Image:
        fields: dict[str, Any] = {
            "context": str(self.folder),
            "dockerfile": str(self.folder / "Dockerfile"),
            "repository": repository,
            "tag": tag,
            "commit": "a" * 40,
            "labels": {INPUTS_LABEL: "inputs", "a": "of the request"},
            "reusable": False,
            "args": {"GIVEN": "given"},
        }
        lines: list[str] = []
        deadline = Deadline(time.monotonic, 60)
        return open_builder(builder, self.env, deadline).build_and_push(
            BuildRequest(**{**fields, **more}), lines.append, 60
        )

    def docker(self, *words: str) -> str:
        return run("docker", *words, environment=self.env)

    def config(self, image: Image) -> dict[str, Any]:
        """What the engine that pulled it says of its configuration; what is empty is left out."""
        (document,) = json.loads(self.docker("image", "inspect", image.reference.replace(f":{image.tag}@", "@")))
        config = document["Config"]
        return {name: config[name] for name in CONFIG if config.get(name) not in (None, "", [], {})}

    def tree(self, image: Image) -> dict[str, tuple[Any, ...]]:
        """Every file of a container of it: kind, mode, owner, target, content."""
        reference = image.reference.replace(f":{image.tag}@", "@")
        self.docker("pull", "--quiet", reference)
        container = self.docker("create", "--entrypoint", "/none", reference).strip()
        try:
            exported = subprocess.run(["docker", "export", container], env=self.env, capture_output=True, check=True)
        finally:
            self.docker("rm", "--force", container)
        with tarfile.open(fileobj=io.BytesIO(exported.stdout)) as archive:
            members = [member for member in archive if member.name not in MADE_BY_DOCKER]
            return {member.name: (*_attributes(member), _sum(archive, member)) for member in members}


def _attributes(member: tarfile.TarInfo) -> tuple[Any, ...]:
    return (member.type, oct(member.mode), member.uid, member.gid, member.linkname)


def _sum(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    content = archive.extractfile(member) if member.isreg() else None
    return hashlib.sha256(content.read()).hexdigest()[:12] if content else ""


@pytest.fixture
def bench(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The docker SDK reads DOCKER_CONFIG of this process, and so the variables are set for real."""
    config = tmp_path / "docker"
    config.mkdir()
    login = base64.b64encode(f"{cluster.private_user}:{cluster.private_password}".encode()).decode()
    (config / "config.json").write_text(json.dumps({"auths": {cluster.private_registry: {"auth": login}}}))
    (config / "cli-plugins").symlink_to(cluster.docker_config / "cli-plugins")
    monkeypatch.setenv("DOCKER_HOST", cluster.docker_host)
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "context"
    folder.mkdir()
    return Bench(cluster=cluster, folder=folder, env=dict(os.environ))


@pytest.fixture
def repository(cluster: Cluster) -> str:
    return f"{cluster.registry}/layers/{uuid.uuid4().hex[:10]}"


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_same_dockerfile_is_the_same_image(bench: Bench, repository: str, name: str) -> None:
    bench.write(DOCKERFILES[name])
    theirs = bench.build("buildx", f"{repository}/buildx")
    ours = bench.build("layers", f"{repository}/layers")
    assert bench.tree(ours) == bench.tree(theirs)
    assert bench.config(ours) == bench.config(theirs)


def test_an_image_of_layers_is_a_base_for_the_engine_and_the_other_way_round(bench: Bench, repository: str) -> None:
    bench.write("FROM BASE\nWORKDIR /app\nCOPY a.txt .\n")
    first = bench.build("layers", f"{repository}/first")
    bench.write(f"FROM {first.reference}\nRUN echo more > more.txt\n", {})
    second = bench.build("buildx", f"{repository}/second")
    bench.write(f"FROM {second.reference}\nCOPY b.txt .\n", {})
    third = bench.tree(bench.build("layers", f"{repository}/third"))
    assert {"app/a.txt", "app/more.txt", "app/b.txt"} <= third.keys()


def test_a_private_registry_is_pushed_to_with_dockers_own_login(bench: Bench, cluster: Cluster) -> None:
    private = f"{cluster.private_registry}/layers/{uuid.uuid4().hex[:10]}"
    bench.write(DOCKERFILES["files and folders"])
    image = bench.build("layers", private)
    assert open_registry(bench.env).resolve(f"{private}:v1").digest == image.digest
    assert "src/c.py" in bench.tree(image)
    (Path(bench.env["DOCKER_CONFIG"]) / "config.json").write_text("{}")
    with pytest.raises(BuildError) as caught:
        bench.build("layers", private, tag="v2")
    assert caught.value.reason is Reason.PUSH_DENIED
    assert "docker login" in caught.value.hint


def test_the_same_commit_is_the_same_digest_from_another_clone(bench: Bench, repository: str, tmp_path: Path) -> None:
    bench.write(DOCKERFILES["files and folders"])
    first = bench.build("layers", f"{repository}/one", created="2026-01-02T03:04:05Z")
    other = tmp_path / "other"
    other.mkdir()
    again = Bench(cluster=bench.cluster, folder=other, env={**bench.env, "TZ": "Asia/Tokyo"})
    again.write(DOCKERFILES["files and folders"], dict(reversed(list(FILES.items()))))
    for path in other.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)
            os.utime(path, (1, 1))
    assert again.build("layers", f"{repository}/two", created="2026-01-02T03:04:05Z").digest == first.digest


def test_without_an_engine_it_is_taken_by_itself_and_a_real_pod_runs_its_image(scene: Scene) -> None:
    scene.create()
    nothing = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    commit = scene.checkout.commit(good("one"))
    ran = scene.deploy(env=nothing).ended(0, "deployed", "Complete")
    assert "with the layers builder (no engine here)" in ran.err
    assert "COPY app /app" in ran.everything
    assert ran.deploy["image"]["tag"] == commit
    scene.look().runs(ran.image, 2)

    again = scene.deploy(good("two"), "--builder", "layers").ended(0, "deployed", "Complete")
    scene.look().runs(again.image, 2)
