"""What a registry asks for with a 401: the WWW-Authenticate header (RFC 9110, section 11.6.1). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"  # noqa: S105 - the grammar's name for a word
_PART = re.compile(rf'\s*,?\s*(?:({_TOKEN})\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+)|({_TOKEN})(?=\s|,|$))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way to log in. `scheme` is in lower case: "bearer" or "basic"."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """All ways that the header offers, in its order; what cannot be read ends the list."""
    found: list[tuple[str, dict[str, str]]] = []
    at = 0
    while match := _PART.match(header, at):
        at = match.end()
        name, value, scheme = match.groups()
        if scheme:
            found.append((scheme.lower(), {}))
        elif found:
            found[-1][1][name.lower()] = _unquoted(value)
    return tuple(Challenge(scheme=scheme, parameters=parameters) for scheme, parameters in found)


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
