"""What is wrong with one field, as Kubernetes says it: apimachinery's pkg/util/validation/field/errors.go. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from kdeploy.sandbox.core.errors import Cause


def required(field: str, detail: str = "") -> Cause:
    """It has to be there."""
    return _cause(field, "FieldValueRequired", "Required value", detail)


def forbidden(field: str, detail: str) -> Cause:
    """It must not be there, or not be changed."""
    return _cause(field, "FieldValueForbidden", "Forbidden", detail)


def invalid(field: str, value: Any, detail: str) -> Cause:
    """Its value breaks a rule."""
    return _cause(field, "FieldValueInvalid", f"Invalid value: {_shown(value)}", detail)


def not_found(field: str, value: Any) -> Cause:
    """It names something that is not there."""
    return _cause(field, "FieldValueNotFound", f"Not found: {_shown(value)}", "")


def duplicate(field: str, value: Any) -> Cause:
    """Another one has this value already."""
    return _cause(field, "FieldValueDuplicate", f"Duplicate value: {_shown(value)}", "")


def not_supported(field: str, value: Any, supported: Sequence[str]) -> Cause:
    """It is none of the values that there are."""
    detail = "supported values: " + ", ".join(f'"{one}"' for one in supported)
    return _cause(field, "FieldValueNotSupported", f"Unsupported value: {_shown(value)}", detail)


def too_long(field: str, most: int) -> Cause:
    """It has more than `most` bytes."""
    return _cause(field, "FieldValueTooLong", "Too long", f"may not be more than {most} bytes")


def each(field: str, value: str, problems: Iterable[str]) -> list[Cause]:
    """One cause for each sentence of names.py."""
    return [invalid(field, value, problem) for problem in problems]


def not_negative(field: str, value: Any) -> list[Cause]:
    """A number that may be missing or 0."""
    return [invalid(field, value, "must be greater than or equal to 0")] if value is not None and value < 0 else []


def port_number(field: str, value: Any) -> list[Cause]:
    """A port's number."""
    return [] if 1 <= value <= 65535 else [invalid(field, value, "must be between 1 and 65535, inclusive")]


def immutable(field: str, new: Any, old: Any) -> list[Cause]:
    """It cannot be changed once the object is there."""
    return [] if new == old else [invalid(field, new, "field is immutable")]


def _cause(field: str, reason: str, message: str, detail: str) -> Cause:
    return Cause(field=field, reason=reason, message=f"{message}: {detail}" if detail else message)


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
