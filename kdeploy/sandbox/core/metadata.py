"""What the API server itself keeps in an object: uid, versions, generation, times of creation and deletion. Pure.

The rules are those of k8s.io/apiserver/pkg/registry/rest (create.go, update.go, delete.go).
"""

from __future__ import annotations

import zlib
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.core.initial import initial_status
from kdeploy.sandbox.core.resources import DAEMON_SETS, DEPLOYMENTS, NODES, PODS, Resource
from kdeploy.sandbox.core.timestamps import to_text

LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""k8s.io/apimachinery/pkg/util/rand: no vowels, and nothing that looks like something else."""

_KEPT = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")
"""What a writer cannot change."""

_NOT_GIVEN = ("deletionTimestamp", "deletionGracePeriodSeconds", "generation")
"""What no writer gives to a new object."""

DEFAULT_GRACE = 30.0
"""Seconds, where a pod's spec says nothing."""

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
"""A DaemonSet's annotation that counts the changes of its template (pkg/registry/apps/daemonset/strategy.go)."""


def suffix(seed: str, length: int = 5) -> str:
    """Letters that end a generated name; the same for the same seed."""
    number, letters = zlib.crc32(seed.encode()) * 0x9E3779B1, ""
    for _ in range(length):
        number, index = divmod(number, len(LETTERS))
        letters += LETTERS[index]
    return letters


def key_of(obj: Obj) -> tuple[str, str]:
    """Namespace ("" where it has none) and name."""
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def owners_of(obj: Obj) -> tuple[str, ...]:
    """The uids of all its owners."""
    references = obj["metadata"].get("ownerReferences")
    if not references:
        return ()
    if len(references) == 1:
        return (references[0]["uid"],)
    return tuple(dict.fromkeys(reference["uid"] for reference in references))


def controller_uid(obj: Obj) -> str | None:
    """The uid of the owner that controls it."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            uid: str = reference["uid"]
            return uid
    return None


def created(resource: Resource, obj: Obj, *, name: str, uid: str, version: int, now: float) -> Obj:
    """`obj` as it is stored for the first time."""
    metadata: dict[str, Any] = {
        **obj["metadata"],
        "name": name,
        "uid": uid,
        "resourceVersion": str(version),
        "creationTimestamp": to_text(now),
    }
    for field in _NOT_GIVEN:
        metadata.pop(field, None)
    if resource.generation:
        metadata["generation"] = 1
    if resource is DAEMON_SETS:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), TEMPLATE_GENERATION: "1"}
    new = {"apiVersion": resource.api_version, "kind": resource.kind, **obj, "metadata": metadata}
    if resource.has_status and resource is not NODES:
        new["status"] = initial_status(resource, obj)
    return new


def replaced(resource: Resource, stored: Obj, obj: Obj, subresource: str, version: int) -> Obj:
    """`stored` as a write of `obj` changes it; `stored` itself where nothing changes."""
    if subresource == "status":
        new = _with_status(resource, stored, obj)
        return stored if new is stored else stamped(new, resourceVersion=str(version))
    metadata = _kept(stored["metadata"], obj["metadata"])
    if resource is DAEMON_SETS:
        kept = stored["metadata"]["annotations"][TEMPLATE_GENERATION]
        metadata["annotations"] = {**(metadata.get("annotations") or {}), TEMPLATE_GENERATION: kept}
    candidate = {"apiVersion": stored["apiVersion"], "kind": stored["kind"], **obj, "metadata": metadata}
    if resource.has_status and subresource != "binding":
        candidate.pop("status", None)
        if "status" in stored:
            candidate["status"] = stored["status"]
    if candidate == stored:
        return stored
    metadata["resourceVersion"] = str(version)
    if resource.generation and subresource != "binding" and _counts(resource, candidate, stored):
        metadata["generation"] = stored["metadata"]["generation"] + 1
        if resource is DAEMON_SETS and not same(candidate["spec"].get("template"), stored["spec"].get("template")):
            metadata["annotations"][TEMPLATE_GENERATION] = str(int(metadata["annotations"][TEMPLATE_GENERATION]) + 1)
    return candidate


def _kept(stored: Obj, given: Obj) -> dict[str, Any]:
    """Metadata as a writer gives it, but for what no writer can change."""
    metadata = {**given, "resourceVersion": stored["resourceVersion"]}
    for key in _KEPT:
        if key in stored:
            metadata[key] = stored[key]
        else:
            metadata.pop(key, None)
    return metadata


def _with_status(resource: Resource, stored: Obj, obj: Obj) -> Obj:
    """With a Deployment's status its annotations are written too: so its controller keeps up the revision there.

    pkg/registry/apps/deployment/strategy.go, deploymentStatusStrategy.
    """
    new = stored
    if not same(stored.get("status"), obj.get("status")):
        new = {**stored, "status": obj.get("status") or {}}
    annotations = obj["metadata"].get("annotations")
    if resource is DEPLOYMENTS and annotations is not None and annotations != stored["metadata"].get("annotations"):
        new = stamped(new, annotations=annotations)
    return new


def _counts(resource: Resource, new: Obj, stored: Obj) -> bool:
    """Whether a change makes a new generation: one of the spec does, and of a Deployment one of its annotations."""
    if not same(new.get("spec"), stored.get("spec")):
        return True
    annotations = [one["metadata"].get("annotations") or {} for one in (new, stored)]
    return resource is DEPLOYMENTS and annotations[0] != annotations[1]


def stamped(obj: Obj, **fields: Any) -> Obj:
    """`obj` with these fields of its metadata."""
    return {**obj, "metadata": {**obj["metadata"], **fields}}


def same(one: Any, other: Any) -> bool:
    """Equality that is quick for shared parts."""
    return one is other or one == other


def grace_of(resource: Resource, obj: Obj, asked: float | None) -> float:
    """The seconds that a deletion leaves the object: none but for a pod that runs on a node.

    pkg/registry/core/pod/strategy.go, CheckGracefulDelete.
    """
    if resource is not PODS:
        return 0.0
    spec = obj.get("spec") or {}
    if not spec.get("nodeName") or (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0.0
    return float(spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE)) if asked is None else max(asked, 0.0)


def marked_for_deletion(obj: Obj, grace: float, version: int, now: float) -> Obj:
    """`obj` with the time at which it has to be gone. A second deletion can only make that earlier."""
    metadata = obj["metadata"]
    if "deletionTimestamp" in metadata and metadata.get("deletionGracePeriodSeconds", 0) <= grace:
        return obj
    fields: dict[str, Any] = {
        "deletionTimestamp": to_text(now + grace),
        "deletionGracePeriodSeconds": int(grace),
        "resourceVersion": str(version),
    }
    if "generation" in metadata and "deletionTimestamp" not in metadata:
        fields["generation"] = metadata["generation"] + 1
    return stamped(obj, **fields)
