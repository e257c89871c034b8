"""The namespaces that a cluster lives in, the cable that leads there, and the cgroup of its containers.

Network, mounts and processes of a cluster are its own: its iptables rules, bridges, mounts and stray containers can
meet no other cluster's nor the machine's, and all end with process 1 of the namespace.
"""

import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.cluster.commands import run, succeeds
from tests.cluster.errors import RigError
from tests.cluster.layout import Layout
from tests.cluster.processes import Process, Processes, wait_until

INIT = "namespace"
ALIAS_LIMIT = 200
LOCK = Path("/run/kdeploy-test-cluster.lock")
CGROUPS = Path("/sys/fs/cgroup")
PRIVATE = {  # what programs insist on using, and the folder below data/ that they get instead
    "/run/containerd": "run/containerd",
    "/run/docker": "run/docker",
    "/run/netns": "run/netns",
    "/run/runc": "run/runc",
    "/var/lib/cni": "cni",
    "/var/lib/kubelet": "kubelet",
    "/var/log/containers": "log/containers",
    "/var/log/pods": "log/pods",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """The inside of one cluster, known by its process 1."""

    pid: int

    def enter(self, *command: str | Path, processes: bool = True) -> list[str]:
        """The command line that runs `command` inside."""
        into = ["--net", "--mount", *(["--pid"] if processes else [])]
        return ["nsenter", "--target", str(self.pid), *into, "--", *(str(word) for word in command)]

    def run(self, *command: str | Path) -> str:
        """Runs a short command inside."""
        return run(*self.enter(*command))


def create(layout: Layout, processes: Processes) -> Namespace:
    """Makes namespaces, cable and cgroup, and mounts private folders over the shared ones."""
    shared = [(Path(place), layout.data / own) for place, own in PRIVATE.items()]
    for place, own in shared:
        place.mkdir(parents=True, exist_ok=True)
        own.mkdir(parents=True, exist_ok=True)
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--propagation", "private"]
    init = [sys.executable, "-I", "-S", str(Path(__file__).with_name("init.py"))]
    process = processes.start(INIT, [*unshare, "--", *init], nested=True)
    inside = Namespace(pid=process.inner)
    wait_until(lambda: _is_separate(process), 5, "a new namespace")
    inside.run("mount", "--make-rshared", "/")
    for place, own in shared:
        inside.run("mount", "--bind", own, place)
    _connect(layout, inside)
    _make_cgroup(layout)
    return inside


def take(number: int, state: Path) -> bool:
    """Claims a number for the cluster in `state` by making its cable, which carries that name; False if it is taken."""
    name = f"kdeploy{number}"
    with _lock():
        if not succeeds("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}n"):
            return False
        run("ip", "link", "set", name, "alias", str(state)[-ALIAS_LIMIT:])
    return True


def remove(layout: Layout, processes: Processes) -> None:
    """Ends the namespaces with all that runs there, and removes cable, rules and cgroup; what is gone is fine."""
    with _lock():
        if _is_taken_over(layout):
            return
        for process in processes.all():
            process.send(signal.SIGCONT)
        if (processes.folder / f"{INIT}.json").is_file():
            processes.find(INIT).stop(grace=0)
        for rule in _rules(layout):
            while succeeds(*_iptables(rule, "-D")):
                pass
        run("ip", "link", "delete", layout.link, check=False)
        _remove_cgroup(layout)


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """One at a time claims or frees a number on this machine."""
    with LOCK.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _is_taken_over(layout: Layout) -> bool:
    """Whether another cluster has the number now, as may be after the machine was restarted."""
    alias = Path(f"/sys/class/net/{layout.link}/ifalias")
    return alias.is_file() and alias.read_text().strip() != str(layout.state)[-ALIAS_LIMIT:]


def _is_separate(process: Process) -> bool:
    """Whether the child already runs its own program, which it does after its namespaces are complete."""
    if not process.alive():
        raise RigError("no namespace could be made: is this machine allowed to (root, CAP_SYS_ADMIN)?")
    try:
        return Path(f"/proc/{process.inner}/cmdline").read_bytes().startswith(os.fsencode(sys.executable))
    except OSError:
        return False


def _connect(layout: Layout, inside: Namespace) -> None:
    """Plugs the cable in, routes pods and services over it, and lets the inside out through the host."""
    run("ip", "link", "set", f"{layout.link}n", "netns", str(inside.pid), "name", "eth0")
    run("ip", "address", "add", f"{layout.host_address}/30", "dev", layout.link)
    run("ip", "link", "set", layout.link, "up")
    inside.run("ip", "link", "set", "lo", "up")
    inside.run("ip", "address", "add", f"{layout.node_address}/30", "dev", "eth0")
    inside.run("ip", "link", "set", "eth0", "up")
    inside.run("ip", "route", "add", "default", "via", layout.host_address)
    for subnet in (layout.pod_range, layout.service_range):
        run("ip", "route", "replace", subnet, "via", layout.node_address)
    inside.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    for rule in _rules(layout):
        run(*_iptables(rule, "-I"))


def _rules(layout: Layout) -> list[list[str]]:
    """Builds reach a package index, and no other machine reaches the cluster; the last rule comes first."""
    answers = ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED"]
    return [
        ["nat", "POSTROUTING", "-s", layout.link_range, "!", "-o", layout.link, "-j", "MASQUERADE"],
        ["filter", "FORWARD", "-o", layout.link, "-j", "DROP"],
        ["filter", "FORWARD", "-o", layout.link, *answers, "-j", "ACCEPT"],
        ["filter", "FORWARD", "-i", layout.link, "-j", "ACCEPT"],
    ]


def _iptables(rule: Sequence[str], action: str) -> list[str]:
    table, chain, *match = rule
    return ["iptables", "-w", "-t", table, action, chain, *match]


def _make_cgroup(layout: Layout) -> None:
    for hierarchy in _hierarchies():
        folder = hierarchy / layout.cgroup.lstrip("/")
        folder.mkdir(exist_ok=True)
        if hierarchy == CGROUPS:
            _hand_down(hierarchy, folder)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # of version 1: a new group has none, and takes no process
            file = folder / setting
            if hierarchy != CGROUPS and file.is_file() and not file.read_text().strip():
                file.write_text((hierarchy / setting).read_text())


def _hand_down(root: Path, folder: Path) -> None:
    """Of version 2: lets the groups below the new one have every controller that the machine has."""
    for controller in (root / "cgroup.controllers").read_text().split():
        for group in (root, folder):
            with contextlib.suppress(OSError):
                (group / "cgroup.subtree_control").write_text(f"+{controller}")


def _remove_cgroup(layout: Layout) -> None:
    for hierarchy in _hierarchies():
        root = hierarchy / layout.cgroup.lstrip("/")
        folders = [folder for folder in root.rglob("*") if folder.is_dir()] if root.is_dir() else []
        for folder in sorted([*folders, root], key=lambda folder: -len(folder.parts)):
            if folder.is_dir():
                wait_until(partial(succeeds, "rmdir", folder), 5, f"removing {folder}")


def _hierarchies() -> list[Path]:
    """The folders that hold a cgroup tree: one for version 2, one a controller for version 1."""
    if (CGROUPS / "cgroup.controllers").is_file():
        return [CGROUPS]
    return [entry for entry in CGROUPS.iterdir() if entry.is_dir() and not entry.is_symlink()]
