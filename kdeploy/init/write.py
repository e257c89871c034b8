"""Writes the files of `kdeploy init`: all of them or none, within the checkout, over nothing unasked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kdeploy.errors import ConfigError
from kdeploy.init.files import Written
from kdeploy.text import one_line


def taken(files: Sequence[Written], top: Path) -> tuple[Written, ...]:
    """Those that would replace something else; a file that says the same already is no matter."""
    return tuple(file for file in files if _differs(top / file.path, file.text))


def unchanged(files: Sequence[Written], top: Path) -> tuple[Written, ...]:
    """Those that are there already, byte for byte."""
    there = [file for file in files if os.path.lexists(top / file.path)]
    return tuple(file for file in there if not _differs(top / file.path, file.text))


def refuse_taken(there: Sequence[Written], refused: Sequence[Written]) -> None:
    """Raises ConfigError where one of those that are there may not be overwritten: then none is written."""
    if not refused:
        return
    names = ", ".join(file.path for file in refused)
    force = f"--force overwrites {'it' if len(there) == 1 else 'all that are'}"
    raise ConfigError(
        f"{names} {'is' if len(refused) == 1 else 'are'} there already; nothing was written",
        hint=f"{force}; --dry-run prints what would be written",
    )


def write_all(files: Sequence[Written], top: Path) -> None:
    """Writes them, each in one step, after all were found to be writable. Raises ConfigError."""
    made: list[tuple[str, Path]] = []
    try:
        for file in files:
            path = top / file.path
            _make_folder(path.parent, top)
            if path.is_dir() and not path.is_symlink():
                raise ConfigError(f"{file.path} is a folder", hint="move it away, and run kdeploy init again")
            made.append((_beside(path, file.text), path))
        while made:
            temporary, path = made[0]
            Path(temporary).replace(path)
            made.pop(0)
    except OSError as error:
        raise ConfigError(
            f"{one_line(str(error.filename or top), 160)} cannot be written: {error.strerror}",
            hint="run kdeploy init where you may write",
        ) from None
    finally:
        for temporary, _ in made:
            Path(temporary).unlink(missing_ok=True)


def _make_folder(folder: Path, top: Path) -> None:
    """A link may lead out of the checkout: what is written there is not the repository's."""
    if not folder.resolve().is_relative_to(top.resolve()):
        raise ConfigError(
            f"{one_line(str(folder), 160)} leads out of the checkout", hint="replace the link by a folder"
        )
    folder.mkdir(parents=True, exist_ok=True)


def _beside(path: Path, text: str) -> str:
    """The text in a new file beside `path`, with the permissions that a new file gets."""
    descriptor, name = tempfile.mkstemp(prefix=".kdeploy-", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
    mask = os.umask(0)
    os.umask(mask)
    Path(name).chmod(0o666 & ~mask)
    return name


def _differs(path: Path, text: str) -> bool:
    """Whether there is something else: also a link, wherever it leads."""
    if not os.path.lexists(path):
        return False
    try:
        return path.is_symlink() or not path.is_file() or path.read_bytes() != text.encode()
    except OSError:
        return True
