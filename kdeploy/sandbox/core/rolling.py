"""The arithmetic of rolling updates. Pure.

pkg/controller/deployment/util/deployment_util.go: ResolveFenceposts, NewRSNewReplicas, GetReplicaSetProportion.
"""

from __future__ import annotations

import math

from kdeploy.model import Obj

_NEVER = 2147483647
"""What Kubernetes takes for "no deadline" and "no limit": the greatest 32-bit integer."""


def scaled(value: int | str | None, total: int, *, up: bool, default: int | str) -> int:
    """A number of pods, or a share of `total` ("25%") rounded up or down. What cannot be read counts as 0."""
    value = default if value is None else value
    if isinstance(value, int):
        return value
    percent = value.removesuffix("%")
    if percent == value or not percent.isdecimal():
        return 0
    share = int(percent) * total
    return -(-share // 100) if up else share // 100


def fenceposts(surge: int | str | None, unavailable: int | str | None, desired: int) -> tuple[int, int]:
    """How many pods there may be too many, and too few: surge rounds up, unavailable down, never both 0."""
    most = scaled(surge, desired, up=True, default="25%")
    fewest = scaled(unavailable, desired, up=False, default="25%")
    return most, fewest if most or fewest else 1


def is_rolling(deployment: Obj) -> bool:
    """Whether its strategy is RollingUpdate, which is the default."""
    return ((deployment["spec"].get("strategy") or {}).get("type") or "RollingUpdate") == "RollingUpdate"


def bounds(deployment: Obj) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) of a Deployment in pods; none of either for Recreate."""
    if not is_rolling(deployment):
        return 0, 0
    rolling, desired = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}, replicas_of(deployment)
    surge, unavailable = fenceposts(rolling.get("maxSurge"), rolling.get("maxUnavailable"), desired)
    return surge, min(unavailable, desired)


def replicas_of(workload: Obj) -> int:
    """spec.replicas, 1 where unset."""
    replicas = workload["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def progress_deadline(deployment: Obj) -> int | None:
    """Seconds without progress after which a rollout has timed out; None for never."""
    seconds = int(deployment["spec"].get("progressDeadlineSeconds", 600))
    return None if seconds == _NEVER else seconds


def history_limit(workload: Obj) -> int:
    """How many old revisions are kept."""
    limit = workload["spec"].get("revisionHistoryLimit")
    return 10 if limit is None else int(limit)


def new_size(desired: int, surge: int, size: int, total: int) -> int:
    """How many replicas the new ReplicaSet is to have, that has `size` of the `total` that all sets have together."""
    room = desired + surge - total
    return size + min(room, desired - size) if room > 0 else size


def proportions(sizes: list[tuple[int, int]], desired: int, surge: int, status_replicas: int) -> list[int]:
    """The new sizes of all sets when a Deployment is scaled while it rolls, in the order given, largest first.

    `sizes` are (replicas, max-replicas annotation or 0). Each set grows or shrinks by its share of the change; what is
    left over by rounding goes to the first.
    """
    allowed = desired + surge if desired > 0 else 0
    to_add = allowed - sum(size for size, _ in sizes)
    result, added = [], 0
    for size, most_before in sizes:
        part = _part(size, most_before or status_replicas, desired, surge)
        part = min(part, to_add - added) if to_add > 0 else max(part, to_add - added)
        part = part if to_add and size and to_add != added else 0
        result.append(size + part)
        added += part
    if result and to_add:
        result[0] = max(result[0] + to_add - added, 0)
    return result


def _part(size: int, most_before: int, desired: int, surge: int) -> int:
    if desired == 0:
        return -size
    if not most_before:
        return 0
    return math.floor(size * (desired + surge) / most_before + 0.5) - size
