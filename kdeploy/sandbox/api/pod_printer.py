"""A pod's line in `kubectl get pods`: what its containers come to in one word. Pure.

pkg/printers/internalversion/printers.go, printPod.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.api.ages import age, since

_NONE = "<none>"
_ENDED = {
    "Succeeded": "The pod has completed successfully.",
    "Failed": "The pod failed.",
}


@dataclass(frozen=True, slots=True)
class _Count:
    """Restarts, and when the last one was: RFC 3339 texts of one zone sort by time."""

    restarts: int = 0
    last: str = ""


@dataclass(frozen=True, slots=True)
class _Summary:
    reason: str
    ready: int
    count: _Count


def pod_cells(pod: Obj, now: float) -> list[Any]:
    """The cells of one pod, the wide ones too."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    summary = _summary(pod)
    total = len(spec.get("containers") or ()) + sum(map(_is_sidecar, spec.get("initContainers") or ()))
    restarts = str(summary.count.restarts)
    if summary.count.restarts and summary.count.last:
        restarts += f" ({since(summary.count.last, now)} ago)"
    addresses = status.get("podIPs") or ()
    return [
        pod["metadata"]["name"],
        f"{summary.ready}/{total}",
        summary.reason,
        restarts,
        age(pod, now),
        addresses[0].get("ip") if addresses else _NONE,
        spec.get("nodeName") or _NONE,
        status.get("nominatedNodeName") or _NONE,
        _gates(spec, status),
    ]


def pod_conditions(pod: Obj) -> list[Obj]:
    """The row's condition of a pod that has ended, by which a client may leave it out."""
    phase = (pod.get("status") or {}).get("phase")
    if phase not in _ENDED:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": _ENDED[phase]}]


def _summary(pod: Obj) -> _Summary:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    phase = str(status.get("phase") or "")
    reason = str(status.get("reason") or phase)
    conditions = status.get("conditions") or ()
    if any(one.get("type") == "PodScheduled" and one.get("reason") == "SchedulingGated" for one in conditions):
        reason = "SchedulingGated"
    init = status.get("initContainerStatuses") or ()
    sidecars = {one["name"] for one in spec.get("initContainers") or () if _is_sidecar(one)}
    blocked, ready = _initializing(init, sidecars, len(spec.get("initContainers") or ()))
    if blocked and not _is_true(conditions, "Initialized"):
        found = _Summary(blocked, ready, _counted(_until(init, sidecars)))
    else:
        statuses = status.get("containerStatuses") or ()
        count = _counted([*(one for one in init if one.get("name") in sidecars), *statuses])
        reason, running = _of_containers(blocked or reason, statuses, is_ready=_is_true(conditions, "Ready"))
        found = _Summary(reason, ready + running, count)
    if "deletionTimestamp" not in pod["metadata"]:
        return found
    if status.get("reason") == "NodeLost":
        return _Summary("Unknown", found.ready, found.count)
    return found if phase in _ENDED else _Summary("Terminating", found.ready, found.count)


def _initializing(statuses: Sequence[Obj], sidecars: set[str], total: int) -> tuple[str, int]:
    """What the init containers wait for, empty where they have ended; and how many sidecars are ready."""
    ready = 0
    for index, one in enumerate(statuses):
        state = one.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if ended is not None and not ended.get("exitCode"):
            continue
        if one.get("name") in sidecars and one.get("started"):
            ready += bool(one.get("ready"))
            continue
        if ended is not None:
            return f"Init:{_why(ended)}", ready
        if waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return f"Init:{waiting['reason']}", ready
        return f"Init:{index}/{total}", ready
    return "", ready


def _until(statuses: Sequence[Obj], sidecars: set[str]) -> list[Obj]:
    """The init containers up to the first that has not ended, whose restarts count until then."""
    found = []
    for one in statuses:
        found.append(one)
        ended = (one.get("state") or {}).get("terminated")
        done = ended is not None and not ended.get("exitCode")
        if not done and not (one.get("name") in sidecars and one.get("started")):
            break
    return found


def _of_containers(reason: str, statuses: Sequence[Obj], *, is_ready: bool) -> tuple[str, int]:
    """The reason that the containers give, the first one's last; and how many are ready."""
    ready, failed = 0, ""
    for one in reversed(statuses):
        state = one.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if waiting.get("reason"):
            reason = str(waiting["reason"])
        elif ended is not None:
            reason = _why(ended)
            failed = reason if ended.get("exitCode") else failed
        elif one.get("ready") and state.get("running") is not None:
            ready += 1
    if reason == "Completed":
        if ready and is_ready:
            return "Running", ready
        return failed or ("NotReady" if ready else reason), ready
    return reason, ready


def _why(ended: Obj) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode') or 0}"


def _counted(statuses: Iterable[Obj]) -> _Count:
    restarts, last = 0, ""
    for one in statuses:
        restarts += int(one.get("restartCount") or 0)
        ended = (one.get("lastState") or {}).get("terminated") or {}
        last = max(last, str(ended.get("finishedAt") or ""))
    return _Count(restarts, last)


def _gates(spec: Obj, status: Obj) -> str:
    gates = spec.get("readinessGates") or ()
    if not gates:
        return _NONE
    true = sum(_is_true(status.get("conditions") or (), gate.get("conditionType")) for gate in gates)
    return f"{true}/{len(gates)}"


def _is_sidecar(container: Obj) -> bool:
    return container.get("restartPolicy") == "Always"


def _is_true(conditions: Iterable[Obj], kind: Any) -> bool:
    return any(one.get("type") == kind and one.get("status") == "True" for one in conditions)
