"""What a list or watch may ask for, and the form in which objects are sent. Pure.

k8s.io/apimachinery/pkg/apis/meta/internalversion/validation/validation.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from kdeploy.model import Obj
from kdeploy.sandbox.api import status
from kdeploy.sandbox.api.accept import Form
from kdeploy.sandbox.api.objects import listing
from kdeploy.sandbox.api.request import Asked
from kdeploy.sandbox.api.tables import metadata_list, metadata_only, table
from kdeploy.sandbox.core.field_errors import forbidden, not_supported

_MATCHES = ("Exact", "NotOlderThan")


def check_list(asked: Asked, newest: int) -> None:
    """Raises ApiError where the list cannot be served: 400, 410, 422, 504. `newest` is the store's version."""
    version, match = _version(asked), asked.query.get("resourceVersionMatch") or ""
    _check_match(match, asked.query.get("resourceVersion") or "")
    asked.integer("limit")
    if asked.query.get("continue"):  # none was ever given out: a list is served whole
        raise status.bad_request("invalid continue token: continue key is not valid")
    if version > newest:
        causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
        said = f"Timeout: Too large resource version: {version}, current: {newest}"
        raise status.failure(504, "Timeout", said, {"causes": causes, "retryAfterSeconds": 1})
    if match == "Exact" and version != newest:
        raise status.failure(410, "Expired", "The resourceVersion for the provided list is too old.")


def check_watch(asked: Asked) -> None:
    """Raises ApiError 400 or 422 where the watch cannot be served."""
    _version(asked)
    asked.integer("timeoutSeconds")
    match, initial = asked.query.get("resourceVersionMatch") or "", asked.flag("sendInitialEvents")
    if initial and match != "NotOlderThan":
        said = "resourceVersionMatch is required to be NotOlderThan when sendInitialEvents is provided"
        raise status.invalid("meta.k8s.io", "ListOptions", "", [forbidden("resourceVersionMatch", said)])
    if match and "sendInitialEvents" not in asked.query:
        said = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        raise status.invalid("meta.k8s.io", "ListOptions", "", [forbidden("resourceVersionMatch", said)])


def many(form: Form, asked: Asked, objects: Sequence[Obj], version: int, now: float) -> Obj:
    """A list, in the form that was asked for."""
    if form is Form.TABLE:
        return table(asked.resource, objects, str(version), now, include=_include(asked))
    if form is Form.METADATA_LIST:
        return metadata_list(objects, {"resourceVersion": str(version)})
    return listing(asked.resource, objects, version)


def one(form: Form, asked: Asked, obj: Obj, now: float) -> Obj:
    """One object in the form that was asked for; what is none of the resource's kind stays as it is."""
    if obj.get("kind") != asked.resource.kind or "list" not in asked.resource.verbs:
        return obj
    if form is Form.TABLE:
        version = str(obj["metadata"].get("resourceVersion") or "")
        return table(asked.resource, [obj], version, now, include=_include(asked))
    return metadata_only(obj) if form is Form.METADATA else obj


def event(form: Form, asked: Asked, told: Obj, now: float, *, first: bool) -> Obj:
    """A watch event with its object in that form. A table has its columns in the `first` event only."""
    obj, version = told["object"], str(told["object"].get("metadata", {}).get("resourceVersion") or "")
    if told["type"] == "ERROR" or form not in (Form.TABLE, Form.METADATA):
        return told
    if form is Form.METADATA:
        return {**told, "object": metadata_only(obj)}
    objects = [] if told["type"] == "BOOKMARK" else [obj]
    shown = table(asked.resource, objects, version, now, include=_include(asked), headers=first)
    return {**told, "object": shown}


def _include(asked: Asked) -> str:
    include = asked.query.get("includeObject") or "Metadata"
    if include not in ("None", "Metadata", "Object"):
        raise status.bad_request(f"includeObject must be one of None, Metadata, Object: {include}")
    return include


def _version(asked: Asked) -> int:
    text = asked.query.get("resourceVersion") or "0"
    if text.isascii() and text.isdecimal() and len(text) < 20:
        return int(text)
    said = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
    raise status.bad_request(f"invalid resource version: {said}")


def _check_match(match: str, version: str) -> None:
    causes = []
    if match and not version:
        causes = [
            forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided")
        ]
    elif match and match not in _MATCHES:
        causes = [not_supported("resourceVersionMatch", match, ("Exact", "NotOlderThan", ""))]
    elif match == "Exact" and version == "0":
        said = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        causes = [forbidden("resourceVersionMatch", said)]
    if causes:
        raise status.invalid("meta.k8s.io", "ListOptions", "", causes)
