"""Where the rows are played: a real cluster with Docker, or the sandbox with nothing but Python.

All that differs is here: what the app's image is built from, by which builder, and the environment that says so.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.cluster.cluster import Cluster, External

AnyCluster = Cluster | External


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """`kdeploy sandbox`: images are made FROM scratch, by the builder that needs no daemon."""

    state: Path
    registry: str
    process: subprocess.Popen[bytes]
    title: str = "sandbox"
    base: str = "scratch"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def environment(self) -> Mapping[str, str]:
        return {"KUBECONFIG": str(self.kubeconfig), "KDEPLOY_BUILDER": "layers", "DOCKER_HOST": "unix:///nowhere"}
