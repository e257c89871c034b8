"""One run as it goes: its edges, what is known for the report, and the only place where it waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from kdeploy.errors import InterruptedBySignalError, KdeployError
from kdeploy.events import Emit, Event, Heartbeat, Judged, Noted, Phase, PhaseEnded, PhaseStarted, Progressed, Warned
from kdeploy.model import CheckResult, Culprit, Image, Operation, Outcome, PodCounts, Reason, Target, Verdict
from kdeploy.ports import (
    Builder,
    Clock,
    Cluster,
    History,
    Interrupted,
    Interrupts,
    Notice,
    Prober,
    Reconnected,
    Registry,
)
from kdeploy.report.value import ImageReport, Report, TargetReport, Timings, image_report, restored_report
from kdeploy.rollout.revisions import live_revision
from kdeploy.text import bug

HEARTBEAT = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Everything that a story may touch."""

    clock: Clock
    cluster: Cluster
    prober: Prober
    registry: Registry
    builder: Builder | None
    history: History
    interrupts: Interrupts
    emit: Emit


@dataclass(slots=True, kw_only=True)
class Run:
    """The journal of one run: grows while the story is told, becomes the report at its end."""

    edges: Edges
    target: Target
    started: float
    patched: float = 0.0
    deploy_id: str | None = None
    commit: str | None = None
    url: str | None = None
    containers: tuple[str, ...] = ()
    image: Image | None = None
    restoring: str | None = None
    previous: str | None = None
    revision: str | None = None
    rolled_back_to: str | None = None
    patch: tuple[Operation, ...] | None = None
    culprits: tuple[Culprit, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    warnings: list[str] = field(default_factory=list)
    timings: Timings = field(default_factory=Timings)
    signal: int | None = None
    _shown: tuple[str, PodCounts] | None = None
    _phase_started: float = 0.0
    _last_news: float = 0.0

    def now(self) -> float:
        """Monotonic seconds."""
        return self.edges.clock.now()

    def emit(self, event: Event) -> None:
        """Tells the renderers. A bug of theirs is a warning: what is shown decides nothing about production."""
        self._last_news = self.now()
        try:
            self.edges.emit(event)
        except KdeployError:  # a signal's: before the patch it ends the run, wherever it is
            raise
        except Exception as error:
            message = f"an event could not be shown: {bug(error)}"
            if message not in self.warnings:
                self.warnings.append(message)

    def warn(self, message: str) -> None:
        """Something a person should know, once: shown at once and kept for the report."""
        if message not in self.warnings:
            self.warnings.append(message)
            self.emit(Warned(message=message))

    @contextmanager
    def phase(self, phase: Phase, detail: str = "") -> Iterator[None]:
        """Frames a step and notes how long it took."""
        self._phase_started = self.now()
        self._shown = None
        self.emit(PhaseStarted(phase=phase, detail=detail))
        begun, failed = self._phase_started, True
        try:
            yield
            failed = False
        finally:
            seconds = self.now() - begun
            if phase.value in Timings.__dataclass_fields__:
                self.timings = replace(self.timings, **{phase.value: seconds})
            self.emit(PhaseEnded(phase=phase, seconds=seconds, failed=failed))

    def show(self, phase: Phase, message: str, pods: PodCounts) -> None:
        """News of a rollout, if it is news."""
        if (message, pods) != self._shown:
            self._shown = (message, pods)
            self.emit(Progressed(phase=phase, message=message, pods=pods))

    def next(self, phase: Phase, until: float) -> Notice | None:
        """The only wait: the next notice, None at `until`. Shows a sign of life each 30 s; keeps a signal in mind."""
        notice = self.edges.cluster.next(min(until, self._last_news + HEARTBEAT))
        if isinstance(notice, Interrupted):
            self.signal = notice.signal
        elif isinstance(notice, Reconnected):
            self.emit(Noted(message=notice.message))
        elif notice is None and self.now() >= self._last_news + HEARTBEAT:
            message = self._shown[0] if self._shown else ""
            self.emit(Heartbeat(phase=phase, message=message, seconds=self.now() - self._phase_started))
        return notice

    def judged(self, phase: Phase, verdict: Verdict) -> Verdict:
        """Tells the verdict that ends a wait, and passes it on."""
        self.emit(Judged(phase=phase, verdict=verdict))
        return verdict

    def report(self, outcome: Outcome, reason: Reason, message: str, hint: str = "") -> Report:
        """The journal as the report. It names the revision that is live, where the workload was looked at."""
        live = live_revision(self.edges.cluster.snapshot())
        self.revision = str(live.number) if live else None
        code = 128 + self.signal if outcome is Outcome.INTERRUPTED and self.signal else outcome.exit_code
        return Report(
            outcome=outcome,
            exit_code=code,
            reason=reason,
            message=message,
            hint=hint,
            warnings=tuple(self.warnings),
            deploy_id=self.deploy_id,
            commit=self.commit,
            api_requests=self.edges.cluster.requests,
            timings=replace(self.timings, total=self.now() - self.started),
            deploys=(self._target_report(outcome, reason, message),),
        )

    def stopped(self, error: KdeployError) -> Report:
        """The report of a run that ended before the workload was touched."""
        if isinstance(error, InterruptedBySignalError):
            self.signal = error.signal
        report = self.report(error.outcome, error.reason, error.message, error.hint)
        return replace(report, location=error.location)

    def _target_report(self, outcome: Outcome, reason: Reason, message: str) -> TargetReport:
        return TargetReport(
            outcome=outcome,
            reason=reason,
            message=message,
            target=self.target,
            cluster=self.edges.cluster.name,
            containers=self.containers,
            image=self._image_report(),
            revision=self.revision,
            rolled_back_to=self.rolled_back_to,
            patch=self.patch,
            url=self.url,
            culprits=self.culprits,
            checks=self.checks,
        )

    def _image_report(self) -> ImageReport | None:
        """The image that this run points the workload at: its own, or by hand an earlier one's."""
        if self.image:
            return image_report(self.image, self.previous)
        return restored_report(self.restoring, self.previous) if self.restoring else None
