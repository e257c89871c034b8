"""What the command line needs of this package, in three lines:

    with renderer(output, out=sys.stdout, err=sys.stderr, clock=clock, redactor=redactor, live=...) as shown:
        report = deploy(..., emit=shown.emit)
        shown.finish(report)

Progress and the summary go to `err`, what `-o json` and `-o jsonl` ask for goes to `out`. Leaving the block, in
whatever way, gives the terminal back. A signal must therefore become an exception or a notice: the default action of
SIGTERM runs no Python code (the drawing then simply stops; the cursor was never hidden).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Literal, Self, TextIO

from kdeploy.errors import InterruptedBySignalError
from kdeploy.events import Event
from kdeploy.ports import Clock
from kdeploy.report.files import open_private
from kdeploy.report.folding import Folding
from kdeploy.report.redact import Redactor
from kdeploy.report.sinks import JsonLinesSink, JsonSink, PlainSink, Sink, shows_at
from kdeploy.report.value import Report

Output = Literal["human", "json", "jsonl"]


class Renderer:
    """Hands each event and the report to every sink, its texts cleaned and its secrets masked. Threads may `emit`.

    Output must never end a deploy: a sink that fails (a closed pipe, a full disk) is dropped, and the report that the
    others get says so.
    """

    def __init__(self, sinks: Sequence[Sink], redactor: Redactor) -> None:
        self._sinks = list(sinks)
        self._redactor = redactor
        self._lost: list[str] = []
        self._lock = Lock()

    @property
    def lost(self) -> tuple[str, ...]:
        """What could not be written, a sentence each; for whoever writes the report file."""
        return tuple(self._lost)

    def add(self, sink: Sink) -> None:
        """From now on the events, and the report, go to `sink` too."""
        with self._lock:
            self._sinks.append(sink)

    def emit(self, event: Event) -> None:
        """Shows one event. Never raises for a sink's failure."""
        with self._lock:
            scrubbed = self._redactor.scrub(event)
            self._each(lambda sink: sink.emit(scrubbed))

    def finish(self, report: Report) -> None:
        """Shows how it ended, and closes. Once, at the end."""
        with self._lock:
            scrubbed = self._redactor.scrub(replace(report, warnings=(*report.warnings, *self._lost)))
            self._each(lambda sink: sink.finish(scrubbed))
        self.close()

    def close(self) -> None:
        """Gives the terminal and the files back. Does nothing the second time."""
        with self._lock:
            self._each(lambda sink: sink.close())

    def _each(self, act: Callable[[Sink], None]) -> None:
        for sink in tuple(self._sinks):
            try:
                act(sink)
            except InterruptedBySignalError:
                raise
            except Exception as error:  # whatever it is: a deploy in mid-rollout matters more than its output
                self._sinks.remove(sink)
                self._lost.append(f"output to {sink.title} stopped: {type(error).__name__}: {error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def renderer(
    output: Output,
    *,
    out: TextIO,
    err: TextIO,
    clock: Clock,
    redactor: Redactor,
    live: bool = False,
    verbosity: int = 0,
    token: str | None = None,
    folding: Folding | None = None,
    trace: Path | None = None,
    more: Sequence[Sink] = (),
) -> Renderer:
    """The renderer for `-o OUTPUT`. Raises OSError where the trace file cannot be written.

    live: draw on the terminal `err` (see `wants_live`). verbosity: -1 for `-q` (only warnings and the end), 0, or 1 for
    `-v` (notes too). token: on GitHub `secrets.token_hex(16)`, elsewhere None. folding: see `sinks.PlainSink`.
    trace: every event as a line of JSON. more: sinks that come last. With jsonl the events are the progress: `err` gets
    only warnings and the end.
    """
    sinks: list[Sink] = []
    if trace is not None:
        sinks.append(JsonLinesSink(open_private(trace), clock=clock, title="the trace file", owns=True))
    if output == "jsonl":
        sinks.append(JsonLinesSink(out, clock=clock))
    shows = shows_at(-1 if output == "jsonl" else verbosity)
    live = live and verbosity >= 0 and output != "jsonl"
    if live:
        from kdeploy.report.live import LiveSink

        sinks.append(LiveSink(err, clock=clock, redact=redactor, shows=shows))
    else:
        sinks.append(PlainSink(err, clock=clock, redact=redactor, shows=shows, token=token, folding=folding))
    if output == "json":
        sinks.append(JsonSink(out))
    return Renderer([*sinks, *more], redactor)


def wants_live(*, tty: bool, env: Mapping[str, str]) -> bool:
    """Whether the live view suits a stream: a terminal, not a dumb one, without NO_COLOR and not in a CI."""
    in_ci = env.get("CI", "").lower() not in ("", "0", "false")
    return tty and not env.get("NO_COLOR") and env.get("TERM") not in (None, "", "dumb") and not in_ci
