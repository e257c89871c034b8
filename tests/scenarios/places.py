"""Where the rows are played: a real cluster with Docker, or the sandbox with nothing but Python.

All that differs is here: what the app's image is built from, by which builder, and the environment that says so.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.cluster.cluster import Cluster, External
from tests.scenarios.rights import USER, grant

AnyCluster = Cluster | External
Send = Callable[[str, str, Any], object]
ROOT = Path(__file__).resolve().parents[2]


class Place(Protocol):
    """A cluster and a registry. `base` is what the app's Dockerfile says after FROM."""

    @property
    def title(self) -> str: ...

    @property
    def base(self) -> str: ...

    @property
    def registry(self) -> str: ...

    @property
    def kubeconfig(self) -> Path: ...

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that point kdeploy there, those of the builder included."""
        ...

    def environment_in(self, namespace: str, send: Send) -> Mapping[str, str]:
        """The same for one namespace, with the rights of examples/rbac.yaml, where the place knows rights. `send`: see
        `rights.grant`.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RealCluster:
    """The cluster of tests/cluster, or somebody's own."""

    cluster: AnyCluster

    @property
    def title(self) -> str:
        return self.cluster.version

    @property
    def base(self) -> str:
        return self.cluster.base_image

    @property
    def registry(self) -> str:
        return self.cluster.registry

    @property
    def kubeconfig(self) -> Path:
        return self.cluster.kubeconfig

    @property
    def environment(self) -> Mapping[str, str]:
        docker = os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
        own = {k: v for k, v in self.cluster.environment.items() if not k.startswith("KDEPLOY_")}
        return {"DOCKER_CONFIG": docker, **own}

    def environment_in(self, namespace: str, send: Send) -> Mapping[str, str]:
        if isinstance(self.cluster, External):
            return self.environment
        grant(send, namespace)
        return {**self.environment, "KUBECONFIG": str(self.cluster.kubeconfig_for(USER))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """`kdeploy sandbox`: images are made FROM scratch, by the builder that needs no daemon."""

    kubeconfig: Path
    registry: str
    title: str = "the sandbox"
    base: str = "scratch"

    @property
    def environment(self) -> Mapping[str, str]:
        """Without any Docker, whatever there is on the machine."""
        return {"KUBECONFIG": str(self.kubeconfig), "KDEPLOY_BUILDER": "layers", "DOCKER_HOST": "unix:///nowhere"}

    def environment_in(self, namespace: str, send: Send) -> Mapping[str, str]:
        """It lets everybody do all."""
        return self.environment


@contextlib.contextmanager
def open_sandbox(folder: Path) -> Iterator[Sandbox]:
    """A sandbox of one's own in a new folder; it ends with this process, whatever ends that."""
    command = [sys.executable, "-m", "kdeploy.sandbox", "serve", "--bound", "--state", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())["ready"]
            yield Sandbox(kubeconfig=folder / "kubeconfig", registry=ready["registry"])
        finally:
            process.stdin.close()
            process.wait(30)
