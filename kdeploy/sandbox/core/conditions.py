"""Conditions in a workload's status, as the Deployment controller keeps them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kdeploy.model import Obj
from kdeploy.sandbox.core.timestamps import to_text


def made(type_: str, status: str, reason: str, message: str, now: float) -> Obj:
    """A Deployment's condition that begins now."""
    at = to_text(now)
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": at,
        "lastTransitionTime": at,
    }


def find(conditions: Sequence[Obj], type_: str) -> Obj | None:
    """The condition of that type."""
    for each in conditions:
        if each["type"] == type_:
            return each
    return None


def without(conditions: Sequence[Obj], type_: str) -> list[Obj]:
    """The conditions but the one of that type."""
    return [each for each in conditions if each["type"] != type_]


def put(conditions: Sequence[Obj], new: Obj) -> list[Obj]:
    """The conditions with `new`; one of the same status and reason stays as it is (SetDeploymentCondition)."""
    old = find(conditions, new["type"])
    if old is not None and old["status"] == new["status"]:
        if old.get("reason") == new.get("reason"):
            return list(conditions)
        new = {**new, "lastTransitionTime": old["lastTransitionTime"]}
    return [*without(conditions, new["type"]), new]
