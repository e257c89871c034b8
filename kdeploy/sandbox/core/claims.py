"""Whose an object is: adoption and release by selector (pkg/controller/controller_ref_manager.go). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import is_terminating, labels_of
from kdeploy.sandbox.core.changes import Change, Replace
from kdeploy.sandbox.core.metadata import stamped
from kdeploy.sandbox.core.resources import Resource
from kdeploy.sandbox.core.selection import selects


def reference_to(owner: Obj) -> dict[str, Any]:
    """The ownerReference of what a workload controls."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def claim(
    owner: Obj, resource: Resource, owned: Iterable[Obj], orphans: Iterable[Obj]
) -> tuple[list[Obj], list[Change]]:
    """The owned objects that its selector selects, and the changes that adopt orphans and release the others.

    A workload that is being deleted does neither.
    """
    selector = owner["spec"].get("selector")
    kept: list[Obj] = []
    changes: list[Change] = []
    for obj in owned:
        if selects(selector, labels_of(obj)):
            kept.append(obj)
        elif not is_terminating(owner):
            changes.append(Replace(resource, _released(obj, owner)))
    for obj in orphans:
        if selects(selector, labels_of(obj)) and not is_terminating(obj) and not is_terminating(owner):
            references = [*(obj["metadata"].get("ownerReferences") or ()), reference_to(owner)]
            changes.append(Replace(resource, stamped(obj, ownerReferences=references)))
    return kept, changes


def _released(obj: Obj, owner: Obj) -> Obj:
    uid = owner["metadata"]["uid"]
    left = [reference for reference in obj["metadata"]["ownerReferences"] if reference["uid"] != uid]
    return stamped(obj, ownerReferences=left)
