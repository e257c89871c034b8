"""A pod's status from what its containers are doing, as a kubelet writes it. Pure.

generateAPIPodStatus and getPhase of pkg/kubelet/kubelet_pods.go, and pkg/kubelet/status/generate.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import condition
from kdeploy.sandbox.core.timestamps import to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A container that does not run yet, or not again."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A container that runs since `started` (Unix seconds)."""

    started: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminated:
    """A container's run that is over. Times in Unix seconds; `started` is None where it never began."""

    exit_code: int
    reason: str
    finished: float
    started: float | None = None
    message: str = ""
    container_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What one container is doing. `last` is the run before the present one.

    `image` is the spec's, `image_id` the digest that was pulled for it. `started`: its startup probe, where it has one,
    has passed. `is_sidecar`: an init container with restartPolicy Always.
    """

    name: str
    image: str
    state: Waiting | Running | Terminated
    last: Terminated | None = None
    restarts: int = 0
    ready: bool = False
    started: bool = False
    image_id: str = ""
    container_id: str = ""
    is_sidecar: bool = False


INITIAL = Waiting(reason="ContainerCreating")
INITIAL_OF_INIT = Waiting(reason="PodInitializing")
"""What containers wait for while the init containers run."""


def ended(exit_code: int) -> str:
    """The reason of a run that ended by itself."""
    return "Completed" if exit_code == 0 else "Error"


def container_status(container: Container) -> dict[str, Any]:
    """An entry of status.containerStatuses."""
    last = {"terminated": _terminated(container.last)} if container.last else {}
    status = {
        "name": container.name,
        "image": container.image,
        "imageID": container.image_id,
        "lastState": last,
        "ready": container.ready,
        "restartCount": container.restarts,
        "started": container.started,
        "state": _state(container),
    }
    return status | ({"containerID": container.container_id} if container.container_id else {})


def pod_status(
    pod: Obj,
    containers: Sequence[Container],
    init_containers: Sequence[Container] = (),
    *,
    ip: str,
    host_ip: str,
    now: float,
    terminal: bool = False,
) -> dict[str, Any]:
    """The pod's whole status; conditions keep the time of their last change, and what others set stays.

    `ip` is "" as long as it has none. `terminal`: it will not run again, whatever its restart policy says.
    """
    old = pod.get("status") or {}
    phase = phase_of(pod["spec"], containers, init_containers, terminal=terminal)
    status: dict[str, Any] = {
        **old,
        "phase": phase,
        "observedGeneration": pod["metadata"].get("generation", 1),
        "conditions": _conditions(pod, phase, containers, init_containers, has_ip=bool(ip), now=now),
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "startTime": old.get("startTime") or to_text(now),
        "containerStatuses": [container_status(each) for each in containers],
    }
    if init_containers:
        status["initContainerStatuses"] = [container_status(each) for each in init_containers]
    if ip:
        status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
    return status


def phase_of(
    spec: Obj, containers: Sequence[Container], init_containers: Sequence[Container] = (), *, terminal: bool = False
) -> str:
    """Pending, Running, Succeeded or Failed."""
    policy = spec.get("restartPolicy") or "Always"
    for init in init_containers:
        if not init.is_sidecar and _last_exit(init) not in (None, 0) and policy == "Never":
            return "Failed"
    if not _is_initialized(init_containers):
        return "Pending"
    exits = [_last_exit(each) for each in containers]
    if any(code is None and not isinstance(each.state, Running) for each, code in zip(containers, exits, strict=True)):
        return "Pending"
    if any(isinstance(each.state, Running) for each in containers):
        return "Running"
    good = all(code == 0 for code in exits)
    if terminal or policy == "Never" or (policy == "OnFailure" and good):
        return "Succeeded" if good else "Failed"
    return "Running"  # all of them are about to be restarted


def _last_exit(container: Container) -> int | None:
    """The exit code of the run that is over, of a container that does not run; None where none is over."""
    if isinstance(container.state, Terminated):
        return container.state.exit_code
    if isinstance(container.state, Waiting) and container.last:
        return container.last.exit_code
    return None


def _is_initialized(init_containers: Sequence[Container]) -> bool:
    return not _uninitialized(init_containers)


def _uninitialized(init_containers: Sequence[Container]) -> list[str]:
    return [
        each.name
        for each in init_containers
        if not (each.started if each.is_sidecar else isinstance(each.state, Terminated) and not each.state.exit_code)
    ]


def _conditions(
    pod: Obj,
    phase: str,
    containers: Sequence[Container],
    init_containers: Sequence[Container],
    *,
    has_ip: bool,
    now: float,
) -> list[dict[str, Any]]:
    over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase)
    waiting = _uninitialized(init_containers)
    sidecars = [each for each in init_containers if each.is_sidecar]
    unready = [each.name for each in (*sidecars, *containers) if not each.ready]
    initialized = _made(
        "Initialized", not waiting, "ContainersNotInitialized", _listed("containers with incomplete status", waiting)
    )
    if not over:
        all_ready = _made(
            "ContainersReady", not unready, "ContainersNotReady", _listed("containers with unready status", unready)
        )
    else:
        all_ready = _made("ContainersReady", False, over)
    if over == "PodCompleted":
        initialized = _made("Initialized", True, "") | {"reason": over}
    gates = _missing_gates(pod)
    ready = {**all_ready, "type": "Ready"}
    if all_ready["status"] == "True" and gates:
        ready = _made("Ready", False, "ReadinessGatesNotReady", gates)
    own = [_made("PodReadyToStartContainers", has_ip, ""), initialized, ready, all_ready]
    return _merged(pod, own, now)


def _made(type_: str, good: bool, reason: str, message: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"type": type_, "status": "True" if good else "False"}
    if not good and reason:
        made["reason"] = reason
        made |= {"message": message} if message else {}
    return made


def _merged(pod: Obj, own: Iterable[Mapping[str, Any]], now: float) -> list[dict[str, Any]]:
    """`own` with the times of their last change; then the conditions that somebody else keeps."""
    generation = pod["metadata"].get("generation", 1)
    found: list[dict[str, Any]] = []
    for made in own:
        old = condition(pod, made["type"])
        since = old["lastTransitionTime"] if old and old["status"] == made["status"] else to_text(now)
        times = {"lastProbeTime": None, "lastTransitionTime": since, "observedGeneration": generation}
        found.append({**made, **times})
    types = {made["type"] for made in found}
    others = (pod.get("status") or {}).get("conditions") or ()
    return [*found, *(dict(each) for each in others if each["type"] not in types)]


def _missing_gates(pod: Obj) -> str:
    missing = [
        str(gate["conditionType"])
        for gate in pod["spec"].get("readinessGates") or ()
        if (condition(pod, gate["conditionType"]) or {}).get("status") != "True"
    ]
    words = (
        f'the status of pod readiness gate "{name}" is not "True", but False'
        if condition(pod, name)
        else f'corresponding condition of pod readiness gate "{name}" does not exist.'
        for name in missing
    )
    return ", ".join(words)


def _listed(what: str, names: Sequence[str]) -> str:
    return f"{what}: [{' '.join(names)}]"


def _state(container: Container) -> dict[str, Any]:
    match container.state:
        case Waiting(reason=reason, message=message):
            return {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        case Running(started=started):
            return {"running": {"startedAt": to_text(started)}}
        case Terminated() as run:
            return {"terminated": _terminated(run)}


def _terminated(run: Terminated) -> dict[str, Any]:
    status: dict[str, Any] = {
        "exitCode": run.exit_code,
        "reason": run.reason,
        "startedAt": to_text(run.started) if run.started is not None else None,
        "finishedAt": to_text(run.finished),
    }
    status |= {"message": run.message} if run.message else {}
    return status | ({"containerID": run.container_id} if run.container_id else {})
