"""YAML read with care: capped before anything is expanded, no tags, no duplicate keys, YAML 1.2's plain scalars.

The value is built from the parser's events, without recursion, so that neither a deep nor an alias-bombed text costs
more than its caps allow (an alias counts as many nodes as it stands for). Plain `yes` and `1:30` are strings, as in
YAML 1.2: the octals, sexagesimals and truth words of YAML 1.1 are traps in a config file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from kdeploy.errors import ConfigError
from kdeploy.model import Location
from kdeploy.text import one_line

Path = Sequence[str | int]
"""Where a value stands in the document: keys and indexes from the top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How much of a document is read: bytes, nodes after aliases are expanded, nesting, aliases."""

    size: int = 1024 * 1024
    nodes: int = 20_000
    depth: int = 50
    aliases: int = 100


CONFIG_CAPS = Caps()
DUMP_CAPS = Caps(size=256 * 1024 * 1024, nodes=20_000_000, depth=200, aliases=100)
"""For `kubectl get -o yaml` of a large namespace."""

_CORE_TAGS = "tag:yaml.org,2002:"
_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE = {"true", "True", "TRUE"}
_FALSE = {"false", "False", "FALSE"}
_INT = re.compile(r"[-+]?[0-9]{1,30}\Z", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z", re.ASCII)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(data: bytes, source: str, caps: Caps = CONFIG_CAPS) -> Any:
    """The plain Python value of one YAML (or JSON) document: dicts with string keys, lists and scalars.

    `source` names the file in messages. Raises ConfigError with file and line for what is malformed or over the caps.
    """
    if len(data) > caps.size:
        raise ConfigError(f"{source}: larger than {caps.size:,} bytes", hint="is this the right file?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise error_at(source, line, "not UTF-8 text", "save the file as UTF-8") from None
    builder = _Builder(source=source, caps=caps)
    for event in _events(text, source):
        builder.take(event)
    return builder.result


def error_at(source: str, line: int | None, problem: str, hint: str) -> ConfigError:
    """The error about a line of the file; None where no line is known."""
    where = f"{source}:{line}" if line else source
    return ConfigError(f"{where}: {problem}", hint=hint, location=Location(file=source, line=line))


def line_of(data: bytes, path: Path) -> int:
    """The line (from 1) where the deepest part of `path` that exists stands. `data` has passed `load`."""
    node = yaml.compose(data.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    line = 0
    for step in path:
        found = _child(node, step)
        if found is None:
            break
        line, node = found
    return line + 1


def _child(node: yaml.Node | None, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line, node.value[step]
    if isinstance(node, yaml.MappingNode):
        return next(((key.start_mark.line, value) for key, value in node.value if key.value == step), None)
    return None


def _events(text: str, source: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = one_line(error.problem or error.context or "it cannot be parsed")
        line = mark.line + 1 if mark else None
        raise error_at(source, line, f"not valid YAML: {problem}", "check its indentation and quotes") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = "a control character is in the text"
        raise error_at(source, line, problem, "remove it, or save the file as UTF-8") from None


@dataclass(slots=True)
class _Open:
    """A mapping or sequence that is still being read. `key` is the mapping's key whose value comes next."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    first_node: int
    key: str | None = None


@dataclass(slots=True, kw_only=True)
class _Builder:
    source: str
    caps: Caps
    result: Any = None
    nodes: int = 0
    aliases: int = 0
    documents: int = 0
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)

    def take(self, event: Any) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    raise self.error(event, "a second document begins", "keep one document in the file")
            case yaml.AliasEvent():
                self.take_alias(event)
            case yaml.ScalarEvent():
                self.count(1, event)
                self.take_scalar(event)
            case yaml.MappingStartEvent():
                self.open({}, event)
            case yaml.SequenceStartEvent():
                self.open([], event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                done = self.stack.pop()
                self.add(done.value, done.anchor, self.nodes - done.first_node + 1)

    def open(self, value: dict[str, Any] | list[Any], event: Any) -> None:
        self.count(1, event)
        self.check_tag(event)
        if self.awaits_key:
            raise self.error(event, "a mapping's key is not a text", "write each key as one word")
        if len(self.stack) >= self.caps.depth:
            raise self.error(event, f"nested more than {self.caps.depth} deep", "is this the right file?")
        self.stack.append(_Open(value, event.anchor, self.nodes))

    def take_scalar(self, event: Any) -> None:
        self.check_tag(event)
        if self.awaits_key:
            self.take_key(event)
        else:
            plain = event.implicit[0]
            self.add(_scalar(event.value) if plain else event.value, event.anchor, 1)

    def take_key(self, event: Any) -> None:
        top = self.stack[-1]
        if event.value == "<<" and event.implicit[0]:
            raise self.error(event, "merge keys (<<) are not supported", "write the keys out")
        if event.value in top.value:
            raise self.error(event, f'the key "{one_line(event.value)}" stands twice', "remove one of the two")
        top.key = event.value

    def take_alias(self, event: Any) -> None:
        self.aliases += 1
        if self.aliases > self.caps.aliases:
            raise self.error(event, f"more than {self.caps.aliases} aliases", "write the values out")
        if event.anchor not in self.anchors or self.awaits_key:
            raise self.error(event, "the alias does not name a finished value", "write the value out")
        value, size = self.anchors[event.anchor]
        self.count(size, event)
        self.add(value, None, size)

    def add(self, value: Any, anchor: str | None, size: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = value, size
        if not self.stack:
            self.result = value
            return
        top = self.stack[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is not None:
            top.value[top.key] = value
            top.key = None

    @property
    def awaits_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def count(self, nodes: int, event: Any) -> None:
        self.nodes += nodes
        if self.nodes > self.caps.nodes:
            raise self.error(event, f"more than {self.caps.nodes:,} values", "is this the right file?")

    def check_tag(self, event: Any) -> None:
        if event.tag and event.tag not in ("!", f"{_CORE_TAGS}str"):
            raise self.error(event, "a tag is not supported", "write a plain value, in quotes where it begins with !")

    def error(self, event: Any, problem: str, hint: str) -> ConfigError:
        return error_at(self.source, event.start_mark.line + 1, problem, hint)


def _scalar(text: str) -> Any:
    """A plain scalar by YAML 1.2's core schema (section 10.3.2), without octals, hexadecimals and infinities."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.match(text):
        return int(text)
    return float(text) if _FLOAT.match(text) else text
