"""Objects in Kubernetes' protobuf, as kubectl's typed clients send them: `create deployment`, `auth can-i`. Pure.

Only read: the answers are JSON, which every client takes. The envelope is that of k8s.io/apimachinery/pkg/runtime,
generated.proto, message Unknown; the fields' numbers are those of fields.txt. Protobuf's own encoding:
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from kdeploy.sandbox.api.fields import Type, struct
from kdeploy.sandbox.core.timestamps import to_text

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
Value = int | bytes


class ProtobufError(ValueError):
    """Bytes that are no such object."""


def kind_of(data: bytes) -> tuple[str, str]:
    """The apiVersion and kind of an object. Raises ProtobufError."""
    meta = dict(_fields(_envelope(data).get(1, b"")))
    return _text(meta.get(1, b"")), _text(meta.get(2, b""))


def decode(data: bytes, kind: str) -> dict[str, Any]:
    """The object as JSON has it, read as one of that kind. Raises ProtobufError."""
    version, sent_kind = kind_of(data)
    if struct(kind) is None:
        raise ProtobufError(f"no object of kind {kind} is known")
    obj = _struct(kind, _bytes(_envelope(data).get(2, b"")))
    return {"apiVersion": version, "kind": sent_kind, **obj}


def _envelope(data: bytes) -> dict[int, Value]:
    if not data.startswith(_MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message")
    return dict(_fields(data[len(_MAGIC) :]))


def _fields(data: Value) -> Iterator[tuple[int, Value]]:
    """The fields of a message: number and value, a varint's or bytes."""
    message, at = _bytes(data), 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            size, at = _varint(message, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ProtobufError(f"proto: illegal wireType {wire}")
        if size > len(message) - at:
            raise ProtobufError("unexpected EOF")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for index in range(at, min(at + 10, len(data))):
        value |= (data[index] & 0x7F) << shift
        shift += 7
        if data[index] < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, index + 1
    raise ProtobufError("unexpected EOF" if len(data) - at < 10 else "proto: integer overflow")


@cache
def _numbers(name: str) -> Mapping[int, Any]:
    """By number the JSON name and type of each field of a struct; a mapping for a message that JSON does not show."""
    numbers: dict[int, Any] = {}
    for key, field in (struct(name) or {}).items():
        if field.number:
            *way, last = field.number
            place = numbers
            for number in way:
                place = place.setdefault(number, {})
            place[last] = (key, field.type)
    return numbers


def _struct(name: str, data: Value) -> dict[str, Any]:
    obj: dict[str, Any] = {}
    _read(_numbers(name), data, obj)
    return obj


def _read(numbers: Mapping[int, Any], data: Value, obj: dict[str, Any]) -> None:
    for number, value in _fields(data):
        known = numbers.get(number)
        if known is None:
            continue
        if isinstance(known, dict):
            _read(known, value, obj)
            continue
        key, type_ = known
        if type_.is_list:
            obj.setdefault(key, []).append(_value(type_.item, value))
        elif type_.is_map:
            entry = dict(_fields(value))
            obj.setdefault(key, {})[_text(entry.get(1, b""))] = _value(type_.item, entry.get(2, b""))
        else:
            obj[key] = _value(type_, value)


def _value(type_: Type, value: Value) -> Any:
    if struct(type_.name) is not None:
        return _struct(type_.name, value)
    if type_.name == "string":
        return _text(value)
    if type_.name in ("bool", "int32", "int64"):
        return _number(type_.name, value)
    return _special(type_.name, value)


def _number(name: str, value: Value) -> int | bool:
    if not isinstance(value, int):
        raise ProtobufError(f"proto: wrong wireType for a {name}")
    if name == "bool":
        return value != 0
    return value - 2**64 if value >= 2**63 else value


def _special(name: str, value: Value) -> Any:
    """A type that is a message in protobuf and a scalar in JSON."""
    if name == "bytes":
        return base64.b64encode(_bytes(value)).decode()
    inside = dict(_fields(value))
    if name == "Quantity":
        return _text(inside.get(1, b"0"))
    if name == "IntOrString":
        return _text(inside.get(3, b"")) if inside.get(1) else _number("int64", inside.get(2, 0))
    if name in ("Time", "MicroTime"):
        seconds = _number("int64", inside.get(1, 0))
        return to_text(seconds) if inside and abs(seconds) < 2**37 else None
    if name == "Raw":
        try:
            return json.loads(_bytes(inside.get(1, b"")) or b"null")
        except ValueError:
            raise ProtobufError("a raw field holds no JSON") from None
    return None


def _bytes(value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    raise ProtobufError("proto: wrong wireType")


def _text(value: Value) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError:
        raise ProtobufError("a string is not UTF-8") from None
