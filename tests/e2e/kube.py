"""Fresh reads of a cluster by kubectl, past everything that kdeploy knows."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.errors import RigError
from tests.cluster.processes import wait_until
from tests.scenarios.live import Live, Obj, is_leaving


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
        pods = [pod for pod in self.get("pods", f"--selector={labels}") if not is_leaving(pod)]
        return Live(workload=workload, pods=tuple(pods))

    def roll_out(self, target: str) -> None:
        """Waits until a workload's rollout is complete."""
        self("rollout", "status", target, "--timeout=50s")

    def until(self, true: Callable[[], bool], what: str, seconds: float = 40) -> None:
        """Waits for something to be so; RigError names `what` where it does not come."""
        wait_until(true, seconds, what)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
