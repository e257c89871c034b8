"""What the demo works with: a folder, a sandbox in it, the repository, and `kdeploy deploy` as a child process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kdeploy.errors import KdeployError
from kdeploy.sandbox.demo.access import Access
from kdeploy.sandbox.demo.repository import APP, Repository
from kdeploy.sandbox.state import Folder, Served

NAMESPACE = "demo"
IMAGE = "shop/web"
_LONGEST = 120.0
"""Seconds for one deploy; it takes 3."""

_PATIENCE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A sandbox that is up, and the repository that is deployed to it. `env` is that of every child.

    `kept`: it stays up after the demo.
    """

    folder: Folder
    served: Served
    repository: Repository
    access: Access
    env: Mapping[str, str]
    kept: bool

    @property
    def image(self) -> str:
        """The repository of the images."""
        return f"{self.served.registry}/{IMAGE}"

    @property
    def command(self) -> list[str]:
        """How a person would deploy."""
        return ["kdeploy", "deploy", "--image", self.image, "--builder", "layers"]

    def apply(self) -> None:
        """Creates what web.yaml describes, as `kubectl apply -f web.yaml` would."""
        for obj in manifests(self.image):
            self.access.create(obj)

    def deploy(self) -> Mapping[str, Any] | None:
        """Runs `kdeploy deploy` on what is checked out, on this very terminal. Its report; None where it left none."""
        report = self.folder.demo / "report.json"
        report.unlink(missing_ok=True)
        command = [sys.executable, "-m", *self.command, "--report", str(report)]
        with subprocess.Popen(
            [*_leashed(), *command],
            cwd=self.repository.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            process_group=0,  # so that a Ctrl-C reaches it once, through us
        ) as child:
            _see_through(child)
        try:
            found: Mapping[str, Any] = json.loads(report.read_text())
        except (OSError, ValueError):
            return None
        return found


def _leashed() -> list[str]:
    """What runs a command so that it ends when we do, even if we are killed: PR_SET_PDEATHSIG, prctl(2)."""
    if sys.platform != "linux":
        return []
    code = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-I", "-S", "-c", code]


def _see_through(child: subprocess.Popen[bytes]) -> None:
    """Waits for the child. Whatever ends that sooner interrupts it, and leaves it the time to put things right."""
    try:
        child.wait(_LONGEST)
    except BaseException as error:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
        if isinstance(error, subprocess.TimeoutExpired):
            raise KdeployError(f"kdeploy deploy did not end within {_LONGEST:g} s") from error
        raise


def manifests(image: str) -> list[Mapping[str, Any]]:
    """The objects of web.yaml."""
    text = (Path(APP) / "web.yaml").read_text().replace("IMAGE", f"{image}:none-yet")
    return list(yaml.safe_load_all(text))
