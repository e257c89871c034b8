"""Text that others wrote, made safe to stand in YAML, in a comment, and in Groovy. Pure."""

from __future__ import annotations

import re

import yaml

from kdeploy.text import one_line

_PLAIN = re.compile(r"(?:[A-Za-z/]|\./)(?:[A-Za-z0-9/._:@+-]| (?! ))*[A-Za-z0-9/]|[A-Za-z/.]")


def scalar(value: object) -> str:
    """`value` as a YAML scalar: plain where every reader takes it for that very text, else in double quotes.

    Escapes are those of https://yaml.org/spec/1.2.2/#57-escaped-characters.
    """
    if isinstance(value, int):
        return str(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and yaml.safe_load(text) == text and text.lower() not in ("y", "n"):
        return text
    return f'"{"".join(map(_escaped, text))}"'


def comment(text: str) -> str:
    """`text` on one line, as the rest of a comment."""
    return one_line(text, 200)


def groovy(text: str) -> str:
    """`text` as a Groovy string in single quotes, in which nothing is replaced."""
    inside = "".join(_groovy_escaped(char) for char in text)
    return f"'{inside}'"


def _escaped(char: str) -> str:
    code = ord(char)
    if char in '"\\':
        return f"\\{char}"
    if 0xD800 <= code <= 0xDFFF:  # a file name's byte that is no UTF-8
        return "\\uFFFD"
    if char.isprintable():
        return char
    return f"\\U{code:08X}"


def _groovy_escaped(char: str) -> str:
    if char in "'\\":
        return f"\\{char}"
    if char.isprintable() and ord(char) < 0xD800:
        return char
    return "".join(f"\\u{unit:04X}" for unit in _utf16(char))


def _utf16(char: str) -> list[int]:
    data = char.encode("utf-16-be", "replace")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
