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
    """One line: what matches, or lies below what matches, is left out, or with `is_exception` ("!") taken in again."""

    pattern: re.Pattern[str]
    is_exception: bool = False


def parse_dockerignore(text: str, *, strict: bool = False) -> tuple[Rule, ...]:
    """The rules of a .dockerignore file in their order.

    A pattern that is none is left out; with `strict` it raises ValueError, as Docker refuses it.
    """
    return tuple(_rules(text.removeprefix("\ufeff").split("\n"), strict=strict))


def is_ignored(path: str, rules: Sequence[Rule]) -> bool:
    """Whether the last rule that matches `path` (relative, with slashes) or a folder above it leaves it out."""
    last = next((rule for rule in reversed(rules) if rule.pattern.fullmatch(path)), None)
    return last is not None and not last.is_exception


def compile_component(pattern: str) -> re.Pattern[str]:
    """A pattern of Go's filepath.Match for one name: "*.py", "app-?", "[a-c]*". Raises re.error where it is none."""
    return re.compile(_to_regex(pattern, any_depth=False), re.DOTALL)


def _rules(lines: Sequence[str], *, strict: bool) -> Iterator[Rule]:
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or line.startswith("#"):
            continue
        body = text.removeprefix("!").strip()
        clean = posixpath.normpath(body).lstrip("/")
        try:
            pattern = re.compile(f"(?:{_to_regex(clean)})(?:/.*)?", re.DOTALL)
        except re.error as error:
            if strict:
                raise ValueError(f"line {number}: {text} is no pattern: {error.msg}") from None
            continue
        yield Rule(pattern=pattern, is_exception=text.startswith("!"))


def _to_regex(pattern: str, *, any_depth: bool = True) -> str:
    """Go's filepath.Match; with "**" for any number of folders where `any_depth` says so."""
    regex, tokens = "", list(_tokens(pattern, any_depth=any_depth))
    while tokens:
        token = tokens.pop(0)
        if token != _STAR:
            regex += token
            continue
        after = next((at for at, one in enumerate(tokens) if one in _ENDS), len(tokens))
        chunk, tokens = tokens[:after], tokens[after:]
        text = "".join(chunk)
        # Of two stars in one name the first takes as little as it can, for good: more would be tried in vain, and for
        # ever. It holds for what stays within the name.
        is_first = tokens[:1] == [_STAR] and not any(re.fullmatch(one, "/") for one in chunk)
        regex += f"(?>{_STAR}?{text})" if is_first else f"{_STAR}{text}"
    return regex


def _tokens(pattern: str, *, any_depth: bool) -> Iterator[str]:
    at = 0
    while at < len(pattern):
        if any_depth and (found := _DOUBLE_STAR.match(pattern, at)):
            yield _REST if found.end() == len(pattern) else _FOLDERS
        elif found := _CLASS.match(pattern, at):
            yield f"[{found[1]}{_class_members(found[2])}]"
        else:
            found = _ESCAPED_OR_ANY.match(pattern, at)
            assert found
            if found[0] == "[":
                raise re.error("a [ without its ]", pattern, at)
            yield _WILD.get(found[0]) or re.escape(found[0].removeprefix("\\") or "\\")
        at = found.end()


def _class_members(text: str) -> str:
    """What stands in brackets; a dash between two characters is a range, and all else means itself."""
    return _ESCAPED_OR_ANY.sub(lambda found: found[0] if found[0] == "-" else re.escape(found[0][-1]), text)


_DOUBLE_STAR = re.compile(r"\*\*/?")
_CLASS = re.compile(r"\[(\^?)((?:\\.|[^\]\\])+)\]", re.DOTALL)
_ESCAPED_OR_ANY = re.compile(r"\\.|.", re.DOTALL)
_STAR, _REST, _FOLDERS = "[^/]*", ".*", "(?:.*/)?"
_WILD = {"*": _STAR, "?": "[^/]"}
_ENDS = frozenset({_STAR, _REST, _FOLDERS, "/"})
