"""The container image itself: what is in it, who else runs it and how, and what it must not hold."""

import json
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.processes import wait_until
from tests.e2e.scene import Scene
from tests.image import every_import
from tests.image.build import Docker, push
from tests.scenarios.versions import good

pytestmark = pytest.mark.image
SHELL = ("--entrypoint", "")
LIMIT = 120_000_000
"""Bytes of the compressed image."""


@pytest.fixture
def docker(cluster: Cluster, image: str) -> Docker:
    """The engine that has the image."""
    return Docker(cluster)


def test_everything_that_may_ever_be_imported_is_there_and_compiled(docker: Docker, image: str) -> None:
    script = Path(every_import.__file__)
    out = docker("run", "--rm", "-v", f"{script}:/check.py:ro", *SHELL, image, "python", "-I", "/check.py", timeout=60)
    assert int(out) > 1000


def test_it_has_what_it_needs_and_nothing_that_installs_more(docker: Docker, image: str) -> None:
    def sh(script: str) -> str:
        return docker("run", "--rm", "--entrypoint", "sh", image, "-c", script)

    assert sh("kdeploy --version").startswith("kdeploy ")
    assert sh("docker --version").startswith("Docker version")
    assert "buildx" in sh("docker buildx version")
    assert sh("git --version; ls /usr/lib/git-core/git-remote-https").startswith("git version")
    assert sh("apt-get check -qq 2>&1") == ""
    assert sh("git config --system safe.directory") == "*\n"
    for name in ("pip", "setuptools", "ensurepip"):
        assert "No module named" in sh(f"python -I -c 'import {name}' 2>&1 || true")
    assert sh("command -v pip pip3 cpan || true") == ""


def test_it_is_as_small_as_promised(cluster: Cluster, docker: Docker, image: str) -> None:
    assert sum(push(docker, cluster.registry, image).values()) < LIMIT


def test_no_secret_of_the_build_is_in_it(docker: Docker, image: str) -> None:
    config = json.loads(docker("inspect", image))[0]["Config"]
    names = {line.partition("=")[0] for line in config["Env"]}
    assert names <= {"PATH", "PIP_CERT", "PYTHONSAFEPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    assert config["User"] in ("", "root")
    assert config["Entrypoint"][0].startswith("/")
    assert {f"org.opencontainers.image.{name}" for name in ("title", "version", "revision")} <= set(config["Labels"])


def test_gitlab_and_jenkins_run_their_own_shell_in_it(scene: Scene, docker: Docker, image: str) -> None:
    """GitLab: an empty entry point, `sh` and the script by stdin. Jenkins: `cat` keeps it, as Jenkins' own user, and
    each step is an exec.
    """
    scene.create()
    scene.checkout.commit(good("one"))
    script = "set -e\ncd /builds\nkdeploy deploy\n"
    files = ("-v", f"{scene.checkout.folder}:/builds", "-v", f"{scene.kubeconfig}:/kubeconfig:ro")
    socket = ("-v", f"{scene.cluster.docker_host.removeprefix('unix://')}:/var/run/docker.sock")
    variables = ("-e", "KUBECONFIG=/kubeconfig", "-e", "GITLAB_CI=true")
    words = ("run", "--rm", "-i", "--network=host", *files, *socket, *variables, *SHELL, image, "sh")
    docker(*words, stdin=script, timeout=120)
    scene.look().runs(scene.look().image, 2)
    assert scene.look().marks["state"]

    user = ("-u", "1000:1000", "-w", "/builds", "-v", f"{scene.checkout.folder}:/builds:ro", *SHELL)
    container = docker("run", "-d", "--rm", "-t", "--network=host", *user, image, "cat").strip()
    try:
        assert docker("exec", container, "kdeploy", "--version").startswith("kdeploy ")
        assert "Usage" in docker("exec", container, "sh", "-c", "kdeploy deploy --help")
    finally:
        docker("kill", container)


@pytest.mark.parametrize(("number", "code"), [("TERM", "143"), ("INT", "130")])
def test_a_signal_ends_process_1(docker: Docker, image: str, number: str, code: str) -> None:
    """Without a handler Python leaves process 1 of a container deaf to SIGTERM."""
    container = docker("run", "--detach", image, "demo", "--simulated").strip()
    try:
        wait_until(lambda: docker("exec", container, "ls", "/tmp").strip() != "", 20, "the demo's folder")
        docker("kill", f"--signal={number}", container)
        assert docker("wait", container, timeout=20).strip() == code
    finally:
        docker("rm", "--force", container)


def test_in_a_pod_it_finds_its_own_service_account(scene: Scene, docker: Docker, image: str) -> None:
    scene.create()
    scene.deployed(good("one"))
    push(docker, scene.cluster.registry, image)
    account = f"system:serviceaccount:{scene.namespace}:default"
    scene.kube("create", "rolebinding", "viewer", "--clusterrole=view", f"--user={account}")
    words = [f"--image={scene.cluster.registry}/{image}", "--restart=Never", "--", "status", "deployment/app"]
    scene.kube("run", "inside", *words)
    scene.kube.until(
        lambda: scene.kube("get", "pod/inside", "--output=jsonpath={.status.phase}") in ("Succeeded", "Failed"),
        "the end of the pod",
        60,
    )
    assert "Complete" in scene.kube("logs", "inside")
