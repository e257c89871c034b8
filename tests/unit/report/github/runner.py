"""GitHub's runner as far as it reads a step: written from its documented behaviour, for tests.

Commands: after white space at the line's start "::name key=value,...::data", or "##[name key=value;...]data" anywhere.
Names are of any case. After "::stop-commands::token" only "::token::" counts. Files: "name=value", or
"name<<DELIMITER", lines, "DELIMITER".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

NAMES = frozenset(
    {
        *("stop-commands", "set-env", "set-output", "save-state", "add-mask", "add-path", "add-matcher", "group"),
        *("remove-matcher", "debug", "warning", "error", "notice", "endgroup", "echo"),
    }
)
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    name: str
    data: str
    properties: dict[str, str] = field(default_factory=dict)


def parse(line: str, names: frozenset[str] = NAMES) -> Command | None:
    text = line.lstrip()
    if text.startswith("::") and (end := text.find("::", 2)) >= 0:
        found = _command(text[2:end], text[end + 2 :], ",", names)
        if found:
            return found
    begin = line.find("##[")
    end = line.find("]", begin)
    return _command(line[begin + 3 : end], line[end + 1 :], ";", names) if 0 <= begin < end else None


def _command(head: str, data: str, separator: str, names: frozenset[str]) -> Command | None:
    name, _, rest = head.partition(" ")
    if name.lower() not in names:
        return None
    pairs = (part.split("=", 1) for part in rest.strip().split(separator) if "=" in part)
    return Command(name=name.lower(), data=_plain(data), properties={key: _plain(value) for key, value in pairs})


def _plain(text: str) -> str:
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, char)
    return text


def commands(log: str) -> list[Command]:
    """All that the runner obeys in a log."""
    obeyed: list[Command] = []
    token: str | None = None
    for line in _LINE_END.split(log):
        found = parse(line, NAMES if token is None else NAMES | {token.lower()})
        if found is None:
            continue
        if token is not None:
            token = None if found.name == token.lower() else token
            continue
        if found.name == "stop-commands":
            token = found.data
        obeyed.append(found)
    return obeyed


def read_file(text: str) -> dict[str, str]:
    """The values that the runner takes from a file of outputs. Raises ValueError where it would fail the step."""
    values: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        heredoc, equals = line.find("<<"), line.find("=")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, _, values_text = line.partition("=")
            values[name] = values_text
            continue
        name, found, delimiter = line.partition("<<")
        if not found or not name or not delimiter:
            raise ValueError(f"invalid format {line!r}")
        kept: list[str] = []
        for inner in lines:
            if inner == delimiter:
                break
            kept.append(inner)
        else:
            raise ValueError(f"no delimiter {delimiter}")
        values[name] = "\n".join(kept)
    return values
