"""JSON Patch (RFC 6902) as the API server applies it: the `jsonpatch` library, with the dialect of evanphx/json-patch.

There, a `test` of null passes where the member is missing, and a `replace` of a missing member adds it
(gopkg.in/evanphx/json-patch.v4, patch.go). Pure.
"""

from __future__ import annotations

import json
from functools import partial
from types import MappingProxyType
from typing import Any

import jsonpatch
from jsonpointer import JsonPointer, JsonPointerException

from kdeploy.model import Obj
from kdeploy.sandbox.api import status
from kdeploy.sandbox.api.decode import json_name

MOST_OPERATIONS = 10_000
"""k8s.io/apiserver/pkg/endpoints/handlers/patch.go, maxJSONPatchOperations."""

_MOST_COPIED = 3 * 1024 * 1024


def apply(obj: Obj, operations: Any) -> Any:
    """`obj` as the operations change it, which may be no object any more.

    Raises ApiError: 400 for what is no patch, 413 for too many operations, 422 for one that cannot be carried out; and
    RecursionError for what is nested too deeply.
    """
    if not isinstance(operations, list):
        named = json_name(operations)
        raise status.bad_request(
            f"error decoding patch: json: cannot unmarshal {named} into Go value of type []handlers.jsonPatchOp"
        )
    if len(operations) > MOST_OPERATIONS:
        said = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(operations)}"
        raise status.failure(413, "RequestEntityTooLarge", f"Request entity too large: {said}")
    try:
        return _Patch(operations).apply(obj)
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError, ValueError):
        raise status.rejected() from None


class _Test(jsonpatch.TestOperation):
    def apply(self, obj: Any) -> Any:
        if self.operation.get("value") is None and self._is_missing(obj):
            return obj
        return super().apply(obj)

    def _is_missing(self, obj: Any) -> bool:
        holder, member = self.pointer.to_last(obj)
        return isinstance(holder, dict) and member is not None and member not in holder


class _Replace(jsonpatch.ReplaceOperation):
    def apply(self, obj: Any) -> Any:
        holder, member = self.pointer.to_last(obj)
        if isinstance(holder, dict) and member is not None:
            holder.setdefault(member, None)
        return super().apply(obj)


class _Copy(jsonpatch.CopyOperation):
    """Takes what it copies, in bytes of JSON, from a patch's `budget`: copies of copies double a document each time."""

    def __init__(self, budget: list[int], operation: Any, pointer_cls: Any = JsonPointer) -> None:
        super().__init__(operation, pointer_cls)
        self._budget = budget

    def apply(self, obj: Any) -> Any:
        copied = JsonPointer(str(self.operation.get("from"))).resolve(obj)
        self._budget[0] -= len(json.dumps(copied))
        if self._budget[0] < 0:
            raise jsonpatch.JsonPatchConflict("the copies are too large")
        return super().apply(obj)


class _Patch(jsonpatch.JsonPatch):
    def __init__(self, patch: Any) -> None:
        changed: dict[str, Any] = {"test": _Test, "replace": _Replace, "copy": partial(_Copy, [_MOST_COPIED])}
        # An attribute of this one patch, not of the class: its budget is its own.
        vars(self)["operations"] = MappingProxyType({**jsonpatch.JsonPatch.operations, **changed})
        super().__init__(patch)
