"""--report, --junit, --dotenv and --trace: whether they can be written, found before anything is done; the writing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdeploy.config.flags import FILES, Flags
from kdeploy.errors import ConfigError
from kdeploy.report.files import AS_JUNIT, Write, as_dotenv, as_json, make_folder, write_whole
from kdeploy.report.redact import Redactor
from kdeploy.report.value import Report
from kdeploy.text import one_line

REPORT = "kdeploy-report.json"
"""Where the action writes the report if nobody says where, so that the output `report` names a file."""


def make_way(flags: Flags) -> tuple[Flags, ConfigError | None]:
    """`flags` without the files that cannot be written, and what is wrong with the first of those.

    An earlier run's files are removed: they must not be taken for this one's, should this one be killed or not even
    begin. It also makes the end quicker: to put a file in another's place, ext4 first sends it to the disk
    (auto_da_alloc).
    """
    given = {name: file for name in FILES if (file := getattr(flags, name))}
    wrong = {name: error for name, file in given.items() if (error := _check(f"--{name}", file))}
    without: dict[str, Any] = dict.fromkeys(wrong)
    return replace(flags, **without), next(iter(wrong.values()), None)


def files_of(flags: Flags) -> tuple[str, ...]:
    """What kdeploy writes, or an action before it in the same job has written: no part of what is built."""
    return (*(file for name in FILES if (file := getattr(flags, name))), REPORT)


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
    path = Path(file)
    try:
        if path.is_dir():
            return unwritable(flag, file, "it is a folder")
        if not path.parent.is_dir() and not _is_ours(path.parent):
            return unwritable(flag, file, "its folder does not exist")
        make_folder(path.parent)
        if path.is_file() and not path.is_symlink():
            path.unlink()
    except OSError as error:
        return unwritable(flag, file, error.strerror or "")
    return None if os.access(path.parent, os.W_OK | os.X_OK) else unwritable(flag, file, "its folder is not writable")


def _is_ours(folder: Path) -> bool:
    """Whether it may be made: below the working directory. A path of another machine, as a container gets it where
    the workspace has two names, would seem to work; and a checkout's links may lead anywhere.
    """
    return Path(os.path.realpath(folder)).is_relative_to(Path.cwd())
