"""The three kinds of PATCH that the API takes, by their media type. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.api import json_patch, status, strategic
from kdeploy.sandbox.api.decode import is_too_deep, json_name

JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
ACCEPTED = (JSON, MERGE, STRATEGIC)


def patched(kind: str, obj: Obj, media_type: str, patch: Any) -> Obj:
    """`obj`, an object of that kind, as the patch changes it; nothing of it is checked yet.

    Raises ApiError: 415 for another media type (server-side apply among them), 400 and 422 for a bad patch.
    """
    if media_type not in ACCEPTED:
        raise status.unsupported_media_type(ACCEPTED)
    try:
        changed = json_patch.apply(obj, patch) if media_type == JSON else _merged(kind, obj, media_type, patch)
    except RecursionError:
        raise _too_deep() from None
    if not isinstance(changed, Mapping):
        raise status.rejected()
    if is_too_deep(changed):
        raise _too_deep()
    return changed


def _merged(kind: str, obj: Obj, media_type: str, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        said = f"json: cannot unmarshal {json_name(patch)} into Go value of type map[string]interface {{}}"
        raise status.bad_request(said if media_type == STRATEGIC else f"error decoding patch: {said}")
    if media_type == MERGE:
        return merge(obj, patch)
    try:
        return strategic.merge(kind, obj, patch)
    except strategic.StrategicError as error:
        raise status.bad_request(str(error)) from None


def _too_deep() -> status.ApiError:
    return status.bad_request("error decoding patch: exceeded max depth")


def merge(original: Any, patch: Any) -> Any:
    """A JSON merge patch, RFC 7386."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(original) if isinstance(original, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged
