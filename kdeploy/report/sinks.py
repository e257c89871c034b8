"""Where a run's events and its report go. A sink writes; what it writes is made by the pure renderers beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TextIO

from kdeploy.events import BuildOutput, Event, Noted, PhaseEnded, PhaseStarted, Warned
from kdeploy.ports import Clock
from kdeploy.report import human, jsonl
from kdeploy.report.encode import dumps, encode_report
from kdeploy.report.github.commands import ENDGROUP, group
from kdeploy.report.redact import Redactor
from kdeploy.report.summary import summary
from kdeploy.report.value import Report
from kdeploy.report.view import View
from kdeploy.report.wording import defused, marks_for


class Sink(Protocol):
    """Takes events as they happen, then the report; `close` may be called at any moment, and more than once.

    `title` is what a person calls it where it fails.
    """

    title: str

    def emit(self, event: Event) -> None:
        """Shows or writes one event."""
        ...

    def finish(self, report: Report) -> None:
        """Shows or writes how it ended."""
        ...

    def close(self) -> None:
        """Gives back what it holds: files, the terminal."""
        ...


Shows = Callable[[Event], bool]
"""Which events a person wants to see."""


def shows_at(verbosity: int) -> Shows:
    """-1 (quiet): warnings only. 0: all but notes. 1 (verbose): all."""
    if verbosity < 0:
        return lambda event: isinstance(event, Warned)
    return lambda event: verbosity > 0 or not isinstance(event, Noted)


class PlainSink:
    """Plain lines for a CI's log or a pipe. `token`: see `wording.fenced`; build output is fenced as one block, and
    each phase is a group of lines that GitHub folds.
    """

    title = "stderr"

    def __init__(
        self, stream: TextIO, *, clock: Clock, redact: Redactor, shows: Shows, token: str | None = None
    ) -> None:
        self._stream, self._clock, self._redact, self._shows, self._token = stream, clock, redact, shows, token
        self._marks = marks_for(getattr(stream, "encoding", None))
        self._view = View()
        self._fence_is_up = self._group_is_open = False

    def emit(self, event: Event) -> None:
        """Writes the event's lines, where it has any."""
        shown = human.lines(event, self._view, self._marks) if self._shows(event) else []
        self._view = self._view.after(event, self._clock.now())
        if not shown:
            return
        self._fence(isinstance(event, BuildOutput))
        if isinstance(event, PhaseStarted | PhaseEnded):
            self._end_group()
        if self._token and isinstance(event, PhaseStarted):
            self._group_is_open = True
            title = shown[0].removeprefix(self._marks.begin)
            self._write(group(defused(title).replace(self._token, "***")))
        else:
            self._write(*(defused(line).replace(self._token or "\0", "***") for line in shown))

    def finish(self, report: Report) -> None:
        """Writes the summary."""
        self.close()
        self._write(summary(report, self._marks, self._token))

    def close(self) -> None:
        """Takes the fence down, so that the lines of the step's next program are read as ever, and ends the group."""
        self._fence(False)
        self._end_group()

    def _end_group(self) -> None:
        if self._group_is_open:
            self._group_is_open = False
            self._write(ENDGROUP)

    def _fence(self, up: bool) -> None:
        if self._token is None or up == self._fence_is_up:
            return
        self._fence_is_up = up
        self._write(f"::stop-commands::{self._token}" if up else f"::{self._token}::")

    def _write(self, *lines: str) -> None:
        self._stream.write("".join(f"{self._redact(line)}\n" for line in lines))
        self._stream.flush()


class JsonLinesSink:
    """`-o jsonl` and `--trace FILE`: each event as a line of JSON, the report last. Closes a stream that it `owns`."""

    def __init__(self, stream: TextIO, *, clock: Clock, title: str = "stdout", owns: bool = False) -> None:
        self.title = title
        self._stream, self._clock, self._owns = stream, clock, owns

    def emit(self, event: Event) -> None:
        """Writes one line."""
        self._write(jsonl.line(event, self._clock.wall()))

    def finish(self, report: Report) -> None:
        """Writes the line of type "report"."""
        self._write(jsonl.report_line(report, self._clock.wall()))

    def close(self) -> None:
        """Closes the file, if it is this sink's own."""
        if self._owns:
            self._stream.close()

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class JsonSink:
    """`-o json`: the report, once."""

    title = "stdout"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def emit(self, event: Event) -> None:
        """Nothing: the report has it all."""

    def finish(self, report: Report) -> None:
        """Writes the report."""
        self._stream.write(dumps(encode_report(report), indent=2) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is held."""


def open_private(path: Path) -> TextIO:
    """Opens a text file to be written anew that only its owner may read (0600). Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")


def write_report(path: Path, report: Report, redact: Redactor) -> None:
    """`--report FILE`: the report as JSON, whole or not at all, readable by its owner only. Raises OSError."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open_private(unfinished) as stream:
            JsonSink(stream).finish(redact.scrub(report))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
