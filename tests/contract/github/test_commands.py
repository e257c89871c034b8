"""Which commands tell GitHub of a deployment, and of which commit: the cluster is one that does not answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.cluster.conftest import kubeconfig
from tests.contract.github.fake import TOKEN, Github, github


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=T", "-c", "user.email=t@e.example", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=one")
    return folder


def kdeploy(fake: Github, checkout: Path, *arguments: str, sha: str) -> str:
    """Runs a command as a workflow does that runs for `sha`, whatever it has checked out; what it wrote."""
    env = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(checkout.parent),
        "PYTHONPATH": ":".join(sys.path),
        "KUBECONFIG": kubeconfig(checkout.parent, "http://127.0.0.1:9"),
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": fake.url,
        "GITHUB_REPOSITORY": "acme/web",
        "GITHUB_SHA": sha,
        "KDEPLOY_GITHUB_TOKEN": TOKEN,
    }
    command = [sys.executable, "-m", "kdeploy", *arguments]
    return subprocess.run(command, env=env, cwd=checkout, capture_output=True, text=True, timeout=60).stderr


def test_the_deployment_is_of_the_commit_that_is_built(checkout: Path) -> None:
    with github() as fake:
        kdeploy(
            fake, checkout, "deploy", "deployment/web", "--image", "r.example/web", "--builder", "layers",
            "--build-timeout", "2s", sha="d" * 40,
        )  # fmt: skip
        assert [(each.sha, each.states) for each in fake.made] == [
            (git(checkout, "rev-parse", "HEAD"), ["in_progress", "failure"])
        ]


@pytest.mark.parametrize("command", ["deploy", "rollback", "status", "verify"])
def test_only_a_deploy_asks_for_the_commit(checkout: Path, command: str) -> None:
    image = ["--image", f"r.example/web@sha256:{'c' * 64}", "--build-timeout", "1s"] if command == "deploy" else []
    with github() as fake:
        said = kdeploy(fake, checkout, command, "deployment/web", *image, sha="")
        assert ("GitHub is told of no deployment" in said) == (command == "deploy"), said
        assert fake.made == []
