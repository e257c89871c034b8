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
    """`--dotenv`; `file` is where --report writes, "" for nowhere."""
    return lambda report: dotenv(outputs(report, file))


AS_JUNIT: Write = junit
"""`--junit`."""


def open_private(path: Path) -> TextIO:
    """Opens a text file to be written anew that only its owner may read (0600). Raises OSError.

    A link is not followed: a checkout may hold one that leads anywhere. Run by root in somebody else's folder (a
    container in a CI's workspace), the file is that one's, as the job's next step could else not read it.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    if os.geteuid() == 0:
        folder = path.parent.stat()
        with contextlib.suppress(OSError):  # in a user namespace the owner may be nobody that is known
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return os.fdopen(descriptor, "w", encoding="utf-8")


def write_whole(path: Path, text: str) -> None:
    """Puts `text` in the place of what is at `path`. Raises OSError, and leaves what was there."""
    unfinished = path.with_name(f".{path.name[:64]}.{os.urandom(8).hex()}.tmp")
    try:
        with open_private(unfinished) as stream:
            stream.write(text)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
