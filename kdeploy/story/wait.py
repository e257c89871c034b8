"""Waiting for a rollout: woken by watches, bounded by one clock, decided by `assess` alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kdeploy.errors import ClusterError
from kdeploy.events import Phase
from kdeploy.model import Obj, Reason, Snapshot, State, Verdict
from kdeploy.rollout.assess import Expected, assess, is_settled_by_status, timed_out
from kdeploy.rollout.calm import Calm, hold
from kdeploy.rollout.revisions import new_pods
from kdeploy.story.run import Run

LAST_LOOK = 1.5
"""Seconds that a last fresh read may take when the time is over."""

STALE = 5.0
"""Seconds after which a status that says "complete" and pods that say otherwise are both read again."""


@dataclass(slots=True)
class Evidence:
    """Kubernetes events about suspect pods, fetched once each: a pull's back-off does not say why it failed."""

    run: Run
    events: tuple[Obj, ...] = ()
    asked: set[str] = field(default_factory=set)

    def view(self) -> Snapshot:
        """The latest snapshot, with the events known so far."""
        return replace(self.run.edges.cluster.snapshot(), events=self.events)

    def look_into(self, verdict: Verdict) -> bool:
        """Asks for the events of pods whose image cannot be pulled. True where there is something new to judge."""
        suspects = [c.pod for c in verdict.culprits if c.reason == Reason.IMAGE_PULL_FAILED and c.pod not in self.asked]
        if not suspects:
            return False
        self.asked.update(suspects)
        self.events += self.run.edges.cluster.pod_events(suspects[:3], self.run.now() + LAST_LOOK)
        return True


def wait(
    run: Run, phase: Phase, expected: Expected, until: float, on_view: Callable[[Snapshot], None] | None = None
) -> Verdict:
    """Waits until the rollout is complete, has failed, is somebody else's, or `until` has come.

    `on_view` sees every snapshot first. Always gives a final verdict; raises nothing of the cluster's.
    """
    evidence, begun, reread, calm = Evidence(run), run.now(), run.now() + STALE, Calm()
    while True:
        snapshot = evidence.view()
        if on_view is not None:
            on_view(snapshot)
        if expected.stale.shown:
            expected = replace(expected, stale=expected.stale.after(new_pods(snapshot), run.now()))
        verdict, calm = hold(calm, assess_ours(run, snapshot, expected), snapshot, expected, run.now())
        if verdict.is_final:
            return run.judged(phase, verdict)
        if run.signal is not None:
            return run.judged(phase, interrupted(verdict))
        if run.now() >= until:
            return run.judged(phase, last_look(run, expected, calm, verdict, until - begun))
        run.show(phase, verdict.message, verdict.pods)
        if evidence.look_into(verdict):
            continue
        wake = min(until, reread, calm.until(expected) or until, expected.stale.until() or until)
        if run.next(phase, wake) is None and run.now() >= reread:
            reread = run.now() + STALE
            _reread(run, snapshot)


def last_look(run: Run, expected: Expected, calm: Calm, verdict: Verdict, seconds: float) -> Verdict:
    """The verdict when the time is over, from one more fresh read."""
    try:
        snapshot = run.edges.cluster.refresh(run.now() + LAST_LOOK)
    except ClusterError as error:
        return replace(verdict, state=State.FAILED, reason=Reason.CLUSTER_UNREACHABLE, message=error.message)
    fresh, _ = hold(calm, assess(snapshot, expected), snapshot, expected, run.now())
    return fresh if fresh.is_final else timed_out(snapshot, expected, fresh, seconds)


def assess_ours(run: Run, snapshot: Snapshot, expected: Expected) -> Verdict:
    """As `assess`. That somebody else has changed the workload is final, and nothing is rolled back then: a view that
    lags behind our own patch must not say so, and one fresh read decides.
    """
    verdict = assess(snapshot, expected)
    if verdict.state is not State.SUPERSEDED:
        return verdict
    try:
        fresh = run.edges.cluster.refresh(run.now() + LAST_LOOK)
    except ClusterError as error:  # it is not known whose it is, until there is an answer or no time left
        return replace(verdict, state=State.PROGRESSING, reason=Reason.PROGRESSING, message=error.message)
    return assess(replace(fresh, events=snapshot.events), expected)


def interrupted(verdict: Verdict) -> Verdict:
    """The verdict of a run that was told to end."""
    return replace(verdict, state=State.FAILED, reason=Reason.INTERRUPTED, message="the run was interrupted")


def _reread(run: Run, snapshot: Snapshot) -> None:
    """A stream may be dead while the others live: where status and pods contradict each other, both are read again."""
    if snapshot.workload is None or not is_settled_by_status(snapshot.workload):
        return
    try:
        run.edges.cluster.refresh(run.now() + LAST_LOOK)
    except ClusterError as error:
        run.warn(error.message)
