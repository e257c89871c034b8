"""Where a run's events and its report go. A sink writes; what it writes is made by the pure renderers beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TextIO

from kdeploy.events import BuildOutput, Event, Noted, Phase, PhaseEnded, PhaseStarted, Warned
from kdeploy.ports import Clock
from kdeploy.report import human, jsonl
from kdeploy.report.files import as_json
from kdeploy.report.folding import Folding, Part
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
    """Plain lines for a CI's log or a pipe. `token`: see `wording.fenced`; build output is fenced as one block.
    `folding`: how each phase becomes a part of the log that may be folded, None for not at all.
    """

    title = "stderr"

    def __init__(
        self,
        stream: TextIO,
        *,
        clock: Clock,
        redact: Redactor,
        shows: Shows,
        token: str | None = None,
        folding: Folding | None = None,
    ) -> None:
        self._stream, self._clock, self._redact, self._shows, self._token = stream, clock, redact, shows, token
        self._folding = folding
        self._marks = marks_for(getattr(stream, "encoding", None))
        self._view = View()
        self._fence_is_up = False
        self._folded = 0
        self._open: Part | None = None

    def emit(self, event: Event) -> None:
        """Writes the event's lines, where it has any."""
        shown = human.lines(event, self._view, self._marks) if self._shows(event) else []
        self._view = self._view.after(event, self._clock.now())
        if not shown:
            return
        self._fence(isinstance(event, BuildOutput))
        if isinstance(event, PhaseStarted | PhaseEnded):
            self._unfold()
        lines = [defused(line).replace(self._token or "\0", "***") for line in shown]
        if self._folding and isinstance(event, PhaseStarted):
            self._fold(self._folding, event.phase, defused(lines[0].removeprefix(self._marks.begin).strip()))
        else:
            self._write(*lines)

    def finish(self, report: Report) -> None:
        """Writes the summary."""
        self.close()
        self._write(summary(report, self._marks, self._token))

    def close(self) -> None:
        """Takes the fence down, so that the lines of the step's next program are read as ever; ends what is folded."""
        self._fence(False)
        self._unfold()

    def _fold(self, folding: Folding, phase: Phase, title: str) -> None:
        self._folded += 1
        self._open = Part(number=self._folded, phase=phase, title=title, at=self._seconds())
        self._write(folding.begin(self._open))

    def _unfold(self) -> None:
        if self._folding and self._open:
            part, self._open = self._open, None
            self._write(self._folding.end(replace(part, at=self._seconds())))

    def _seconds(self) -> int:
        return int(self._clock.wall().timestamp())

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
        self._stream.write(as_json(report))
        self._stream.flush()

    def close(self) -> None:
        """Nothing is held."""
