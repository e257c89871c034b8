"""A cluster from nothing to ready, and back to nothing."""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cluster import buildx, control_plane, engine, images, namespace, node, packages, registry
from tests.cluster.binaries import Binaries, BinariesError, available, build_current
from tests.cluster.cluster import Cluster
from tests.cluster.commands import find_system_programs, run, succeeds
from tests.cluster.errors import RigError
from tests.cluster.layout import Layout, default_root
from tests.cluster.processes import Processes

NUMBERS = range(1, 100)
FIRST_PORT = 5100

Say = Callable[[str], None]


def up(state: Path | None, version: str | None, say: Say) -> Cluster:
    """Starts a cluster, or returns the one that runs in `state` already; one half started is removed first."""
    find_system_programs()
    packages.ensure(say)
    binaries = choose(version, say)
    folder = (state or default_root() / binaries.version).resolve()
    with _alone(folder):
        return _running(folder, binaries.version) or _fresh(folder, binaries, say)


def _fresh(folder: Path, binaries: Binaries, say: Say) -> Cluster:
    down(folder)
    start = time.monotonic()
    try:
        cluster = _start(_plan(folder, binaries), say, start)
    except BaseException:
        down(folder)
        raise
    say(f"ready after {time.monotonic() - start:.1f} s")
    return cluster


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two commands that want the same cluster do not start it twice."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def down(state: Path) -> bool:
    """Stops what runs in `state` and removes all of it but its logs; False if there was nothing."""
    if not (state / "layout.json").is_file():
        return False
    find_system_programs()
    layout = Layout.load(state)
    _end(layout)
    for part in (layout.pki, layout.config, layout.data, layout.processes):
        shutil.rmtree(part, ignore_errors=True)
    for entry in state.iterdir():
        if entry != layout.logs:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    return True


def choose(version: str | None, say: Say) -> Binaries:
    """The programs of `version`, or of the newest version that is there; the current one is built if nothing is."""
    wanted = version or os.environ.get("KDEPLOY_E2E_KUBERNETES")
    try:
        found = available()
        if not wanted:
            return found[-1] if found else build_current(say)
        name = wanted if wanted.startswith("v") else f"v{wanted}"
        exact = [each for each in found if each.version == name or each.version.startswith(f"{name}.")]
    except BinariesError as error:
        raise RigError(str(error)) from error
    if not exact:
        have = ", ".join(each.version for each in found) or "none"
        raise RigError(f"Kubernetes {name} is not here (available: {have}): see make cluster-binaries")
    return exact[-1]


def _running(state: Path, version: str) -> Cluster | None:
    try:
        cluster = Cluster.load(state)
    except RigError:
        return None
    if not all(process.alive() for process in cluster.processes.all()):
        return None
    if cluster.version != version:
        raise RigError(f"{state} has a cluster of {cluster.version}: take it down first, or choose another --state")
    return cluster


def _plan(state: Path, binaries: Binaries) -> Layout:
    """Claims a number that no cluster has, and the ports that go with it."""
    number = next((number for number in NUMBERS if namespace.take(number, state)), None)
    if number is None:
        raise RigError("no cluster can be added: are you root, and can this machine make network links?")
    own = binaries.folder / "etcd"
    layout = Layout(
        state=state,
        version=binaries.version,
        number=number,
        registry_port=FIRST_PORT + 2 * number,
        private_port=FIRST_PORT + 2 * number + 1,
        binaries=binaries.folder,
        etcd=own if own.is_file() else Path(shutil.which("etcd") or "etcd"),
    )
    try:
        shutil.rmtree(layout.logs, ignore_errors=True)
        layout.save()
    except BaseException:
        run("ip", "link", "delete", layout.link, check=False)
        raise
    return layout


def _start(layout: Layout, say: Say, start: float) -> Cluster:
    """All parts in the order in which they need each other; what takes long starts early."""
    processes = Processes(folder=layout.processes, logs=layout.logs)
    inside = namespace.create(layout, processes)
    control_plane.start_etcd(layout, inside, processes)
    password = registry.start(layout, inside, processes)
    pause = f"{layout.registry}/{images.PAUSE}:{images.TAG}"
    engine.start_containerd(layout, inside, processes, pause)
    control_plane.make_identities(layout)
    control_plane.start_api(layout, inside, processes)
    registry.wait(layout, processes)
    images.push(images.pause(layout.binaries / "pause"), layout.registry, images.PAUSE)
    base = images.push(images.busybox(), layout.registry, images.BASE)
    engine.wait_containerd(layout, processes)
    engine.start_dockerd(layout, inside, processes)
    engine.pull(layout, inside, pause)
    control_plane.wait_api(layout, processes)
    control_plane.start_controllers(layout, inside, processes)
    say(f"control plane ready after {time.monotonic() - start:.1f} s")
    node.start(layout, inside, processes)
    modern, classic = engine.write_docker_configs(layout, buildx.ensure(say))
    engine.wait_dockerd(layout, processes)
    run("docker", "--host", f"unix://{layout.docker_socket}", "pull", "--quiet", base)
    node.wait(layout, processes)
    if dead := [process.name for process in processes.all() if not process.alive()]:
        raise RigError(f"{dead[0]} has ended:\n{processes.tail(dead[0])}")
    cluster = Cluster(
        version=layout.version,
        state=layout.state,
        kubeconfig=layout.admin,
        server=layout.server,
        authority=layout.pki / "ca.crt",
        registry=layout.registry,
        private_registry=layout.private_registry,
        private_user=registry.USER,
        private_password=password,
        docker_host=f"unix://{layout.docker_socket}",
        docker_config=modern,
        docker_config_classic=classic,
        base_image=base,
        audit_log=layout.audit_log,
    )
    cluster.save()
    return cluster


def _end(layout: Layout) -> None:
    processes = Processes(folder=layout.processes, logs=layout.logs)
    for name in (registry.OPEN, registry.PRIVATE):
        if (layout.processes / f"{name}.json").is_file():
            processes.find(name).stop()
    namespace.remove(layout, processes)


def is_up(state: Path) -> bool:
    """Whether the API server of the cluster in `state` answers."""
    return succeeds("kubectl", "--kubeconfig", state / "kubeconfig", "get", "--raw", "/readyz")
