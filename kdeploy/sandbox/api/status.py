"""Kubernetes' `Status` bodies: what an API server says instead of what was asked for. Pure.

The words and reasons are those of k8s.io/apimachinery/pkg/api/errors/errors.go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.core.errors import (
    AlreadyExistsError,
    Cause,
    ConflictError,
    ExpiredError,
    InvalidError,
    NotFoundError,
    StoreError,
)
from kdeploy.sandbox.core.resources import Resource

_REJECTED = "the server rejected our request due to an error in our request"


class ApiError(Exception):
    """An answer that is a Status of a failure. `status` is its body, `headers` go with it."""

    def __init__(self, status: Obj, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(status["message"]))
        self.status = status
        self.headers: Mapping[str, str] = headers or {}

    @property
    def code(self) -> int:
        """The HTTP status."""
        return int(self.status["code"])


def failure(code: int, reason: str, message: str, details: Obj | None = None) -> ApiError:
    """A failure of any kind; `details` None leaves the field out, as some of the real server's have it."""
    body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    body["message"] = message
    if reason:
        body["reason"] = reason
    if details is not None:
        body["details"] = details
    return ApiError({**body, "code": code})


def about(resource: Resource, name: str = "", **more: Any) -> Obj:
    """The details of a failure that is about an object, or a resource."""
    named = {"name": name, "group": resource.group, "kind": resource.plural}
    return {**{key: value for key, value in named.items() if value}, **more}


def success(resource: Resource, obj: Obj) -> Obj:
    """The answer to a deletion that was carried out at once."""
    details = about(resource, obj["metadata"]["name"], uid=obj["metadata"]["uid"])
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def done(code: int) -> Obj:
    """The answer to a request that has no object to show."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}


def of_store(error: StoreError) -> ApiError:
    """What the API says of what the store refuses."""
    if isinstance(error, NotFoundError):
        return failure(404, "NotFound", str(error), about(error.resource, error.name))
    if isinstance(error, AlreadyExistsError):
        return failure(409, "AlreadyExists", str(error), about(error.resource, error.name))
    if isinstance(error, ConflictError):
        return failure(409, "Conflict", str(error), about(error.resource, error.name))
    if isinstance(error, ExpiredError):
        return failure(410, "Expired", str(error))
    if isinstance(error, InvalidError):
        return invalid(error.resource.group, error.resource.kind, error.name, error.causes)
    return failure(500, "InternalError", f"Internal error occurred: {error}", {"causes": [{"message": str(error)}]})


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422 with its causes. The sentence names each but once."""
    told = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    sentence = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    details = {"name": name, "group": group, "kind": kind}
    shown: dict[str, Any] = {key: value for key, value in details.items() if value}
    shown["causes"] = [{"reason": one.reason, "message": one.message, "field": one.field} for one in causes]
    called = f"{kind}.{group}" if group else kind
    return failure(422, "Invalid", f"{called} {json.dumps(name)} is invalid: {sentence}", shown)


def rejected() -> ApiError:
    """422 of a JSON patch that cannot be applied: a failed test, a path that is not there."""
    return failure(422, "Invalid", _REJECTED, {})


def bad_request(message: str) -> ApiError:
    """400."""
    return failure(400, "BadRequest", message)


def not_found(resource: Resource, name: str) -> ApiError:
    """404 of an object."""
    return of_store(NotFoundError(resource, name))


def no_such_path() -> ApiError:
    """404 of a path or resource that is not served."""
    return failure(404, "NotFound", "the server could not find the requested resource", {})


def not_allowed(resource: Resource | None = None, doing: str = "") -> ApiError:
    """405: of a resource that knows no such verb, or with `doing` of something that it does not support."""
    if resource is not None and doing:
        message = f'{doing} is not supported on resources of kind "{resource!r}"'
        return failure(405, "MethodNotAllowed", message, about(resource))
    return failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def unauthorized() -> ApiError:
    """401."""
    return failure(401, "Unauthorized", "Unauthorized")


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """403. `why` is the last half of the sentence."""
    message = f'{resource!r} "{name}" is forbidden: {why}' if name else f"{resource!r} is forbidden: {why}"
    return failure(403, "Forbidden", message, about(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    """409. `why` is the last half of the sentence."""
    return of_store(ConflictError(resource, name, why))


def unmet(resource: Resource, name: str, why: str) -> ApiError:
    """409 of a deletion whose condition does not hold. It names the kind, where other conflicts name the resource."""
    called = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    message = f'Operation cannot be fulfilled on {called} "{name}": {why}'
    return failure(409, "Conflict", message, {**about(resource, name), "kind": resource.kind})


def too_large(limit: int) -> ApiError:
    """413 of a body of more than `limit` bytes."""
    return failure(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """415."""
    known = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {known}"
    return failure(415, "UnsupportedMediaType", message)


def not_acceptable(accepted: Sequence[str]) -> ApiError:
    """406."""
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return failure(406, "NotAcceptable", message)


def unavailable(message: str) -> ApiError:
    """503, of the pod proxy."""
    return failure(503, "ServiceUnavailable", message)


def internal(message: str) -> ApiError:
    """500, of a bug: what is wrong stands in the server's log, not in the answer."""
    told = f"Internal error occurred: {message}"
    return failure(500, "InternalError", told, {"causes": [{"message": message}]})
