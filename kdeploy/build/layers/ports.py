"""The ports of EXPOSE. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_PROTOCOLS = ("tcp", "udp", "sctp")
_LAST_PORT = 65_535


def expand_ports(words: Sequence[str]) -> list[str]:
    """Every port with its protocol: "80" is "80/tcp", "7-8/udp" two ports. Raises ValueError, half a sentence."""
    return [port for word in words for port in _ports_of(word)]


def _ports_of(word: str) -> list[str]:
    numbers, _, protocol = word.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in _PROTOCOLS:
        raise ValueError(f"{word!r} has an unknown protocol; known are {', '.join(_PROTOCOLS)}")
    first, dash, last = numbers.partition("-")
    start, end = _number(first, word), _number(last if dash else first, word)
    if end < start:
        raise ValueError(f"{word!r} ends before it begins")
    return [f"{number}/{protocol}" for number in range(start, end + 1)]


def _number(text: str, word: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text[:6]) > _LAST_PORT:
        raise ValueError(f"{word!r} is no port")
    return int(text)
