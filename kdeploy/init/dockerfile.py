"""What a Dockerfile tells about the app that it makes: its port, and how its health is asked. Pure, and forgiving."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CONTINUED = re.compile(r"\\[ \t]*\r?\n")
_PORT = re.compile(r"(\d{1,5})(?:/tcp)?", re.IGNORECASE)
_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d{1,5}))?(/[\w./~%+-]*)?(?![\w$:{])")
_LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """One of the repository. `path` is from its folder; `ports` are exposed; `health` is a path, "" for none known."""

    path: str
    ports: tuple[int, ...] = ()
    health: str = ""
    health_port: int | None = None


def read_hints(path: str, text: str) -> Dockerfile:
    """The EXPOSE and HEALTHCHECK instructions of the last stage; whatever is not understood is passed over."""
    ports: list[int] = []
    health, health_port = "", None
    for keyword, rest in _instructions(text):
        if keyword == "FROM":
            ports, health, health_port = [], "", None
        elif keyword == "EXPOSE":
            ports += [int(found[1]) for word in rest.split() if (found := _PORT.fullmatch(word)) and _is_port(found[1])]
        elif keyword == "HEALTHCHECK":
            url = _URL.search(rest)
            health = (url[2] or "/") if url else ""
            health_port = int(url[1]) if url and url[1] and _is_port(url[1]) else None
    return Dockerfile(path=path, ports=tuple(dict.fromkeys(ports)), health=health, health_port=health_port)


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line.strip() for line in _CONTINUED.sub(" ", text).splitlines()]
    parts = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    return [(part[0].upper(), part[1] if len(part) > 1 else "") for part in parts]


def _is_port(digits: str) -> bool:
    return 0 < int(digits) <= _LARGEST_PORT
