"""Looks for Dockerfiles below a folder: not far, and not where other people's code lies."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from kdeploy.init.dockerfile import Dockerfile, read_hints

_NAME = re.compile(r"(?:(?:Docker|Container)file(?:\.[\w.-]+)?|[\w.-]+\.(?:Docker|Container)file)")
_FOREIGN = frozenset({"node_modules", "vendor", "venv", "third_party", "target", "dist"})
_DEEPEST = 3
_MOST = 50
_LARGEST = 256 * 1024


def find_dockerfiles(folder: Path) -> tuple[Dockerfile, ...]:
    """Those in the folder and up to three below, the nearest first; one named plainly goes before Dockerfile.dev."""
    found = sorted(_walk(folder), key=lambda path: (path.count("/"), path.rpartition("/")[2] != "Dockerfile", path))
    return tuple(read_hints(path, _text(folder / path)) for path in found[:_MOST])


def _walk(folder: Path) -> Iterator[str]:
    for at, folders, files in os.walk(folder):  # it follows no links, and passes over what it may not read
        below = Path(at).relative_to(folder)
        deep = len(below.parts) >= _DEEPEST
        folders[:] = [] if deep else [n for n in folders if not n.startswith(".") and n not in _FOREIGN]
        yield from (str(below / name) for name in files if _NAME.fullmatch(name) and not name.endswith(".dockerignore"))


def _text(path: Path) -> str:
    try:
        if not path.is_file():  # to open a named pipe would wait for ever
            return ""
        with path.open("rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""
