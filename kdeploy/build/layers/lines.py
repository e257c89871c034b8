"""The text of a Dockerfile as instructions, still unexpanded: directives, comments, continuations, heredocs. Pure.

The rules: https://docs.docker.com/reference/dockerfile/#format and #parser-directives, and BuildKit's parser
(frontend/dockerfile/parser/parser.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kdeploy.build.layers.problems import DockerfileError, UnsupportedError
from kdeploy.build.layers.words import split_words
from kdeploy.text import one_line

LIMIT = 1 << 20
"""The most bytes of a Dockerfile, and of a .dockerignore."""

_DIRECTIVE = re.compile(r"\s*#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_DIRECTIVES = frozenset({"syntax", "escape", "check"})
_OWN_SYNTAX = re.compile(r"(?:[^\s@]+/)?docker/dockerfile(?:-upstream)?(?:[:@]\S+)?")
_COMMENT = re.compile(r"\s*#")
_HEREDOC = re.compile(r"""\d*<<(-?)(["']?)([^<\s"']+)\2""")
_WITH_HEREDOCS = frozenset({"RUN", "COPY", "ADD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One instruction: the line where it begins (1-based), its keyword in capitals, its --flags, and what follows."""

    number: int
    keyword: str
    flags: tuple[str, ...] = ()
    rest: str = ""
    has_heredoc: bool = False

    def __str__(self) -> str:
        """As a person reads it: on one line, not too long."""
        return one_line(" ".join((self.keyword, *self.flags, self.rest)), 80)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A Dockerfile's instructions, and the character that escapes in it."""

    lines: tuple[Line, ...]
    escape: str = "\\"


def read_lines(content: bytes) -> Text:
    """The instructions in their order. Raises DockerfileError, for a `# syntax=` of another language too."""
    if len(content) > LIMIT:
        raise DockerfileError(1, f"it is larger than {LIMIT} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DockerfileError(content[: error.start].count(b"\n") + 1, "it is not UTF-8") from None
    rows = [row.removesuffix("\r") for row in text.split("\n")]
    escape = _directives(rows)
    lines = tuple(_instructions(rows, escape))
    if not lines:
        raise DockerfileError(1, "it has no instruction")
    return Text(lines=lines, escape=escape)


def _directives(rows: Sequence[str]) -> str:
    """The escape character. Directives stand at the very top; the first other line ends them."""
    escape, seen = "\\", set[str]()
    for number, row in enumerate(rows, 1):
        found = _DIRECTIVE.fullmatch(row)
        name = found[1].lower() if found else ""
        if found is None or name not in _DIRECTIVES:
            break
        if name in seen:
            raise DockerfileError(number, f"a second # {name}= directive")
        seen.add(name)
        value = found[2]
        if name == "escape":
            if value not in ("\\", "`"):
                raise DockerfileError(number, f"# escape={value} is neither \\ nor `")
            escape = value
        elif name == "syntax" and not _OWN_SYNTAX.fullmatch(value.split()[0]):
            raise UnsupportedError(number, f"# syntax={value}: it knows Docker's own Dockerfile only")
    return escape


def _instructions(rows: Sequence[str], escape: str) -> Iterator[Line]:
    mark = re.escape(escape)
    continued = re.compile(f"(?<!{mark}){mark}[ \\t]*$")  # one that is escaped itself continues nothing
    at = 0
    while at < len(rows):
        number, text, goes_on = at + 1, "", True
        while goes_on and at < len(rows):
            row = rows[at] if text else rows[at].lstrip()
            at += 1
            if not row.strip() and text:
                continue
            if not _COMMENT.match(row):
                text += continued.sub("", row)
                goes_on = continued.search(row) is not None
            elif not text:
                goes_on = False
        if not text.strip():
            continue
        line = _split(number, text)
        names = _heredocs(line, escape)
        for name, strips_tabs in names:
            at = _after_heredoc(rows, at, name, strips_tabs=strips_tabs, number=number)
        yield Line(number=number, keyword=line.keyword, flags=line.flags, rest=line.rest, has_heredoc=bool(names))


def _split(number: int, text: str) -> Line:
    keyword, rest = _partition(text.strip())
    flags = []
    while rest.startswith("--"):
        flag, rest = _partition(rest)
        if flag == "--":
            break
        flags.append(flag)
    return Line(number=number, keyword=keyword.upper(), flags=tuple(flags), rest=rest)


def _partition(text: str) -> tuple[str, str]:
    first, *more = text.split(None, 1)
    return first, more[0] if more else ""


def _heredocs(line: Line, escape: str) -> list[tuple[str, bool]]:
    """The heredocs that an instruction opens: their names, and whether tabs before them are left out ("<<-")."""
    if line.keyword not in _WITH_HEREDOCS or "<<" not in line.rest:
        return []
    words = map(_HEREDOC.fullmatch, split_words(line.rest, escape))
    return [(found[3], bool(found[1])) for found in words if found]


def _after_heredoc(rows: Sequence[str], at: int, name: str, *, strips_tabs: bool, number: int) -> int:
    """Where the text goes on after a heredoc."""
    for end in range(at, len(rows)):
        if (rows[end].lstrip("\t") if strips_tabs else rows[end]) == name:
            return end + 1
    raise DockerfileError(number, f"the heredoc {name} has no end")
