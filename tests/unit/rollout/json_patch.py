"""JSON Patch (RFC 6902) as the API server applies it: all or nothing; `test`, `add`, `replace`, `remove`.

A `test` of null passes where the member is absent but its parent is there (evanphx/json-patch, measured on v1.20 and
v1.35).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from kdeploy.model import Obj, Operation


class PatchError(Exception):
    """An operation does not apply; the object is as it was."""


def apply(obj: Obj, operations: Sequence[Operation]) -> dict[str, Any]:
    """A patched deep copy of `obj`. Raises PatchError."""
    result: dict[str, Any] = copy.deepcopy(dict(obj))
    for operation in operations:
        _apply(result, operation)
    return result


def _apply(root: Any, operation: Operation) -> None:
    path = str(operation["path"])
    parent, key = _find(root, path)
    present = key in parent if isinstance(parent, dict) else key < len(parent)
    match operation["op"]:
        case "test":
            if (parent[key] if present else None) != operation["value"]:
                raise PatchError(f"test of {path} failed")
        case "add" if isinstance(parent, dict):
            parent[key] = copy.deepcopy(operation["value"])
        case "replace" if present:
            parent[key] = copy.deepcopy(operation["value"])
        case "remove" if present:
            del parent[key]
        case other:
            raise PatchError(f"{other} of {path} does not apply")


def _find(root: Any, path: str) -> tuple[Any, Any]:
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
    here = root
    for part in way:
        try:
            here = here[_key(here, part)]
        except (KeyError, IndexError) as error:
            raise PatchError(f"{path} is not there") from error
    return here, _key(here, last)


def _key(here: Any, part: str) -> Any:
    return int(part) if isinstance(here, list) else part
