r"""Words, quotes and variables of a Dockerfile. Pure.

The rules: https://docs.docker.com/reference/dockerfile/#environment-replacement, and BuildKit's own lexer
(frontend/dockerfile/shell/lex.go): $X, ${X}, ${X:-word}, ${X:+word}, ${X:?word} (with and without the colon),
${X#pattern}, ${X##pattern}, ${X%pattern}, ${X%%pattern}, ${X/pattern/new}, ${X//pattern/new}.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_MAX_DEPTH = 20
_NAME = re.compile(r"[0-9]+|[@*#?$!-]|[^\W\d]\w*")


class WordError(ValueError):
    """A word that cannot be read; the text says why, as half a sentence."""


def split_words(text: str, escape: str) -> list[str]:
    """The words of a line, divided by white space outside of quotes; quotes and escapes stay in them."""
    words: list[str] = []
    word, quote, at = "", "", 0
    while at < len(text):
        char = text[at]
        if char == escape and quote != "'":
            word += text[at : at + 2] if at + 1 < len(text) else ""
            at += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        if char.isspace() and not quote:
            words += [word] if word else []
            word = ""
        else:
            word += char
        at += 1
    return [*words, word] if word else words


def expand(text: str, variables: Mapping[str, str], escape: str = "\\") -> str:
    """`text` with its variables replaced, its quotes removed and its escapes resolved. Raises WordError."""
    return _Lexer(text=text, variables=variables, escape=escape).read("", raw=False).text


def expand_words(text: str, variables: Mapping[str, str], escape: str = "\\") -> list[str]:
    """As `expand`, then divided by the white space that is not quoted. Raises WordError."""
    return _Lexer(text=text, variables=variables, escape=escape).read("", raw=False).words()


@dataclass(slots=True)
class _Out:
    """What was read so far; `quoted` holds for each character whether it divides no words."""

    text: str = ""
    quoted: list[bool] = field(default_factory=list)

    def add(self, text: str, *, quoted: bool) -> None:
        self.text += text
        self.quoted += [quoted] * len(text)

    def words(self) -> list[str]:
        marked = "".join("\0" if c.isspace() and not q else c for c, q in zip(self.text, self.quoted, strict=True))
        return [word for word in marked.split("\0") if word]


@dataclass(slots=True, kw_only=True)
class _Lexer:
    text: str
    variables: Mapping[str, str]
    escape: str
    at: int = 0
    depth: int = 0

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def next(self) -> str:
        char = self.peek()
        self.at += len(char)
        return char

    def read(self, stop: str, *, raw: bool) -> _Out:
        """Reads up to `stop`, past it; "" is the end. `raw` keeps the escapes, which patterns need."""
        out = _Out()
        while (char := self.next()) != stop:
            if not char:
                raise WordError(f'"{stop}" is missing in a ${{...}}')
            if char == "'":
                out.add(self._single_quoted(), quoted=True)
            elif char == '"':
                out.add(self._double_quoted(raw=raw), quoted=True)
            elif char == "$":
                out.add(self._dollar(), quoted=False)
            elif char == self.escape:
                escaped = self.next()
                out.add((char if raw else "") + escaped, quoted=True)
            else:
                out.add(char, quoted=False)
        return out

    def _single_quoted(self) -> str:
        end = self.text.find("'", self.at)
        if end < 0:
            raise WordError("a ' has no end")
        found, self.at = self.text[self.at : end], end + 1
        return found

    def _double_quoted(self, *, raw: bool) -> str:
        found = ""
        while (char := self.next()) != '"':
            if not char:
                raise WordError('a " has no end')
            if char == "$":
                char = self._dollar()
            elif char == self.escape and self.peek() in ('"', "$", self.escape):
                char = (char if raw else "") + self.next()
            found += char
        return found

    def _dollar(self) -> str:
        if self.peek() != "{":
            name = self._name()
            return self.variables.get(name, "") if name else "$"
        self.next()
        name = self._name()
        if not name:
            raise WordError("a ${...} names no variable")
        value = self.variables.get(name)
        operator = self.next()
        if operator == "}":
            return value or ""
        if operator == ":":
            operator = self.next()
            return self._conditional(name, value or None, operator, f":{operator}")
        if operator and operator in "#%":
            return self._trimmed(value or "", operator)
        if operator == "/":
            return self._replaced(value or "")
        return self._conditional(name, value, operator, operator)

    def _name(self) -> str:
        found = _NAME.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found[0] if found else ""

    def _conditional(self, name: str, value: str | None, operator: str, shown: str) -> str:
        if operator not in ("-", "+", "?"):
            raise WordError(f"${{{name}{shown}...}} is no substitution" if operator else '"}" is missing in a ${...}')
        word = self._nested("}", raw=False)
        if operator == "+":
            return "" if value is None else word
        if value is None and operator == "?":
            raise WordError(f"{name}: {word or 'it must have a value'}")
        return word if value is None else value

    def _nested(self, stop: str, *, raw: bool) -> str:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise WordError("its ${...} lie too deep in each other")
        found = self.read(stop, raw=raw).text
        self.depth -= 1
        return found

    def _trimmed(self, value: str, operator: str) -> str:
        """Without the shortest part at one end that matches the pattern; the operator twice: the longest."""
        pattern = self._nested("}", raw=True)
        is_longest = pattern.startswith(operator)
        matches = _pattern(pattern[1:] if is_longest else pattern).fullmatch
        ends = range(len(value) + 1)
        if operator == "#":
            end = next((end for end in (reversed(ends) if is_longest else ends) if matches(value[:end])), 0)
            return value[end:]
        start = next((at for at in (ends if is_longest else reversed(ends)) if matches(value[at:])), len(value))
        return value[:start]

    def _replaced(self, value: str) -> str:
        is_all = self.peek() == "/"
        self.at += is_all
        pattern, new = self._nested("/", raw=True), self._nested("}", raw=True)
        replace: Callable[..., str] = _pattern(pattern).sub
        return replace(lambda _: new, value, count=0 if is_all else 1)


def _pattern(pattern: str) -> re.Pattern[str]:
    """A shell pattern of * and ? as a regular expression; a backslash takes their meaning away."""
    regex, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
            if pattern[at : at + 1] not in ("*", "?", "\\", "/", "}"):
                raise WordError(f"the pattern {pattern!r} has a \\ that escapes nothing")
            char = re.escape(pattern[at])
        else:
            char = {"*": ".*", "?": "."}.get(char) or re.escape(char)
        regex += char
        at += 1
    return re.compile(regex, re.DOTALL)
