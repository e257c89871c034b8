"""Fresh reads of a cluster by kubectl, past everything that kdeploy knows."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.cluster.errors import RigError
from tests.cluster.processes import wait_until

CONTAINER = "app"
MARK = "kdeploy.dev/"

Obj = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Live:
    """A workload and its pods, those on their way out left aside, as one read showed them."""

    workload: Obj
    pods: tuple[Obj, ...]

    @property
    def generation(self) -> int:
        """Of the spec."""
        return int(self.workload["metadata"]["generation"])

    @property
    def template(self) -> Obj:
        """The pod template."""
        template: Obj = self.workload["spec"]["template"]
        return template

    @property
    def image(self) -> str:
        """What the pod template names."""
        return _image(self.template["spec"])

    @property
    def images(self) -> set[str]:
        """What the pods name."""
        return {_image(pod["spec"]) for pod in self.pods}

    @property
    def marks(self) -> dict[str, str]:
        """kdeploy's annotations, without their prefix."""
        annotations = self.workload["metadata"].get("annotations") or {}
        return {key.removeprefix(MARK): value for key, value in annotations.items() if key.startswith(MARK)}

    @cached_property
    def restarts(self) -> dict[str, int]:
        """The app's restart count by pod uid."""
        return {
            pod["metadata"]["uid"]: status["restartCount"]
            for pod in self.pods
            for status in pod["status"].get("containerStatuses", [])
            if status["name"] == CONTAINER
        }

    @property
    def ready(self) -> int:
        """How many pods are ready."""
        return sum(is_ready(pod) for pod in self.pods)

    def runs(self, image: str, pods: int) -> None:
        """Asserts that template and pods name `image`, the spec is observed, and just so many pods are ready."""
        assert self.image == image
        assert self.workload["status"]["observedGeneration"] == self.generation
        assert [(_image(pod["spec"]), is_ready(pod)) for pod in self.pods] == [(image, True)] * pods

    def is_untouched_since(self, before: "Live") -> None:
        """Asserts that nobody wrote to the workload, and its pods run on. (Its status may have moved.)"""
        for part in ("uid", "generation", "annotations"):
            assert self.workload["metadata"].get(part) == before.workload["metadata"].get(part)
        assert self.workload["spec"] == before.workload["spec"]
        assert self.restarts == before.restarts


@dataclass(frozen=True, slots=True, kw_only=True)
class Kube:
    """kubectl in one namespace."""

    kubeconfig: Path
    namespace: str

    def __call__(self, *words: str, stdin: str | None = None) -> str:
        """Runs `kubectl WORDS`; what it printed. Raises RigError where it failed."""
        command = ["kubectl", "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace, *words]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60, check=False, env=_environment()
        )
        if done.returncode:
            raise RigError(f"kubectl {' '.join(words)}: {done.stderr.strip()[-400:]}")
        return done.stdout

    def apply(self, *objects: Obj) -> None:
        """Creates or changes objects."""
        self("apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def get(self, *what: str) -> Any:
        """An object, or a list's items."""
        found = json.loads(self("get", *what, "--output=json"))
        return found.get("items", found)

    def look(self, target: str) -> Live:
        """A workload such as "deployment/app" and the pods that its selector finds."""
        workload = self.get(target)
        labels = ",".join(f"{key}={value}" for key, value in workload["spec"]["selector"]["matchLabels"].items())
        pods = [pod for pod in self.get("pods", f"--selector={labels}") if not pod["metadata"].get("deletionTimestamp")]
        return Live(workload=workload, pods=tuple(pods))

    def roll_out(self, target: str) -> None:
        """Waits until a workload's rollout is complete."""
        self("rollout", "status", target, "--timeout=50s")

    def until(self, true: Callable[[], bool], what: str, seconds: float = 40) -> None:
        """Waits for something to be so; RigError names `what` where it does not come."""
        wait_until(true, seconds, what)


def is_ready(pod: Obj) -> bool:
    """Whether the pod's Ready condition holds."""
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _image(spec: Obj) -> str:
    return next(str(container["image"]) for container in spec["containers"] if container["name"] == CONTAINER)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
