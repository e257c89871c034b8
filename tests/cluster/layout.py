"""Where everything of one cluster is: its files, its addresses and its names, all derived from a folder and a number.

The number sets clusters on the same machine apart: each has network, mount and process namespaces of its own, and a
link, four subnets, a cgroup and two ports that carry its number.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from tests.cluster.errors import RigError

SOCKET_LIMIT = 90
API_PORT = 6443
PATHS = ("state", "binaries", "etcd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The plan of one cluster; `binaries` and `etcd` are where its programs are."""

    state: Path
    version: str
    number: int
    registry_port: int
    private_port: int
    binaries: Path
    etcd: Path

    @property
    def minor(self) -> int:
        """The N of v1.N.P."""
        found = re.fullmatch(r"v1\.(\d+)\.\d+.*", self.version)
        if not found:
            raise RigError(f"{self.version} is no version of Kubernetes such as v1.20.2")
        return int(found[1])

    @property
    def link(self) -> str:
        """The host's end of the cable into the cluster's network."""
        return f"kdeploy{self.number}"

    @property
    def node(self) -> str:
        """The name of the only node."""
        return f"kdeploy-{self.number}"

    @property
    def host_address(self) -> str:
        """The host as the cluster sees it."""
        return f"10.90.{self.number}.1"

    @property
    def node_address(self) -> str:
        """The cluster as the host sees it: its API server and its node."""
        return f"10.90.{self.number}.2"

    @property
    def link_range(self) -> str:
        """The subnet of the cable."""
        return f"10.90.{self.number}.0/30"

    @property
    def pod_range(self) -> str:
        """The subnet of the pods."""
        return f"10.91.{self.number}.0/24"

    @property
    def service_range(self) -> str:
        """The subnet of the services."""
        return f"10.92.{self.number}.0/24"

    @property
    def docker_gateway(self) -> str:
        """Address and subnet of Docker's default bridge."""
        return f"10.93.{self.number}.1/24"

    @property
    def cgroup(self) -> str:
        """Below this cgroup are all pods and containers."""
        return f"/kdeploy-{self.number}"

    @property
    def server(self) -> str:
        """The API server's address."""
        return f"https://{self.node_address}:{API_PORT}"

    @property
    def registry(self) -> str:
        """The open registry, by the same name on the host and in the cluster."""
        return f"localhost:{self.registry_port}"

    @property
    def private_registry(self) -> str:
        """The registry that wants a password."""
        return f"localhost:{self.private_port}"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.state / "pki"

    @property
    def config(self) -> Path:
        """Configuration files that were written for the programs."""
        return self.state / "config"

    @property
    def data(self) -> Path:
        """What the programs keep."""
        return self.state / "data"

    @property
    def logs(self) -> Path:
        """One log a program, and the audit log."""
        return self.state / "logs"

    @property
    def processes(self) -> Path:
        """The records of what was started."""
        return self.state / "processes"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens, for the kubelet and for Docker."""
        return self.state / "containerd.sock"

    @property
    def docker_socket(self) -> Path:
        """Where Docker listens."""
        return self.state / "docker.sock"

    @property
    def audit_log(self) -> Path:
        """One line of JSON for each request to the API server."""
        return self.logs / "audit.jsonl"

    @property
    def admin(self) -> Path:
        """The kubeconfig of the cluster's administrator."""
        return self.state / "kubeconfig"

    def save(self) -> None:
        """Keeps the plan in its folder."""
        if len(str(self.containerd_socket)) > SOCKET_LIMIT:
            raise RigError(f"the path of {self.state} is too long for a socket: choose a shorter --state")
        for folder in (self.pki, self.config, self.data, self.logs, self.processes):
            folder.mkdir(parents=True, exist_ok=True)
        self.pki.chmod(0o700)
        (self.state / "layout.json").write_text(json.dumps(asdict(self), default=str, indent=1))

    @classmethod
    def load(cls, state: Path) -> Self:
        """The plan that was saved in `state`."""
        try:
            saved: dict[str, Any] = json.loads((state / "layout.json").read_text())
        except OSError as error:
            raise RigError(f"there is no cluster in {state}: start one with python -m tests.cluster up") from error
        saved |= {name: Path(saved[name]) for name in PATHS}
        return cls(**saved)


def default_root() -> Path:
    """The folder that has one state folder a version: $XDG_STATE_HOME/kdeploy/cluster or ~/.local/state/..."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "kdeploy" / "cluster"
