"""--report, --junit, --dotenv and --trace: whether they can be written, found before anything is done; the writing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from kdeploy.config.flags import Flags
from kdeploy.errors import ConfigError
from kdeploy.report.files import AS_JUNIT, Write, as_dotenv, as_json, write_whole
from kdeploy.report.redact import Redactor
from kdeploy.report.value import Report
from kdeploy.text import one_line

FILES = ("report", "junit", "dotenv", "trace")
REPORT = "kdeploy-report.json"
"""Where the action writes the report if nobody says where, so that the output `report` always names a file."""


def find_unwritable(flags: Flags) -> ConfigError | None:
    """What is wrong with the first file that cannot be written."""
    given = {f"--{name}": getattr(flags, name) for name in FILES}
    return next((error for flag, file in given.items() if file and (error := _check(flag, file))), None)


def files_of(flags: Flags) -> tuple[str, ...]:
    """What kdeploy writes, or an action before it in the same job has written: no part of what is built."""
    return (*(file for name in FILES if (file := getattr(flags, name))), REPORT)


def remove_old(flags: Flags) -> None:
    """An earlier run's files must not be taken for this one's, should this one be killed.

    It also makes the end quicker: to put a file in another's place, ext4 first sends it to the disk (auto_da_alloc).
    """
    for file, _ in _wanted(flags):
        with contextlib.suppress(OSError):  # it will be told at the end, when the new one cannot be written either
            if file.is_file() and not file.is_symlink():
                file.unlink()


def write_files(flags: Flags, report: Report, redact: Redactor) -> tuple[str, ...]:
    """Writes those that are asked for; what went wrong, a sentence a file."""
    scrubbed, problems = redact.scrub(report), []
    for file, text in _wanted(flags):
        try:
            write_whole(file, text(scrubbed))
        except OSError as error:
            problems.append(f"the report could not be written to {one_line(str(file), 120)}: {error.strerror}")
    return tuple(problems)


def unwritable(flag: str, file: str, problem: str) -> ConfigError:
    """The error for a file that cannot be written."""
    return ConfigError(
        f"{flag} {one_line(file, 120)} cannot be written: {problem}", hint="make the folder, or name another file"
    )


def _wanted(flags: Flags) -> Iterator[tuple[Path, Write]]:
    if flags.report:
        yield Path(flags.report), as_json
    if flags.junit:
        yield Path(flags.junit), AS_JUNIT
    if flags.dotenv:
        yield Path(flags.dotenv), as_dotenv(flags.report or "")


def _check(flag: str, file: str) -> ConfigError | None:
    try:
        if Path(file).is_dir():
            return unwritable(flag, file, "it is a folder")
    except OSError as error:  # a name that is too long
        return unwritable(flag, file, error.strerror or "")
    folder = Path(file).parent
    if not folder.is_dir():
        return unwritable(flag, file, "its folder does not exist")
    return None if os.access(folder, os.W_OK | os.X_OK) else unwritable(flag, file, "its folder is not writable")
