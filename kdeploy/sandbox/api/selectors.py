"""The labelSelector and fieldSelector of a list or watch: text in, a test of objects out. Pure.

k8s.io/apimachinery/pkg/labels/selector.go and pkg/fields/selector.go; the fields that each kind knows are those of
pkg/apis/core/v1/conversion.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.core.names import label_key_problems, label_value_problems
from kdeploy.sandbox.core.resources import EVENTS, NAMESPACES, NODES, PODS, SECRETS, SERVICES, Resource
from kdeploy.sandbox.core.selection import matches_all

_TOKENS = re.compile(r"\s*(==|!=|=|,|\(|\)|!|>|<|[^\s=!,()<>]+)")
_BINARY = "in, notin, =, ==, !=, gt, lt"
_OPERATORS = {"=": "In", "==": "In", "!=": "NotIn", ">": "Gt", "<": "Lt", "in": "In", "notin": "NotIn"}
_SIGNS = frozenset(("", "==", "!=", "=", ",", "(", ")", "!", ">", "<"))
_METADATA = ("metadata.name", "metadata.namespace")
_INVOLVED = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_FIELDS: Mapping[Resource, tuple[str, ...]] = {
    PODS: (
        *_METADATA,
        *(f"spec.{name}" for name in ("nodeName", "restartPolicy", "schedulerName", "serviceAccountName")),
        *("spec.hostNetwork", "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName"),
    ),
    NODES: ("metadata.name", "spec.unschedulable"),
    NAMESPACES: ("metadata.name", "status.phase"),
    SECRETS: (*_METADATA, "type"),
    SERVICES: (*_METADATA, "spec.clusterIP", "spec.type"),
    EVENTS: (
        *_METADATA,
        *(f"involvedObject.{name}" for name in _INVOLVED),
        *("reason", "reportingComponent", "source", "type"),
    ),
}


class SelectorError(ValueError):
    """A selector that cannot be understood; the text is what an API server answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """What a list or watch asks for. `labels` are a LabelSelector's matchExpressions; `fields` (path, equal, value)."""

    labels: Sequence[Obj] = ()
    fields: Sequence[tuple[str, bool, str]] = ()

    def matches(self, obj: Obj) -> bool:
        """Whether the object is asked for."""
        metadata = obj["metadata"]
        return (not self.labels or matches_all(self.labels, metadata.get("labels") or {})) and all(
            (field_of(obj, path) == value) == equal for path, equal, value in self.fields
        )


def selector(resource: Resource, labels: str, fields: str) -> Selector:
    """The test that both query parameters make. Raises SelectorError."""
    return Selector(labels=_labels(labels), fields=_fields(resource, fields))


def field_of(obj: Obj, path: str) -> str:
    """The text that a field selector compares with: empty where the field is missing."""
    found: Any = obj
    if path == "source":  # of an event: who it is from
        return str((obj.get("source") or {}).get("component") or obj.get("reportingComponent") or "")
    if path == "status.podIPs":
        return ",".join(str(one.get("ip")) for one in (obj.get("status") or {}).get("podIPs") or ())
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, bool) or (found is None and path in ("spec.unschedulable", "spec.hostNetwork")):
        return "true" if found else "false"
    return "" if found is None else str(found)


def _labels(text: str) -> Sequence[Obj]:
    parser = _Parser(text)
    found: list[Obj] = []
    while parser.next:
        try:
            found.append(parser.requirement())
        except SelectorError as error:
            raise SelectorError(f"unable to parse requirement: {error}") from None
        if parser.next and parser.take() != ",":
            raise SelectorError(f"found '{parser.last}', expected: ',' or 'end of string'")
        if parser.last == "," and (not parser.next or (parser.next in _SIGNS and parser.next != "!")):
            raise SelectorError(f"found '{parser.next}', expected: identifier after ','")
    return found


class _Parser:
    """Reads requirements from a label selector's text, word by word."""

    def __init__(self, text: str) -> None:
        self._words = [match[1] for match in _TOKENS.finditer(text)]
        self._at = 0
        self.last = ""

    @property
    def next(self) -> str:
        """The word to come, empty at the end."""
        return self._words[self._at] if self._at < len(self._words) else ""

    def take(self) -> str:
        """The next word, which is then behind."""
        self.last = self.next
        self._at += 1
        return self.last

    def requirement(self) -> Obj:
        """One of "key", "!key", "key=value", "key!=value", "key in (a,b)", "key notin (a,b)", "key>1", "key<1"."""
        absent = self.next == "!" and bool(self.take())
        key = self._identifier("identifier")
        if problems := label_key_problems(key):
            raise SelectorError(f'<nil>: Invalid value: "{key}": {"; ".join(problems)}')
        if self.next in ("", ","):
            return {"key": key, "operator": "DoesNotExist" if absent else "Exists"}
        operator = self.take()
        if absent or operator not in _OPERATORS:
            raise SelectorError(f"found '{operator}', expected: {_BINARY}")
        values = self._values() if operator in ("in", "notin") else [self._value()]
        for index, value in enumerate(values):
            if problems := label_value_problems(value):
                raise SelectorError(f'values[{index}][{key}]: Invalid value: "{value}": {"; ".join(problems)}')
            if operator in "<>" and not re.fullmatch(r"[+-]?\d{1,18}", value):
                said = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise SelectorError(f'values[{index}]: Invalid value: "{value}": {said}')
        return {"key": key, "operator": _OPERATORS[operator], "values": values}

    def _values(self) -> list[str]:
        if self.take() != "(":
            raise SelectorError(f"found '{self.last}' expected: '('")
        if self.next == ")":
            raise SelectorError("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
        values = [""]
        while self.take() != ")":
            if self.last == ",":
                values.append("")
            elif self.last in _SIGNS or values[-1]:
                raise SelectorError(f"found '{self.last}', expected: ',', ')' or identifier")
            else:
                values[-1] = self.last
        return sorted(set(values))

    def _value(self) -> str:
        return "" if self.next in ("", ",") else self._identifier("identifier")

    def _identifier(self, expected: str) -> str:
        if self.take() in _SIGNS:
            raise SelectorError(f"found '{self.last}', expected: {expected}")
        return self.last


def _fields(resource: Resource, text: str) -> Sequence[tuple[str, bool, str]]:
    terms = re.split(r"(?<!\\),", text)
    return tuple(_term(resource, text, term) for term in terms if term)


def _term(resource: Resource, text: str, term: str) -> tuple[str, bool, str]:
    match = re.fullmatch(r"(.*?)(!=|==|=)(.*)", term, re.S)
    if match is None:
        raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
    path, operator, value = match.groups()
    path = "spec.nodeName" if resource is PODS and path == "spec.host" else path
    known = _FIELDS.get(resource)
    if known is not None and path not in known:
        raise SelectorError(f"field label not supported: {path}")
    if known is None and path not in _METADATA:
        raise SelectorError(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
    return path, operator != "!=", re.sub(r"\\([\\,=])", r"\1", value)
