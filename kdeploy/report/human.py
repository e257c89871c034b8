"""Events as plain lines for a CI's log or a pipe: one short line where something changed, none where nothing did. Pure.

▸ build ghcr.io/acme/web:3f2c1a9
  │ #7 [2/4] RUN pip install .
✓ build 12.4s
"""

from __future__ import annotations

from kdeploy.events import (
    BuildOutput,
    CheckEnded,
    Event,
    Heartbeat,
    ImageReady,
    Judged,
    Noted,
    Patched,
    PhaseEnded,
    PhaseStarted,
    Progressed,
    Warned,
)
from kdeploy.model import CheckResult, PodCounts, Verdict
from kdeploy.report.view import View
from kdeploy.report.wording import UNICODE, Marks, counted, duration, plural, short
from kdeploy.text import clean, one_line

OUTPUT_WIDTH = 400


def lines(event: Event, view: View, marks: Marks = UNICODE) -> list[str]:
    """The lines that tell of `event`; `view` is what was known before it. Empty where it brings nothing new."""
    match event:
        case PhaseStarted():
            return [_joined(marks.begin, event.phase.value, event.detail)]
        case PhaseEnded():
            return [_phase_ended(event, view, marks)]
        case BuildOutput():
            return _output(event.line, marks)
        case Progressed():
            return _progressed(event, view)
        case Judged():
            return _judged(event.verdict, view, marks)
        case CheckEnded():
            return [check_line(event.result, marks)]
        case _:
            return [_news(event, marks)]


def _news(event: ImageReady | Patched | Heartbeat | Warned | Noted, marks: Marks) -> str:
    match event:
        case ImageReady():
            reused = " (reused: the tag is already there)" if event.image.reused else ""
            return f"  image {one_line(event.image.reference)}{reused}"
        case Patched():
            verb = "restored" if event.restore else "patched"
            return f"  {verb} to {short(event.image)}, generation {event.generation}"
        case Heartbeat():
            return f"  still waiting after {event.seconds:.0f}s: {one_line(event.message) or event.phase.value}"
        case Warned():
            return f"{marks.warning} warning: {one_line(event.message)}"
        case Noted():
            return f"  {one_line(event.message)}"


def check_line(result: CheckResult, marks: Marks = UNICODE) -> str:
    """One check's result: "  ✗ check health: 3 of 20 samples failed: HTTP 500"."""
    if result.passed:
        tail = f"{plural(result.samples, 'sample')}, {result.failures} failed"
        return f"  {marks.good} check {one_line(result.name)}: {tail}"
    tail = f"{result.failures} of {plural(result.samples, 'sample')} failed" if result.samples else "no sample"
    why = f": {one_line(result.message)}" if result.message else ""
    return f"  {marks.bad} check {one_line(result.name)}: {tail}{why}"


def _phase_ended(event: PhaseEnded, view: View, marks: Marks) -> str:
    phase = view.find(event.phase)
    failed = event.failed or (phase is not None and phase.failed)
    mark = marks.bad if failed else marks.good
    return _joined(mark, f"{event.phase.value} {duration(event.seconds)}", event.detail)


def _progressed(event: Progressed, view: View) -> list[str]:
    if (event.message, event.pods) == (view.message, view.pods):
        return []
    counts = f" ({counted(event.pods)})" if event.pods != PodCounts() else ""
    return [f"  {one_line(event.message)}{counts}"]


def _judged(verdict: Verdict, view: View, marks: Marks) -> list[str]:
    if verdict.passed:
        return [f"  {one_line(verdict.message)}"] if verdict.message else []
    if view.check and verdict.message.startswith(view.check):
        return []  # the check's own line, just before, has said it; the summary will once more
    return [f"{marks.bad if verdict.is_final else ' '} {verdict.reason.value}: {one_line(verdict.message)}"]


def _output(text: str, marks: Marks) -> list[str]:
    shown = (clean(line, OUTPUT_WIDTH).rstrip() for line in clean(text, len(text) + 1).split("\n"))
    return [f"  {marks.log} {line}" for line in shown if line]


def _joined(*parts: str) -> str:
    return " ".join(filter(None, (one_line(part) for part in parts)))
