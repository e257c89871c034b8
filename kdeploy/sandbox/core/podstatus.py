"""A pod's status as a kubelet writes it, from the statuses of its containers: for both kubelets. Pure.

pkg/kubelet/kubelet_pods.go (getPhase) and pkg/kubelet/status/generate.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import status_of
from kdeploy.sandbox.core.timestamps import to_text

HOST_IP = "127.0.0.1"

PENDING = {"waiting": {"reason": "ContainerCreating"}}
INITIALIZING = {"waiting": {"reason": "PodInitializing"}}
"""What a container's state is before anything is known, without init containers and with them."""

_ORDER = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def container_status(
    container: Obj,
    *,
    state: Obj,
    last: Obj | None = None,
    container_id: str = "",
    image_id: str = "",
    restarts: int = 0,
    ready: bool = False,
    started: bool = False,
) -> Obj:
    """One entry of containerStatuses. `state` and `last` as the API has them: {"running": {"startedAt": ...}}."""
    status: dict[str, Any] = {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": image_id,
        "state": state,
        "lastState": last or {},
        "restartCount": restarts,
        "ready": ready,
        "started": started,
    }
    if container_id:
        status["containerID"] = container_id
        status["resources"] = container.get("resources") or {}
    return status


def pod_status(
    pod: Obj, init: Sequence[Obj], main: Sequence[Obj], *, ip: str | None, started: float, now: float
) -> Obj:
    """The pod's status with its phase and conditions; a condition keeps its time while its status stays.

    `init` and `main` are the container statuses; `ip` is the pod's address, None until it has one; `started` is when
    the kubelet took the pod.
    """
    before, generation = status_of(pod), pod["metadata"].get("generation", 1)
    phase = _phase(pod, init, main)
    known = {each["type"]: each for each in before.get("conditions") or ()}
    found = _conditions(pod, phase, init, main, ip is not None)
    conditions = [_kept(known, found, type_, generation, now) for type_ in _ORDER]
    conditions += [each for type_, each in known.items() if type_ not in _ORDER]
    status: dict[str, Any] = {
        "phase": phase,
        "qosClass": before.get("qosClass", "BestEffort"),
        "observedGeneration": generation,
        "hostIP": HOST_IP,
        "hostIPs": [{"ip": HOST_IP}],
        "startTime": to_text(started),
        "conditions": conditions,
        "containerStatuses": list(main),
    }
    if init:
        status["initContainerStatuses"] = list(init)
    if ip is not None:
        status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
    return status


def is_sidecar(container: Obj) -> bool:
    """Whether an init container goes on running beside the others."""
    return container.get("restartPolicy") == "Always"


def restarts(pod: Obj, container: Obj, exit_code: int) -> bool:
    """Whether a container that ended with that code is started again (ContainerShouldRestart)."""
    policy = pod["spec"].get("restartPolicy") or "Always"
    if is_sidecar(container):
        return True
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def _phase(pod: Obj, init: Sequence[Obj], main: Sequence[Obj]) -> str:
    phase = _init_phase(pod, init, main) if init else None
    if phase is not None:
        return phase
    if any(map(_is_new, main)):
        return "Pending"
    if any("running" in each["state"] for each in main):
        return "Running"
    specs = {each["name"]: each for each in pod["spec"].get("containers") or ()}
    codes = {each["name"]: _exit_code(each) or 0 for each in main}
    if any(restarts(pod, specs[name], code) for name, code in codes.items()):
        return "Running"
    return "Failed" if any(codes.values()) else "Succeeded"


def _init_phase(pod: Obj, init: Sequence[Obj], main: Sequence[Obj]) -> str | None:
    """The phase as far as init containers decide it."""
    sidecars = {each["name"] for each in pod["spec"].get("initContainers") or () if is_sidecar(each)}
    codes = {each["name"]: _exit_code(each) for each in init}
    plain = [code for name, code in codes.items() if name not in sidecars]
    if any(plain) and pod["spec"].get("restartPolicy") == "Never":
        return "Failed"
    starting = any(each["name"] in sidecars and not each["started"] and codes[each["name"]] is None for each in init)
    if None in plain or (starting and not any(map(_has_begun, main))):
        return "Pending"
    return None


def _is_new(status: Obj) -> bool:
    """Whether it waits for its first start."""
    return "waiting" in status["state"] and "terminated" not in status["lastState"]


def _has_begun(status: Obj) -> bool:
    return "running" in status["state"] or _exit_code(status) is not None


def _exit_code(status: Obj) -> int | None:
    """The code with which it ended and from which it was not started again; None while it runs, or never did."""
    ended = status["state"].get("terminated")
    if ended is None and "waiting" in status["state"]:
        ended = status["lastState"].get("terminated")
    return None if ended is None else int(ended["exitCode"])


def _conditions(pod: Obj, phase: str, init: Sequence[Obj], main: Sequence[Obj], has_ip: bool) -> dict[str, Obj]:
    """{type: {"status", perhaps "reason" and "message"}}."""
    sidecars = {each["name"] for each in pod["spec"].get("initContainers") or () if is_sidecar(each)}
    incomplete = [each["name"] for each in init if not each["started" if each["name"] in sidecars else "ready"]]
    begun = any(map(_has_begun, main))
    unready = [each["name"] for each in [*(s for s in init if s["name"] in sidecars), *main] if not each["ready"]]
    if phase in ("Failed", "Succeeded"):
        ready: Obj = {"status": "False", "reason": "PodFailed" if phase == "Failed" else "PodCompleted"}
    elif unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        ready = {"status": "False", "reason": "ContainersNotReady", "message": message}
    else:
        ready = {"status": "True"}
    initialized: Obj = {"status": "True"}
    if phase == "Succeeded":
        initialized = {"status": "True", "reason": "PodCompleted"}
    elif incomplete and not begun:
        message = f"containers with incomplete status: [{' '.join(incomplete)}]"
        initialized = {"status": "False", "reason": "ContainersNotInitialized", "message": message}
    return {
        "PodReadyToStartContainers": {"status": "True" if has_ip else "False"},
        "Initialized": initialized,
        "Ready": ready if ready["status"] == "False" else _gated(pod),
        "ContainersReady": ready,
        "PodScheduled": {"status": "True"},
    }


def _gated(pod: Obj) -> Obj:
    """Ready, if the pod's readiness gates allow it: conditions that somebody else sets."""
    has = {each["type"]: each["status"] for each in status_of(pod).get("conditions") or ()}
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    closed = [
        f'corresponding condition of pod readiness gate "{gate}" does not exist.' for gate in gates if gate not in has
    ]
    closed += [
        f'the status of pod readiness gate "{gate}" is not "True", but {has[gate]}'
        for gate in gates
        if has.get(gate, "True") != "True"
    ]
    if not closed:
        return {"status": "True"}
    return {"status": "False", "reason": "ReadinessGatesNotReady", "message": ", ".join(closed)}


def _kept(known: dict[str, Obj], found: dict[str, Obj], type_: str, generation: int, now: float) -> Obj:
    old, new = known.get(type_), found[type_]
    same = old is not None and old["status"] == new["status"]
    since = old["lastTransitionTime"] if old is not None and same else to_text(now)
    return {
        "type": type_,
        "observedGeneration": generation,
        "lastProbeTime": None,
        "lastTransitionTime": since,
        **new,
    }
