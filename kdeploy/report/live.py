"""The live view of a terminal: what is over stays as lines, what is running is drawn anew below them.

    ✓ build 12.4s
    ⠹ rollout deployment/web  8s
      ████████████░░░░░░░░ new 3/5, ready 3, available 2, old 2
      2 of 5 new pods available

rich is imported only when a view is made. The cursor is never hidden and the screen never switched, so that a terminal
is as it was even after SIGKILL. Hostile text is cleaned before it becomes a rich Text; markup is never parsed.
"""

from __future__ import annotations

import atexit
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from kdeploy.events import BuildOutput, Event, Heartbeat, PhaseEnded, PhaseStarted, Progressed
from kdeploy.model import PodCounts
from kdeploy.ports import Clock
from kdeploy.report import human
from kdeploy.report.redact import Redactor
from kdeploy.report.sinks import Shows
from kdeploy.report.summary import summary
from kdeploy.report.value import Report
from kdeploy.report.view import PhaseView, View
from kdeploy.report.wording import Marks, counted, duration, marks_for
from kdeploy.text import clean, one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

REFRESHES = 4
"""Times a second that the view is drawn anew."""

BAR = 20
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PASSING = (PhaseStarted, BuildOutput, Progressed, Heartbeat)
"""Events that the view shows while they last; they leave no line behind."""


def region(view: View, now: float) -> list[tuple[str, str]]:
    """The lines of what is running at `now`, each with a rich style: the step, its pods, the last news. Pure."""
    running = view.running
    if running is None:
        return []
    rows = [(_headline(running, view, now), "bold")]
    if view.pods != PodCounts():
        rows.append((f"  {bar(view.pods)} {counted(view.pods)}", ""))
    if view.message:
        rows.append((f"  {one_line(view.message)}", ""))
    return rows + [(f"  │ {clean(line, 400).strip()}", "dim") for line in view.output]


def bar(pods: PodCounts, width: int = BAR) -> str:
    """The new revision's pods against those wanted: █ available, ▓ ready, ▒ there, ░ still to come."""
    wanted = max(pods.desired, pods.new, 1)
    edges = [round(width * min(count, wanted) / wanted) for count in (pods.available, pods.ready, pods.new)]
    available, ready, new = edges[0], max(edges[:2]), max(edges)
    return "█" * available + "▓" * (ready - available) + "▒" * (new - ready) + "░" * (width - new)


def _headline(running: PhaseView, view: View, now: float) -> str:
    frame = _SPINNER[int(now * REFRESHES) % len(_SPINNER)]
    spent = int(now - running.since)
    whole = int(now - view.since) if view.since is not None else spent
    total = f" (in all {duration_whole(whole)})" if whole > spent else ""
    return f"{frame} {running.phase.value} {duration_whole(spent)}{total} {one_line(running.detail)}".rstrip()


def duration_whole(seconds: int) -> str:
    """Whole seconds, as a clock that runs: "8s", "1m05s"."""
    return f"{seconds}s" if seconds < 60 else duration(seconds)


class LiveSink:
    """Draws the view on a terminal until the report comes; `close` at any moment takes the drawing away."""

    title = "the terminal"

    def __init__(
        self, stream: TextIO, *, clock: Clock, redact: Redactor, shows: Shows, width: int | None = None
    ) -> None:
        self._clock, self._redact, self._shows = clock, redact, shows
        self._marks = marks_for(getattr(stream, "encoding", None))
        self._view = View()
        self._console = _console(stream, width)
        self._live = self._start()

    def emit(self, event: Event) -> None:
        """Changes the view; prints the event's line above it if it is to stay."""
        stays = self._shows(event) and not isinstance(event, _PASSING)
        above = human.lines(_with_detail(event, self._view), self._view, self._marks) if stays else []
        self._view = self._view.after(event, self._clock.now())
        self._print(above)

    def finish(self, report: Report) -> None:
        """Takes the view away and prints the summary."""
        self.close()
        self._print(summary(report, self._marks).split("\n"))

    def close(self) -> None:
        """Stops drawing; the lines above stay."""
        self._live.stop()
        atexit.unregister(self._live.stop)

    def _start(self) -> Live:
        from rich.live import Live

        live = Live(
            console=self._console,
            get_renderable=self._render,
            refresh_per_second=REFRESHES,
            transient=True,
            redirect_stdout=False,
        )
        atexit.register(live.stop)
        live.start()
        return live

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        width = max(self._console.width - 1, 1)  # the last column stays free: some terminals wrap once it is written
        rows = [Text(self._redact(text), style, no_wrap=True) for text, style in region(self._view, self._clock.now())]
        for row in rows:
            row.truncate(width, overflow="ellipsis")
        # The cursor rests on an empty row: an echoed ^C would else wrap, and the erasing be off by one.
        return Group(*rows, Text()) if rows else Group()

    def _print(self, lines: list[str]) -> None:
        from rich.text import Text

        for line in lines:
            self._console.print(Text(self._redact(line), _style(line, self._marks)), soft_wrap=True)


def _with_detail(event: Event, view: View) -> Event:
    """The end of a step tells on what it was, where it says nothing else: the line of its beginning is not there."""
    if not isinstance(event, PhaseEnded) or event.detail:
        return event
    begun = view.find(event.phase)
    return replace(event, detail=begun.detail if begun else "")


def _console(stream: TextIO, width: int | None) -> Console:
    from rich.console import Console

    class OpenConsole(Console):
        def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002 (rich's signature)
            """Leaves the cursor alone: what was never hidden needs no restoring when the process is killed."""
            return False

    return OpenConsole(file=stream, width=width, force_terminal=True, highlight=False, markup=False, emoji=False)


def _style(line: str, marks: Marks) -> str:
    styles = {marks.good: "green", marks.bad: "bold red", marks.warning: "yellow", marks.log: "dim"}
    return next((style for mark, style in styles.items() if line.lstrip().startswith(mark)), "")
