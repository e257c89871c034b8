"""Strategic merge patch: a merge patch that knows by which key the items of a list belong together. Pure.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md; the
rules, and the order in which items end, are those of k8s.io/apimachinery/pkg/util/strategicpatch/patch.go. The keys are
those of fields.txt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.api.fields import Field, Struct, Type, struct

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"


class StrategicError(ValueError):
    """What is no strategic merge patch of this object."""


def merge(kind: str, original: Obj, patch: Obj) -> dict[str, Any]:
    """`original`, an object of that kind, as the patch changes it. Raises StrategicError."""
    return _merge_struct(struct(kind) or {}, original, patch)


def _merge_struct(fields: Struct, original: Obj, patch: Obj) -> dict[str, Any]:
    if _PATCH in patch:
        return _directive(patch)
    merged = _retained(original, patch)
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge_value(fields.get(key), merged.get(key), value)
    for key, values in patch.items():
        if key.startswith(_DELETE) and (name := key.removeprefix(_DELETE)) in merged:
            gone = _list(values, key)
            merged[name] = [one for one in _list(merged[name], name) if one not in gone]
    for key, order in patch.items():
        if key.startswith(_ORDER) and (name := key.removeprefix(_ORDER)) in merged:
            merged[name] = _ordered(fields.get(name), merged[name], original.get(name), _list(order, key))
    return merged


def _directive(patch: Obj) -> dict[str, Any]:
    """What "$patch" says about the object that it is in: "replace" it, or "delete" all that it has."""
    if patch[_PATCH] == "replace":
        return {key: _plain(value) for key, value in patch.items() if key != _PATCH}
    if patch[_PATCH] == "delete":
        return {}
    raise StrategicError(f"unknown patch type: {patch[_PATCH]}")


def _retained(original: Obj, patch: Obj) -> dict[str, Any]:
    if _RETAIN not in patch:
        return dict(original)
    kept = _list(patch[_RETAIN], _RETAIN)
    if any(key not in kept for key, value in patch.items() if value is not None and not key.startswith("$")):
        raise StrategicError("invalid patch format of retainKeys")
    return {key: value for key, value in original.items() if key in kept}


def _merge_value(field: Field | None, old: Any, new: Any) -> Any:
    type_ = field.type if field is not None else Type(name="")
    if isinstance(old, dict) and isinstance(new, dict):
        return _merge_struct(struct(type_.name) or {}, old, new)
    if field is not None and field.merged and isinstance(old, list) and isinstance(new, list):
        return _merge_list(field, old, new)
    return _plain(new)


def _merge_list(field: Field, old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
    key = field.merge_key
    if key is None:
        both = list(dict.fromkeys([*map(_scalar, old), *map(_scalar, new)]))
        return _interleaved(both, new, old, None)
    plain: list[Obj] = []
    gone: set[Any] = set()
    replaces = False
    for item in new:
        directive = item.get(_PATCH) if isinstance(item, dict) else None
        if directive == "replace":
            replaces = True
        elif directive == "delete":
            gone.add(_name(item, key))
        elif directive is not None:
            raise StrategicError(f"unknown patch type: {directive}")
        elif _name(item, key) is not None:
            plain.append(item)
    if replaces:
        return [_plain(item) for item in plain]
    kept = [item for item in old if _name(item, key) not in gone]
    return _interleaved(_merge_items(field.type, key, kept, plain), plain, kept, key)


def _merge_items(type_: Type, key: str, old: Sequence[Obj], new: Sequence[Obj]) -> list[Obj]:
    fields = (struct(type_.item.name) if type_.item is not None else None) or {}
    merged, places = list(old), _places(old, key)
    for item in new:
        place = places.setdefault(_name(item, key), len(merged))
        if place < len(merged):
            merged[place] = _merge_struct(fields, merged[place], item)
        else:
            merged.append(_plain(item))
    return merged


def _ordered(field: Field | None, merged: Any, original: Any, order: Sequence[Any]) -> list[Any]:
    """A list in the order that "$setElementOrder" gives; what only the server has stays where it was."""
    key = field.merge_key if field is not None else None
    return _interleaved(_list(merged, "a list"), order, original if isinstance(original, list) else [], key)


def _interleaved(merged: Sequence[Any], wanted: Sequence[Any], before: Sequence[Any], key: str | None) -> list[Any]:
    """The items in the order of `wanted`; those that it does not name go where they stood in `before`."""
    order, stood = _places(wanted, key), _places(before, key)
    named = [(_name(item, key), item) for item in merged]
    left = deque(sorted((p for p in named if p[0] not in order), key=lambda pair: stood.get(pair[0], len(stood))))
    right = deque(sorted((p for p in named if p[0] in order), key=lambda pair: order[pair[0]]))
    found: list[Any] = []
    while left and right:
        one, other = stood.get(left[0][0]), stood.get(right[0][0])
        first = left if one is not None and other is not None and one < other else right
        found.append(first.popleft()[1])
    return [*found, *(item for _, item in left), *(item for _, item in right)]


def _places(items: Sequence[Any], key: str | None) -> dict[Any, int]:
    """Where the items stand, by their names; of those that share one, the first."""
    places: dict[Any, int] = {}
    for index, item in enumerate(items):
        places.setdefault(_name(item, key), index)
    return places


def _name(item: Any, key: str | None) -> Any:
    """What tells an item from the others: the value of its merge key, or itself."""
    if key is None:
        return _scalar(item)
    if not isinstance(item, dict):
        raise StrategicError(f"expected a map, but received a {type(item).__name__}")
    if key not in item:
        raise StrategicError(f"map: {_go(item)} does not contain declared merge key: {key}")
    return _scalar(item[key])


def _scalar(value: Any) -> Any:
    if isinstance(value, dict | list):
        raise StrategicError("list element types are not identical")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise StrategicError(f"invalid patch format of {what}")


def _plain(value: Any) -> Any:
    """A value of a patch as it is stored where there was none: without nulls and directives."""
    if isinstance(value, dict):
        return {
            key: _plain(one)
            for key, one in value.items()
            if one is not None and not key.startswith("$") and not (isinstance(one, dict) and _PATCH in one)
        }
    if isinstance(value, list):
        return [_plain(one) for one in value if not (isinstance(one, dict) and _PATCH in one)]
    return value


def _go(item: Obj) -> str:
    """A map as Go prints it."""
    return "map[" + " ".join(f"{key}:{value}" for key, value in sorted(item.items())) + "]"
