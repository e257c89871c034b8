"""What a client sent, read as the API server's Go types read it: wrong types refused, empty fields left out. Pure.

So that every object in the store has the shape that its readers expect, and looks as it would on a real cluster.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kdeploy.sandbox.api.fields import Struct, Type, struct
from kdeploy.sandbox.core.quantities import WRONG, canonical
from kdeploy.sandbox.core.timestamps import to_seconds

DEEPEST = 200
"""Levels of JSON that an object may have, so that whatever is stored can be written out again, in a list too."""

_INTEGERS = {"int32": 2**31, "int64": 2**63}
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class MismatchError(ValueError):
    """A value is not of its field's type; the text is what Go's JSON decoder says."""


@dataclass(slots=True)
class Decoded:
    """An object as Go would hold it. `unknown` are the paths of fields that its type does not have, left out."""

    obj: dict[str, Any]
    unknown: list[str] = field(default_factory=list)


def decode(kind: str, sent: Mapping[str, Any]) -> Decoded:
    """Reads a whole object of that kind. Raises MismatchError."""
    reader = _Reader()
    fields = struct(kind)
    if fields is None:
        raise KeyError(kind)
    if is_too_deep(sent):
        raise MismatchError("exceeded max depth")
    return Decoded(obj=reader.struct(kind, fields, sent, _Place()), unknown=reader.unknown)


def is_too_deep(value: Any) -> bool:
    """Whether a JSON value has more than DEEPEST levels. It takes them one by one, so that none is too deep for it."""
    level = [value]
    for _ in range(DEEPEST):
        inner = [one.values() if isinstance(one, Mapping) else one for one in level if isinstance(one, Mapping | list)]
        if not inner:
            return False
        level = [value for values in inner for value in values]
    return any(isinstance(one, Mapping | list) for one in level)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: as Go's JSON errors name it (without indexes), and as people do."""

    go: str = ""
    path: str = ""
    owner: str = ""

    def child(self, owner: str, name: str) -> _Place:
        return _Place(f"{self.go}.{name}".lstrip("."), f"{self.path}.{name}".lstrip("."), owner)

    def item(self, key: str | int) -> _Place:
        return _Place(self.go, f"{self.path}[{key}]" if isinstance(key, int) else f"{self.path}.{key}", self.owner)


class _Reader:
    def __init__(self) -> None:
        self.unknown: list[str] = []

    def struct(self, name: str, fields: Struct, sent: Any, place: _Place) -> dict[str, Any]:
        if not isinstance(sent, Mapping):
            raise _mismatch(sent, place, name)
        read = {}
        for key, value in sent.items():
            known = fields.get(key)
            if known is None:
                self.unknown.append(place.child(name, str(key)).path)
            elif value is not None:
                found = self.value(known.type, value, place.child(name, key))
                if known.always or known.type.pointer or not _is_empty(known.type, found):
                    read[key] = found
        for key, known in fields.items():
            if known.always and key not in read and (shown := self.empty(known.type)) is not None:
                read[key] = shown
        return read

    def empty(self, type_: Type) -> Any:
        """What Go shows where a value is missing; None where that is null, which is left out here."""
        if type_.item is not None or type_.pointer:
            return None
        fields = struct(type_.name)
        return _ZEROS.get(type_.name) if fields is None else self.struct(type_.name, fields, {}, _Place())

    def value(self, type_: Type, sent: Any, place: _Place) -> Any:
        if type_.item is not None:
            return self.many(type_, type_.item, sent, place)
        fields = struct(type_.name)
        if fields is not None:
            return self.struct(type_.name, fields, sent, place)
        return _SCALARS[type_.name](type_.name, sent, place)

    def many(self, type_: Type, item: Type, sent: Any, place: _Place) -> Any:
        if type_.is_list and isinstance(sent, list):
            return [self.item(item, value, place.item(index)) for index, value in enumerate(sent)]
        if type_.is_map and isinstance(sent, Mapping):
            return {key: self.item(item, value, place.item(key)) for key, value in sent.items()}
        raise _mismatch(sent, place, _go_name(type_))

    def item(self, type_: Type, sent: Any, place: _Place) -> Any:
        """Null among the items is the type's empty value."""
        if sent is not None:
            return self.value(type_, sent, place)
        if type_.item is not None:
            return [] if type_.is_list else {}
        return self.empty(type_)


_ZEROS: Mapping[str, Any] = {
    "string": "",
    "bool": False,
    "int32": 0,
    "int64": 0,
    "Quantity": "0",
    "IntOrString": 0,
    "bytes": "",
}


def _is_empty(type_: Type, value: Any) -> bool:
    """Whether Go leaves the field out: never a struct, which is not empty without its fields either."""
    return not value and not (type_.item is None and isinstance(value, dict))


def _string(name: str, sent: Any, place: _Place) -> str:
    if isinstance(sent, str):
        return sent
    raise _mismatch(sent, place, name)


def _bool(name: str, sent: Any, place: _Place) -> bool:
    if isinstance(sent, bool):
        return sent
    raise _mismatch(sent, place, name)


def _integer(name: str, sent: Any, place: _Place) -> int:
    if isinstance(sent, bool) or not isinstance(sent, int | float):
        raise _mismatch(sent, place, name)
    if isinstance(sent, float) or not -_INTEGERS[name] <= sent < _INTEGERS[name]:
        raise _mismatch(sent, place, name, f"number {sent}")
    return sent


def _int_or_string(_: str, sent: Any, place: _Place) -> int | str:
    return sent if isinstance(sent, str) else _integer("int32", sent, place)


def _quantity(_: str, sent: Any, __: _Place) -> str:
    if isinstance(sent, bool) or not isinstance(sent, str | int | float):
        raise MismatchError(WRONG)
    try:
        return canonical(str(sent))
    except ValueError as error:
        raise MismatchError(str(error)) from None


def _time(_: str, sent: Any, place: _Place) -> str:
    text = _string("Time", sent, place)
    try:
        to_seconds(text)
    except (ValueError, OverflowError):
        raise MismatchError(
            f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"'
        ) from None
    return text


def _bytes(name: str, sent: Any, place: _Place) -> str:
    text = _string(name, sent, place)
    if not _BASE64.fullmatch(text):
        raise MismatchError("illegal base64 data at input byte 0")
    return text


def _raw(_: str, sent: Any, __: _Place) -> Any:
    return sent


_SCALARS: Mapping[str, Callable[[str, Any, _Place], Any]] = {
    "string": _string,
    "bool": _bool,
    "int32": _integer,
    "int64": _integer,
    "IntOrString": _int_or_string,
    "Quantity": _quantity,
    "Time": _time,
    "MicroTime": _time,
    "bytes": _bytes,
    "Raw": _raw,
}


def _mismatch(sent: Any, place: _Place, type_name: str, called: str | None = None) -> MismatchError:
    go = type_name if struct(type_name) is None else f"v1.{type_name}"
    where = f"struct field {place.owner}.{place.go}" if place.owner else "value"
    return MismatchError(f"json: cannot unmarshal {called or json_name(sent)} into Go {where} of type {go}")


def _go_name(type_: Type) -> str:
    if type_.item is None:
        return type_.name if struct(type_.name) is None else f"v1.{type_.name}"
    return f"{'[]' if type_.is_list else 'map[string]'}{_go_name(type_.item)}"


def json_name(value: Any) -> str:
    """What Go's decoder calls a JSON value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"
