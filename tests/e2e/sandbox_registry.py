"""The sandbox's registry where the rig's engine and kubelet reach it: on the cluster's loopback and on the host's.

As the rig's own registries do, it runs twice over one folder, on one port: the same name for a test, for Docker and
for the kubelet.
"""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kdeploy.sandbox.registry.storage import Storage
from tests.cluster.cluster import Cluster
from tests.cluster.namespace import INIT, Namespace
from tests.cluster.processes import Processes

SOURCES = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRegistry:
    """A running one: its port, and the folder that it serves."""

    port: int
    folder: Path

    @property
    def name(self) -> str:
        """What images are called by."""
        return f"localhost:{self.port}"

    @property
    def storage(self) -> Storage:
        """What it keeps, as a kubelet in its own process reads it."""
        return Storage(self.folder)


@contextlib.contextmanager
def open_registry_for(cluster: Cluster, folder: Path, password: str = "") -> Iterator[SandboxRegistry]:
    """Starts it on a free port, and ends it. With a `password` it is for the user "kdeploy" alone."""
    inside = Namespace(pid=cluster.processes.find(INIT).inner)
    logs = folder / "logs"
    logs.mkdir(parents=True)
    processes = Processes(folder=logs, logs=logs)
    registry = SandboxRegistry(port=free_port(), folder=folder / "registry")
    serve = [sys.executable, "-m", "kdeploy.sandbox.registry", str(registry.folder), "--port", str(registry.port)]
    variables = {"PYTHONPATH": str(SOURCES), "KDEPLOY_SANDBOX_REGISTRY_PASSWORD": password}
    with contextlib.ExitStack() as started:
        for name, command, nested in (("outside", serve, False), ("inside", inside.enter(*serve), True)):
            started.callback(processes.start(name, command, variables, nested=nested).stop)
        processes.wait("outside", lambda: _listens(os.getpid(), registry.port), 30)
        processes.wait("inside", lambda: _listens(inside.pid, registry.port), 30)
        yield registry


def _listens(pid: int, port: int) -> bool:
    """Whether somebody listens to 127.0.0.1:`port` in the network of process `pid`."""
    return f" 0100007F:{port:04X} 00000000:0000 0A " in Path(f"/proc/{pid}/net/tcp").read_text()


def free_port() -> int:
    """One that nobody listens to on the host; below it in the cluster's network almost nothing is."""
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
