"""Pod templates compared: a hash that is the same for a template in a workload and in its stored revision.

A ReplicaSet's template has a `pod-template-hash` label more, a ControllerRevision's a `$patch` key
(pkg/controller/statefulset/stateful_set_utils.go, getPatch) and perhaps a null creationTimestamp, which API servers up
to 1.33 print and later ones leave out. Nothing else may differ, so everything else counts.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from kdeploy.model import Obj

POD_TEMPLATE_HASH = "pod-template-hash"


def template_of(workload: Obj) -> Obj:
    """spec.template of a workload or ReplicaSet."""
    template: Obj = workload["spec"]["template"]
    return template


def template_hash(template: Obj) -> str:
    """16 hex digits that name this pod template, wherever it was read."""
    canonical = json.dumps(_without_nulls(plain_template(template)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def plain_template(template: Obj) -> dict[str, Any]:
    """The template as its author would write it: without what a controller or a revision's storage added."""
    plain = {key: value for key, value in template.items() if key != "$patch"}
    metadata = {k: v for k, v in (template.get("metadata") or {}).items() if k != "creationTimestamp"}
    if POD_TEMPLATE_HASH in (metadata.get("labels") or {}):
        metadata["labels"] = {k: v for k, v in metadata["labels"].items() if k != POD_TEMPLATE_HASH}
    plain["metadata"] = metadata
    return plain


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
