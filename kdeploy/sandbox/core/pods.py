"""Pods as the workload controllers see and make them. Pure.

pkg/controller/controller_utils.go and pkg/api/v1/pod/util.go.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import annotations_of, is_ready, status_of
from kdeploy.sandbox.core.changes import earliest
from kdeploy.sandbox.core.claims import reference_to
from kdeploy.sandbox.core.conditions import find
from kdeploy.sandbox.core.timestamps import to_seconds

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def from_template(
    template: Obj, owner: Obj, name: str, spec: Obj, *, labels: Obj | None = None, generate: str = ""
) -> Obj:
    """A new pod of a workload's template, with these labels more.

    `spec` is the template's as the API server admits it; `generate` the prefix from which the name was made.
    """
    given = template.get("metadata") or {}
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": {**(given.get("labels") or {}), **labels} if labels else given.get("labels") or {},
        "ownerReferences": [reference_to(owner)],
    }
    if generate:
        metadata["generateName"] = generate
    for field in ("annotations", "finalizers"):
        if given.get(field):
            metadata[field] = given[field]
    return {"metadata": metadata, "spec": spec}


def ready_since(pod: Obj) -> float | None:
    """When it became ready, None where it is not."""
    ready = find((pod.get("status") or {}).get("conditions") or (), "Ready")
    if ready is None or ready["status"] != "True":
        return None
    return to_seconds(ready["lastTransitionTime"]) if ready.get("lastTransitionTime") else math.inf


def is_available(pod: Obj, min_ready: float, now: float) -> bool:
    """Whether it has been ready for `min_ready` seconds."""
    since = ready_since(pod)
    return since is not None and (min_ready == 0 or since + min_ready <= now)


def next_available(pods: Iterable[Obj], min_ready: float, now: float) -> float | None:
    """When the next of the pods that are ready will be available."""
    if min_ready <= 0:
        return None
    times = (ready_since(pod) for pod in pods)
    return earliest(*(t + min_ready for t in times if t is not None and now < t + min_ready < math.inf))


def min_ready_seconds(workload: Obj) -> int:
    """spec.minReadySeconds, 0 where unset."""
    return int(workload["spec"].get("minReadySeconds") or 0)


def phase_of(pod: Obj) -> str:
    """status.phase, empty for a pod that is not created yet."""
    return str(status_of(pod).get("phase") or "")


def first_to_go(pods: Sequence[Obj], count: int, neighbours: Mapping[str, int], now: float) -> Sequence[Obj]:
    """The `count` pods that a smaller ReplicaSet does without (ActivePodsWithRanks), the least useful first.

    `neighbours`: how many active pods of the same Deployment run on each node. Where two pods have been ready for about
    the same time, the one with more restarts goes first, then the younger one; ages count by their powers of two.
    """
    if count >= len(pods):
        return pods

    def usefulness(pod: Obj) -> tuple[Any, ...]:
        node, since = pod["spec"].get("nodeName") or "", ready_since(pod)
        return (
            bool(node),
            _PHASES.get(phase_of(pod), 0),
            is_ready(pod),
            _deletion_cost(pod),
            -neighbours.get(node, 0),
            -1 if since is None else _magnitude(now - since),
            -_restarts(pod),
            _magnitude(now - to_seconds(pod["metadata"]["creationTimestamp"])),
            pod["metadata"]["uid"],
        )

    return sorted(pods, key=usefulness)[:count]


def _deletion_cost(pod: Obj) -> int:
    try:
        return int(annotations_of(pod).get(_DELETION_COST, 0))
    except ValueError:
        return 0


def _restarts(pod: Obj) -> int:
    return max((int(c.get("restartCount") or 0) for c in status_of(pod).get("containerStatuses") or ()), default=0)


def _magnitude(seconds: float) -> int:
    return int(math.log2(seconds * 1e9)) if 0 < seconds < math.inf else -1
