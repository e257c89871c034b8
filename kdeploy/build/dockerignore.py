"""Which files .dockerignore keeps from the builder, by the rules of Docker's own matcher. Pure.

The rules: https://docs.docker.com/build/concepts/context/#syntax and https://github.com/moby/patternmatcher. The docker
SDK has a matcher too, but it takes no notice of case, and so it leaves out files that BuildKit sends.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line: what matches is left out, or with `is_exception` ("!") taken in again."""

    pattern: re.Pattern[str]
    is_exception: bool = False


def parse_dockerignore(text: str) -> tuple[Rule, ...]:
    """The rules of a .dockerignore file in their order; a pattern that is none (Docker refuses it) is left out."""
    return tuple(_rules(text.removeprefix("\ufeff").splitlines()))


def is_ignored(path: str, rules: Sequence[Rule]) -> bool:
    """Whether the last rule that matches `path` (relative, with slashes) or a folder above it leaves it out."""
    parts = path.split("/")
    places = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    ignored = False
    for rule in rules:
        if any(rule.pattern.fullmatch(place) for place in places):
            ignored = not rule.is_exception
    return ignored


def _rules(lines: Sequence[str]) -> Iterator[Rule]:
    for line in lines:
        text = line.strip()
        if not text or line.startswith("#"):
            continue
        body = text.removeprefix("!").strip()
        clean = posixpath.normpath(body).lstrip("/")
        try:
            yield Rule(pattern=re.compile(_to_regex(clean), re.DOTALL), is_exception=text.startswith("!"))
        except re.error:
            continue


def _to_regex(pattern: str) -> str:
    """Go's filepath.Match with "**" for any number of folders."""
    regex, at = "", 0
    while at < len(pattern):
        if found := _DOUBLE_STAR.match(pattern, at):
            regex += ".*" if found.end() == len(pattern) else "(?:.*/)?"
        elif found := _CLASS.match(pattern, at):
            regex += found[0]
        else:
            found = _ESCAPED_OR_ANY.match(pattern, at)
            assert found
            regex += _WILD.get(found[0]) or re.escape(found[0].removeprefix("\\") or "\\")
        at = found.end()
    return regex


_DOUBLE_STAR = re.compile(r"\*\*/?")
_CLASS = re.compile(r"\[(?:\\.|[^\]\\])+\]", re.DOTALL)
_ESCAPED_OR_ANY = re.compile(r"\\.|.", re.DOTALL)
_WILD = {"*": "[^/]*", "?": "[^/]"}
