"""What a person sees of a run at one moment, folded from the events: `view = view.after(event, now)`. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kdeploy.events import (
    BuildOutput,
    CheckEnded,
    Event,
    Heartbeat,
    Judged,
    Noted,
    Phase,
    PhaseEnded,
    PhaseStarted,
    Progressed,
)
from kdeploy.model import PodCounts

NO_PODS = PodCounts()
OUTPUT_LINES = 4
"""Lines of the builder's output that stay in view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseView:
    """A step that has begun: `since` is a moment on the clock, `seconds` is None while it runs.

    `failed` is true once a check failed in it or its verdict was not a good one.
    """

    phase: Phase
    since: float
    detail: str = ""
    seconds: float | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`phases` in the order in which they began; `message` is the last sentence about the running one.

    `check` is the check that failed last, as a verdict tells it: "check NAME: why".
    """

    since: float | None = None
    phases: tuple[PhaseView, ...] = ()
    pods: PodCounts = NO_PODS
    message: str = ""
    output: tuple[str, ...] = ()
    check: str = ""

    @property
    def running(self) -> PhaseView | None:
        """The step that began last and is not over."""
        return next((phase for phase in reversed(self.phases) if phase.seconds is None), None)

    def find(self, phase: Phase) -> PhaseView | None:
        """That step, the latest where it was taken more than once."""
        return next((seen for seen in reversed(self.phases) if seen.phase is phase), None)

    def after(self, event: Event, now: float) -> View:
        """The view once `event` has happened; `now` in seconds on the clock."""
        view = self if self.since is not None else replace(self, since=now)
        match event:
            case PhaseStarted():
                begun = PhaseView(phase=event.phase, since=now, detail=event.detail)
                return replace(view, phases=(*view.phases, begun), pods=PodCounts(), message="", output=())
            case PhaseEnded():
                return replace(
                    view._with(event.phase, seconds=event.seconds, failed=event.failed), message="", output=()
                )
            case BuildOutput():
                return replace(view, output=(*view.output, event.line)[-OUTPUT_LINES:])
            case Progressed():
                return replace(view, pods=event.pods, message=event.message)
            case Heartbeat() | Noted():
                return replace(view, message=event.message or view.message)
            case Judged() if event.verdict.is_final and not event.verdict.passed:
                return replace(view._with(event.phase, failed=True), pods=event.verdict.pods)
            case CheckEnded() if not event.result.passed and view.running is not None:
                told = f"check {event.result.name}: {event.result.message}"
                return replace(view._with(view.running.phase, failed=True), check=told)
            case _:
                return view

    def _with(self, phase: Phase, *, seconds: float | None = None, failed: bool = False) -> View:
        found = self.find(phase)
        if found is None:
            return self
        changed = replace(found, seconds=found.seconds if seconds is None else seconds, failed=found.failed or failed)
        return replace(self, phases=tuple(changed if seen is found else seen for seen in self.phases))
