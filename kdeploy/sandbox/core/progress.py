"""A Deployment's status: counts, availability, and whether its rollout progresses. Pure.

pkg/controller/deployment/sync.go (calculateStatus) and progress.go (syncRolloutStatus).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import name_of, status_of
from kdeploy.sandbox.core import conditions
from kdeploy.sandbox.core.rolling import progress_deadline, replicas_of
from kdeploy.sandbox.core.timestamps import to_seconds

CREATED = "NewReplicaSetCreated"
FOUND = "FoundNewReplicaSet"
UPDATED = "ReplicaSetUpdated"
AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"

_SUMMED = ("replicas", "readyReplicas", "availableReplicas", "terminatingReplicas")


def status(
    deployment: Obj,
    sets: Sequence[Obj],
    new: Obj | None,
    known: Sequence[Obj],
    collisions: int | None,
    unavailable: int,
    now: float,
) -> dict[str, Any]:
    """The status as its ReplicaSets have it; counts that are 0 are left out, as the API server leaves them out.

    `known` are the conditions so far, `unavailable` is how many pods may be missing.
    """
    total = dict.fromkeys(_SUMMED, 0)
    for each in sets:
        for key, count in status_of(each).items():
            if key in total:
                total[key] += count
    available, desired = total["availableReplicas"], replicas_of(deployment)
    counts = {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": total["replicas"],
        "updatedReplicas": 0 if new is None else status_of(new).get("replicas", 0),
        "readyReplicas": total["readyReplicas"],
        "availableReplicas": available,
        "unavailableReplicas": max(sum(map(replicas_of, sets)) - available, 0),
    }
    result: dict[str, Any] = {key: count for key, count in counts.items() if count}
    result["terminatingReplicas"] = total["terminatingReplicas"]
    if collisions is not None:
        result["collisionCount"] = collisions
    if available >= desired - unavailable:
        message = "Deployment has minimum availability."
        minimum = conditions.made("Available", "True", "MinimumReplicasAvailable", message, now)
    else:
        message = "Deployment does not have minimum availability."
        minimum = conditions.made("Available", "False", "MinimumReplicasUnavailable", message, now)
    result["conditions"] = conditions.put(known, minimum)
    return result


def with_rollout(
    deployment: Obj, sets: Sequence[Obj], new: Obj | None, status: dict[str, Any], now: float
) -> dict[str, Any]:
    """The status with what is known of the rollout's progress, and why pods cannot be made."""
    known = status["conditions"]
    deadline, before = progress_deadline(deployment), conditions.find(known, "Progressing")
    if deadline is None:
        known = conditions.without(known, "Progressing")
    elif not (_is_updated(status) and before is not None and before.get("reason") == AVAILABLE):
        known = _judged(deployment, new, status, before, deadline, now)
    failure = _failure(sets, new)
    known = conditions.without(known, "ReplicaFailure") if failure is None else conditions.put(known, failure)
    return {**status, "conditions": known}


def is_complete(deployment: Obj, status: Obj) -> bool:
    """Whether every pod that is wanted is new and available, and no other is left."""
    desired, observed = replicas_of(deployment), status.get("observedGeneration", 0)
    return bool(
        status.get("updatedReplicas", 0) == desired
        and status.get("replicas", 0) == desired
        and status.get("availableReplicas", 0) == desired
        and observed >= deployment["metadata"]["generation"]
    )


def next_check(deployment: Obj, status: Obj) -> float | None:
    """When a rollout that goes on without progress times out; a second later, as the real controller looks again."""
    found = conditions.find(status["conditions"], "Progressing")
    deadline = progress_deadline(deployment)
    if deadline is None or found is None or is_complete(deployment, status):
        return None
    if found["reason"] in (TIMED_OUT, AVAILABLE):
        return None
    return to_seconds(found["lastUpdateTime"]) + deadline + 1


def _judged(
    deployment: Obj, new: Obj | None, status: Obj, before: Obj | None, deadline: int, now: float
) -> Sequence[Obj]:
    known: Sequence[Obj] = status["conditions"]
    whose = f'ReplicaSet "{name_of(new)}"' if new is not None else f'Deployment "{name_of(deployment)}"'
    if is_complete(deployment, status):
        message = f"{whose} has successfully progressed."
        return conditions.put(known, conditions.made("Progressing", "True", AVAILABLE, message, now))
    if _has_progressed(status_of(deployment), status):
        moved = conditions.made("Progressing", "True", UPDATED, f"{whose} is progressing.", now)
        if before is not None and before["status"] == "True":
            moved = {**moved, "lastTransitionTime": before["lastTransitionTime"]}
        return [*conditions.without(known, "Progressing"), moved]
    if before is not None and before["reason"] != AVAILABLE and _is_late(before, deadline, now):
        message = f"{whose} has timed out progressing."
        return conditions.put(known, conditions.made("Progressing", "False", TIMED_OUT, message, now))
    return known


def _is_late(before: Obj, deadline: int, now: float) -> bool:
    return before["reason"] == TIMED_OUT or to_seconds(before["lastUpdateTime"]) + deadline < now


def _is_updated(status: Obj) -> bool:
    return (status.get("replicas") or 0) == (status.get("updatedReplicas") or 0)


def _has_progressed(old: Obj, new: Obj) -> bool:
    def outdated(status: Obj) -> int:
        return int(status.get("replicas", 0) - status.get("updatedReplicas", 0))

    return outdated(new) < outdated(old) or (
        new.get("updatedReplicas", 0) > old.get("updatedReplicas", 0)
        or new.get("readyReplicas", 0) > old.get("readyReplicas", 0)
        or new.get("availableReplicas", 0) > old.get("availableReplicas", 0)
    )


def _failure(sets: Sequence[Obj], new: Obj | None) -> Obj | None:
    """The ReplicaFailure of the new ReplicaSet, or else of another one, as the Deployment shows it."""
    for each in ([new] if new is not None else []) + list(sets):
        found = conditions.find(status_of(each).get("conditions") or (), "ReplicaFailure")
        if found is not None:
            return {**found, "lastUpdateTime": found["lastTransitionTime"]}
    return None
