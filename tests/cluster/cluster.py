"""The cluster as tests see it: one of the rig's own, or somebody else's by its kubeconfig."""

import fcntl
import json
import os
import re
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from tests.cluster import control_plane, node, pki
from tests.cluster.commands import run
from tests.cluster.errors import RigError, UnsupportedError
from tests.cluster.layout import Layout, default_root
from tests.cluster.processes import Processes

FILE = "cluster.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A running cluster of the rig's own, and what can be done to it."""

    version: str
    state: Path
    kubeconfig: Path
    server: str
    authority: Path
    registry: str
    private_registry: str
    private_user: str
    private_password: str
    docker_host: str
    docker_config: Path
    docker_config_classic: Path
    base_image: str
    audit_log: Path

    @property
    def layout(self) -> Layout:
        """Its files, addresses and names."""
        return Layout.load(self.state)

    @property
    def processes(self) -> Processes:
        """Its programs."""
        return Processes(folder=self.state / "processes", logs=self.state / "logs")

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point kubectl, docker and the tests here."""
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "DOCKER_HOST": self.docker_host,
            "DOCKER_CONFIG": str(self.docker_config),
            "KDEPLOY_REGISTRY": self.registry,
            "KDEPLOY_E2E_STATE": str(self.state),
        }

    def stop_apiserver(self, grace: float = 0.0) -> None:
        """Kills the API server, after `grace` seconds to finish; connections to it are refused from now on."""
        self.processes.find(control_plane.API).stop(grace)

    def start_apiserver(self) -> None:
        """Starts the API server again at the same address, and waits until it is ready."""
        self.processes.again(control_plane.API)
        control_plane.wait_api(self.layout, self.processes)

    def pause_apiserver(self) -> None:
        """Freezes the API server: connections stay open, and nothing answers."""
        self.processes.find(control_plane.API).send(signal.SIGSTOP)

    def resume_apiserver(self) -> None:
        """Lets a frozen API server go on, and waits until it is ready."""
        self.processes.find(control_plane.API).send(signal.SIGCONT)
        control_plane.wait_api(self.layout, self.processes)

    def stop_kubelet(self) -> None:
        """Ends the kubelet; its pods run on, and after 40 s the node counts as lost."""
        self.processes.find(node.KUBELET).stop()

    def start_kubelet(self) -> None:
        """Starts the kubelet again, and waits until it has reported and the node is ready."""
        started = time.time()
        self.processes.again(node.KUBELET)
        node.wait(self.layout, self.processes, since=started)

    def pause_node(self) -> None:
        """Freezes the kubelet: the node reports nothing any more, and starts no pod."""
        self.processes.find(node.KUBELET).send(signal.SIGSTOP)

    def resume_node(self) -> None:
        """Lets a frozen kubelet go on, and waits until it has reported and the node is ready."""
        resumed = time.time()
        self.processes.find(node.KUBELET).send(signal.SIGCONT)
        node.wait(self.layout, self.processes, since=resumed)

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig for a user with a certificate of his own and no more rights than RBAC gives him."""
        name = "user-" + re.sub(r"[^\w.-]", "_", "-".join([user, *groups]))
        with (self.layout.pki / "users.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)  # tests that run side by side ask for the same user
            if not (self.layout.pki / f"{name}.crt").is_file():
                pki.issue(self.layout.pki, name, user, groups)
            return pki.write_kubeconfig(self._user_file(name), self.server, self.layout.pki, name=name)

    def kubeconfig_with_token(self, token: str, name: str = "token") -> Path:
        """A kubeconfig for a bearer token, good or bad."""
        return pki.write_kubeconfig(self._user_file(name), self.server, self.layout.pki, token=token)

    def requests(self, user_agent_prefix: str = "", since: float = 0.0) -> list[dict[str, Any]]:
        """The requests that a client has made since a moment of time.time(), each once, in the order of their ends.

        A watch appears when it starts, and its entry is replaced when it ends.
        """
        found: dict[str, dict[str, Any]] = {}
        for line in self.audit_log.read_bytes().split(b"\n")[:-1]:
            event: dict[str, Any] = json.loads(line)
            if event.get("userAgent", "").startswith(user_agent_prefix) and _received(event) >= since:
                found[event["auditID"]] = event
        return list(found.values())

    def save(self) -> None:
        """Keeps the description where `load` finds it; it has a password in it."""
        file = self.state / FILE
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(self), default=str, indent=1))

    @classmethod
    def load(cls, state: Path) -> Self:
        """The cluster that was started in `state`."""
        try:
            saved = json.loads((state / FILE).read_text())
        except OSError as error:
            raise RigError(f"there is no cluster in {state}: start one with python -m tests.cluster up") from error
        return cls(**{each.name: each.type(saved[each.name]) for each in fields(cls) if callable(each.type)})

    def _user_file(self, name: str) -> Path:
        folder = self.state / "users"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder / f"{name}.kubeconfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """A cluster of somebody's own, kind or any other: it is used, never started, stopped nor looked into."""

    kubeconfig: Path
    registry: str
    base_image: str
    docker_host: str

    @property
    def version(self) -> str:
        """The version that its API server reports."""
        answer = run("kubectl", "--kubeconfig", self.kubeconfig, "get", "--raw", "/version")
        return str(json.loads(answer)["gitVersion"])

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point kubectl, docker and the tests there."""
        docker = {"DOCKER_HOST": self.docker_host} if self.docker_host else {}
        return {"KUBECONFIG": str(self.kubeconfig), "KDEPLOY_REGISTRY": self.registry} | docker

    def __getattr__(self, name: str) -> Any:
        """Whatever else a Cluster has or does is not to be had here."""
        if name.startswith("_") or not hasattr(Cluster, name):
            raise AttributeError(name)
        raise UnsupportedError(f"{name} needs a cluster of the rig's own, and KDEPLOY_E2E_KUBECONFIG names another")


def from_environment() -> Cluster | External:
    """The cluster that $KDEPLOY_E2E_KUBECONFIG names, else one of the rig's own as `running` finds it."""
    if kubeconfig := os.environ.get("KDEPLOY_E2E_KUBECONFIG"):
        registry = os.environ.get("KDEPLOY_E2E_REGISTRY", "")
        if not registry:
            raise RigError("KDEPLOY_E2E_KUBECONFIG needs KDEPLOY_E2E_REGISTRY, a registry that its nodes pull from")
        return External(
            kubeconfig=Path(kubeconfig),
            registry=registry,
            base_image=os.environ.get("KDEPLOY_E2E_BASE_IMAGE", "busybox:1"),
            docker_host=os.environ.get("DOCKER_HOST", ""),
        )
    return running()


def running(state: Path | None = None, version: str = "") -> Cluster:
    """The cluster in `state` or $KDEPLOY_E2E_STATE, else of `version` or $KDEPLOY_E2E_KUBERNETES, else the newest."""
    named = os.environ.get("KDEPLOY_E2E_STATE", "") if not version else ""
    if state or named:
        return Cluster.load(state or Path(named))
    found = [
        entry for entry in states(version or os.environ.get("KDEPLOY_E2E_KUBERNETES", "")) if (entry / FILE).is_file()
    ]
    if not found:
        raise RigError("no cluster runs: start one with python -m tests.cluster up, or set KDEPLOY_E2E_KUBECONFIG")
    return Cluster.load(found[-1])


def states(version: str = "") -> list[Path]:
    """The folders below the default one that have a cluster of a version such as v1.20.2, 1.20 or any; oldest first."""
    wanted = f"v{version.removeprefix('v')}"
    found = [entry for entry in default_root().glob("v*") if (entry / "layout.json").is_file()]
    fitting = [entry for entry in found if not version or f"{entry.name}.".startswith(f"{wanted}.")]
    return sorted(fitting, key=lambda entry: [int(number) for number in re.findall(r"\d+", entry.name)])


def _received(event: dict[str, Any]) -> float:
    stamp: str = event.get("requestReceivedTimestamp", "1970-01-01T00:00:00Z")
    return datetime.fromisoformat(stamp).timestamp()
