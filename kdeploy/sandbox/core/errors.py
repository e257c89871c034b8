"""What the store refuses, as exceptions that carry the facts; the API turns them into Status bodies and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdeploy.sandbox.core.resources import Resource


class StoreError(Exception):
    """Something that was asked of the store and cannot be."""


class _AboutObjectError(StoreError):
    def __init__(self, resource: Resource, name: str, message: str) -> None:
        super().__init__(message)
        self.resource = resource
        self.name = name


class NotFoundError(_AboutObjectError):
    """There is no such object (HTTP 404)."""

    def __init__(self, resource: Resource, name: str) -> None:
        super().__init__(resource, name, f'{resource!r} "{name}" not found')


class AlreadyExistsError(_AboutObjectError):
    """An object of that name is there (HTTP 409). `being_deleted`: it is on its way out."""

    def __init__(self, resource: Resource, name: str, *, being_deleted: bool = False) -> None:
        prefix = "object is being deleted: " if being_deleted else ""
        super().__init__(resource, name, f'{prefix}{resource!r} "{name}" already exists')
        self.being_deleted = being_deleted


class ConflictError(_AboutObjectError):
    """The object is not the one that the writer had read (HTTP 409). `why` is the last half of the sentence."""

    def __init__(self, resource: Resource, name: str, why: str) -> None:
        super().__init__(resource, name, f'Operation cannot be fulfilled on {resource!r} "{name}": {why}')
        self.why = why


class ExpiredError(StoreError):
    """The history does not reach back to `version` (HTTP 410); `oldest` is the first one that can be asked for."""

    def __init__(self, version: int, oldest: int) -> None:
        super().__init__(f"too old resource version: {version} ({oldest})")
        self.version = version
        self.oldest = oldest


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What is wrong with one field. `reason` is a metav1.CauseType: "FieldValueRequired", "FieldValueInvalid"...

    `message` is a sentence as Kubernetes' field errors have it, without the field: "Required value".
    """

    field: str
    reason: str
    message: str


class InvalidError(StoreError):
    """An object that no API server would take (HTTP 422), and each of its causes."""

    def __init__(self, resource: Resource, name: str, causes: Sequence[Cause]) -> None:
        told = ", ".join(f"{cause.field}: {cause.message}" for cause in causes)
        super().__init__(f'{resource.kind} "{name}" is invalid: {told}')
        self.resource = resource
        self.name = name
        self.causes = tuple(causes)
