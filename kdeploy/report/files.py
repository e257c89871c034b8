"""The files that a run leaves: written whole or not at all, for their owner only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from kdeploy.report.dotenv import dotenv
from kdeploy.report.encode import dumps, encode_report
from kdeploy.report.github.outputs import outputs
from kdeploy.report.junit import junit
from kdeploy.report.value import Report

Write = Callable[[Report], str]
"""From a report without secrets to the text of a file."""


def as_json(report: Report) -> str:
    """`--report`."""
    return dumps(encode_report(report), indent=2) + "\n"


def as_dotenv(file: str) -> Write:
    """`--dotenv`, which comes after `--report`; `file` is where that writes, "" for nowhere."""
    return lambda report: dotenv(outputs(report, if_written(file)))


def if_written(file: str) -> str:
    """`file` if it is there, else "": an earlier run's is removed before anything is done."""
    return file if os.path.isfile(file) else ""  # noqa: PTH113  (it raises nothing)


AS_JUNIT: Write = junit
"""`--junit`."""


def open_private(path: Path) -> TextIO:
    """Opens a text file to be written anew that only its owner may read (0600). Raises OSError.

    A link is not followed: a checkout may hold one that leads anywhere. Run by root in somebody else's folder (a
    container in a CI's workspace), the file is that one's, as the job's next step could else not read it.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    _give(descriptor, path.parent)
    return os.fdopen(descriptor, "w", encoding="utf-8")


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it that are missing; root's are the owner's of the one that they lie in, as files
    are. Raises OSError.
    """
    for missing in reversed([one for one in (folder, *folder.parents) if not one.is_dir()]):
        missing.mkdir(mode=0o755, exist_ok=True)  # a run beside this one may have made it
        descriptor = os.open(missing, os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            _give(descriptor, missing.parent)
        finally:
            os.close(descriptor)


def _give(descriptor: int, folder: Path) -> None:
    if os.geteuid() == 0:
        owner = folder.stat()
        with contextlib.suppress(OSError):  # in a user namespace the owner may be nobody that is known
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def write_whole(path: Path, text: str) -> None:
    """Puts `text` in the place of what is at `path`. Raises OSError, and leaves what was there."""
    unfinished = path.with_name(f".{path.name[:64]}.{os.urandom(8).hex()}.tmp")
    try:
        with open_private(unfinished) as stream:
            stream.write(text)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
