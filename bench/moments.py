"""What a watcher's events say about a rollout: when was it patched, bad, complete?

A Deployment counts as complete by kubectl's rule (k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from bench.api import Seen

T = TypeVar("T")
Obj = Mapping[str, Any]
_CANNOT_PULL = ("ErrImagePull", "ImagePullBackOff")
_CANNOT_START = ("StartError", "ContainerCannotRun", "RunContainerError", "CreateContainerError")


def is_complete(deployment: Obj) -> bool:
    """Kubectl's rule: the spec is observed, every replica is of it, none of an older one is left, all are available."""
    status, wanted = deployment.get("status") or {}, int(deployment["spec"].get("replicas", 1))
    updated = int(status.get("updatedReplicas") or 0)
    return (
        int(status.get("observedGeneration") or 0) >= int(deployment["metadata"]["generation"])
        and updated >= wanted
        and int(status.get("replicas") or 0) <= updated
        and int(status.get("availableReplicas") or 0) >= updated
    )


def image_of(deployment: Obj) -> str:
    """The image of its first container."""
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


def first(seen: Sequence[Seen], holds: Callable[[Obj], bool], after: float = 0.0) -> float:
    """When the first event from `after` on arrived whose object is so. Raises ValueError where there is none."""
    for event in seen:
        if event.at >= after and holds(event.object):
            return event.at
    raise ValueError("the watcher never saw what it was to wait for")


def completed(seen: Sequence[Seen], generation: int) -> float:
    """When the rollout of a spec newer than `generation` was complete."""
    return first(seen, lambda d: int(d["metadata"]["generation"]) > generation and is_complete(d))


def eventually(find: Callable[[], T], seconds: float = 5.0) -> T:
    """What `find` finds: a program may have been told before the watcher was, and have ended already."""
    until = time.monotonic() + seconds
    while True:
        try:
            return find()
        except ValueError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def cannot_pull(pod: Obj) -> bool:
    """Whether the pod's status says that its image cannot be pulled."""
    return any(_waiting(status) in _CANNOT_PULL for status in _statuses(pod))


def cannot_start(pod: Obj) -> bool:
    """Whether the pod's status says that its container could not be started."""
    return any({_waiting(status), _terminated(status)} & set(_CANNOT_START) for status in _statuses(pod))


def spent(budget: int) -> Callable[[Obj], bool]:
    """Whether a container of the pod is down after as many restarts as the budget allows."""

    def holds(pod: Obj) -> bool:
        return any(
            int(status.get("restartCount") or 0) >= budget and "running" not in (status.get("state") or {})
            for status in _statuses(pod)
        )

    return holds


def _statuses(pod: Obj) -> Sequence[Obj]:
    found: Sequence[Obj] = (pod.get("status") or {}).get("containerStatuses") or ()
    return found


def _waiting(status: Obj) -> str:
    return str(((status.get("state") or {}).get("waiting") or {}).get("reason") or "")


def _terminated(status: Obj) -> str:
    ended = (status.get("state") or {}).get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    return str(ended.get("reason") or "")
