"""Secrets that other programs must read from a file: 0600 in a folder of 0700, removed before the process ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_folders: list[Path] = []
# As global as the process's own files, which it mirrors: `remove_all` is the last thing that a command does.


def keep(name: str, text: str) -> Path:
    """Writes `text` to a file called `name` that only this user may read. Raises OSError."""
    folder = Path(tempfile.mkdtemp(prefix="kdeploy-", dir=_place()))
    _folders.append(folder)
    file = folder / name
    with os.fdopen(
        os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", errors="surrogateescape"
    ) as stream:
        stream.write(text)
    return file


def is_kept(file: str) -> bool:
    """Whether `keep` wrote it."""
    return Path(file).parent in _folders


def _place() -> str | None:
    """GitHub's runner empties its own folder after a job, also where the step was killed; else that of the system."""
    runners = os.environ.get("RUNNER_TEMP", "")
    return runners if os.path.isdir(runners) and os.access(runners, os.W_OK) else None  # noqa: PTH112


def remove_all() -> None:
    """Removes all that was kept."""
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)
