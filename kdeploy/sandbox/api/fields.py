"""The fields of the objects that the API serves: their Go types, and how a strategic merge patch merges their lists.

fields.txt lists them; `go run ./fields` in tests/cluster/kubernetes makes it from k8s.io/api. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """A Go type: a list or map of `item`, the struct `name`, or the scalar `name` ("string", "int32", "Quantity"...).

    `pointer`: Go tells an empty value from a missing one.
    """

    name: str
    item: Type | None = None
    pointer: bool = False

    @property
    def is_list(self) -> bool:
        """Whether it is a JSON array."""
        return self.name == "list"

    @property
    def is_map(self) -> bool:
        """Whether it is a JSON object with keys of the user's own."""
        return self.name == "map"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. `always`: it is shown when it is empty.

    `merged`: a strategic merge patch merges the list, by `merge_key` where the items are objects. `retains_keys`: it
    may say which keys of the object are kept. `number`: where protobuf has it, empty where it has not; more than one
    number leads through messages that JSON does not show.
    """

    type: Type
    always: bool = False
    merged: bool = False
    merge_key: str | None = None
    retains_keys: bool = False
    number: tuple[int, ...] = ()


Struct = Mapping[str, Field]


def struct(name: str) -> Struct | None:
    """The fields of a struct by their JSON names; None where the name is that of a scalar."""
    return _structs().get(name)


@cache
def _structs() -> Mapping[str, Struct]:
    return parsed((files(__package__) / "fields.txt").read_text())


def parsed(text: str) -> dict[str, dict[str, Field]]:
    """The structs of a text like fields.txt."""
    structs: dict[str, dict[str, Field]] = {}
    fields: dict[str, Field] = {}
    for line in text.splitlines():
        if line.startswith(" "):
            name, type_, *flags = line.split()
            fields[name] = _field(type_, flags)
        else:
            fields = structs[line] = {}
    return structs


def _field(type_: str, flags: list[str]) -> Field:
    key = next((flag.removeprefix("merge=") for flag in flags if flag.startswith("merge=")), None)
    number = next((flag for flag in flags if flag.startswith("#")), "#")
    return Field(
        number=tuple(int(part) for part in number[1:].split(".") if part),
        type=_type(type_),
        always="!" in flags,
        merged=key is not None or "merge" in flags,
        merge_key=key,
        retains_keys="retainKeys" in flags,
    )


def _type(text: str) -> Type:
    if text.startswith("*"):
        inner = _type(text[1:])
        return Type(name=inner.name, item=inner.item, pointer=True)
    if text.startswith("[]"):
        return Type(name="list", item=_type(text[2:]))
    if text.startswith("{}"):
        return Type(name="map", item=_type(text[2:]))
    return Type(name=text)
