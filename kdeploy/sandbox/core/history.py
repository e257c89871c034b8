"""ControllerRevisions: the versions of the pod template that a StatefulSet or DaemonSet keeps. Pure.

pkg/controller/history/controller_history.go and statefulset/stateful_set_control.go (getStatefulSetRevisions).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import annotations_of, name_of
from kdeploy.sandbox.core.changes import Change, Create, Delete, Replace
from kdeploy.sandbox.core.claims import reference_to
from kdeploy.sandbox.core.resources import CONTROLLER_REVISIONS
from kdeploy.sandbox.core.templates import Templates, hash_of, revision_data, template_in


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A workload's revisions, oldest first. `current` is the one of its own template; `changes` make that true."""

    current: Obj
    revisions: tuple[Obj, ...]
    collisions: int
    changes: tuple[Change, ...] = ()


def observe(
    workload: Obj,
    revisions: Sequence[Obj],
    templates: Templates,
    get: Callable[[str], Obj | None],
    hash_label: str,
) -> History:
    """The history with the workload's own template as its newest revision.

    An older revision of the same template gets the next number. A name that another object has counts as a collision,
    and the hash is made anew. `get` finds the revision of a name, `hash_label` is where the hash is kept.
    """
    ordered = sorted(revisions, key=_by_number)
    template = workload["spec"]["template"]
    key, number = templates.key(template), (int(ordered[-1]["revision"]) if ordered else 0) + 1
    collisions = int((workload.get("status") or {}).get("collisionCount") or 0)
    same = [each for each in ordered if templates.key(template_in(each)) == key]
    if same and same[-1] is ordered[-1]:
        return History(current=same[-1], revisions=tuple(ordered), collisions=collisions)
    if same:
        renumbered = {**same[-1], "revision": number}
        rest = tuple(each for each in ordered if each is not same[-1])
        changes = (Replace(CONTROLLER_REVISIONS, renumbered),)
        return History(current=renumbered, revisions=(*rest, renumbered), collisions=collisions, changes=changes)
    while get(f"{name_of(workload)}-{hash_of(key, collisions)}") is not None:
        collisions += 1
    made = _made(workload, template, hash_of(key, collisions), number, hash_label)
    changes_made = (Create(CONTROLLER_REVISIONS, made),)
    return History(current=made, revisions=(*ordered, made), collisions=collisions, changes=changes_made)


def truncated(history: History, live: set[str], limit: int) -> list[Change]:
    """Deletes the oldest revisions that are neither in `live` (names) nor among the last `limit` of the others."""
    old = [each for each in history.revisions if name_of(each) not in live]
    return [Delete(CONTROLLER_REVISIONS, each) for each in old[: max(len(old) - limit, 0)]]


def _by_number(revision: Obj) -> tuple[int, str, str]:
    metadata = revision["metadata"]
    return int(revision["revision"]), metadata["creationTimestamp"], metadata["name"]


def _made(workload: Obj, template: Obj, hash_: str, number: int, hash_label: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": f"{name_of(workload)}-{hash_}",
        "namespace": workload["metadata"]["namespace"],
        "labels": {**((template.get("metadata") or {}).get("labels") or {}), hash_label: hash_},
        "ownerReferences": [reference_to(workload)],
    }
    if annotations_of(workload):
        metadata["annotations"] = annotations_of(workload)
    return {
        "apiVersion": workload["apiVersion"],
        "kind": "ControllerRevision",
        "metadata": metadata,
        "revision": number,
        "data": revision_data(template),
    }
