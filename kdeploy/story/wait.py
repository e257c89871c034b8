"""Waiting for a rollout: woken by watches, bounded by one clock, decided by `assess` alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kdeploy.errors import ClusterError
from kdeploy.events import Phase
from kdeploy.model import Obj, Reason, Snapshot, State, Verdict
from kdeploy.rollout.assess import Expected, assess, is_settled_by_status, timed_out
from kdeploy.rollout.calm import Calm, hold
from kdeploy.rollout.pod_events import in_the_making, suspects
from kdeploy.rollout.revisions import new_pods
from kdeploy.story.run import Run

LAST_LOOK = 1.5
"""Seconds that a last fresh read may take when the time is over."""

STALE = 5.0
"""Seconds after which a status that says "complete" and pods that say otherwise are both read again."""

SUSPECTS = 3
"""Pods whose events are asked for at a time: one speaks for the others."""

CREATED = 10.0
ASKED_AGAIN = 15.0
"""Seconds after which a pod without containers is suspect, and after which it is so once more."""


@dataclass(slots=True)
class Evidence:
    """Kubernetes events about suspect pods, fetched once for what each shows: a back-off does not say why it failed.
    Of pods that are long in the making they are fetched again and again: why may come late. A failed verdict gets one
    look more, and no second: what comes next is more urgent.
    """

    run: Run
    until: float
    events: tuple[Obj, ...] = ()
    asked: set[tuple[str, str]] = field(default_factory=set)
    creating: dict[str, float] = field(default_factory=dict)
    is_over: bool = False

    def view(self) -> Snapshot:
        """The latest snapshot, with the events known so far."""
        return replace(self.run.edges.cluster.snapshot(), events=self.events)

    def look_into(self, verdict: Verdict, snapshot: Snapshot) -> bool:
        """Asks for the events of what is suspect. True where there is something new to judge."""
        if self.is_over or verdict.state in (State.COMPLETE, State.SUPERSEDED):
            return False
        self.is_over = verdict.is_final
        found = suspects(verdict.culprits)
        new = [pod for pod, shown in found.items() if self.is_over or (pod, shown) not in self.asked]
        self.asked.update(found.items())
        return self._ask([*new, *([] if self.is_over else self._long_in_the_making(snapshot))])

    def look_once_more(self, snapshot: Snapshot) -> Snapshot:
        """`snapshot` with the events known, those of pods in the making anew: what held them up may be past."""
        self._ask(in_the_making(new_pods(snapshot)), LAST_LOOK)
        return replace(snapshot, events=self.events)

    def _ask(self, pods: list[str], beyond: float = 0.0) -> bool:
        """True where it asked; not past the end of the time, but for `beyond` seconds."""
        first = pods[:SUSPECTS]
        if first:
            until = min(self.run.now() + LAST_LOOK, self.until + beyond)
            told = self.run.edges.cluster.pod_events(first, until)
            answered = {_pod_of(event) for event in told}  # no answer says nothing: what was known stays
            self.events = (*(event for event in self.events if _pod_of(event) not in answered), *told)
        return bool(first)

    def _long_in_the_making(self, snapshot: Snapshot) -> list[str]:
        """The new pods of which none has a container yet, and of which nobody has asked for a while."""
        now, names = self.run.now(), in_the_making(new_pods(snapshot))
        self.creating = {name: self.creating.get(name, now + CREATED) for name in names}
        due = [name for name, at in self.creating.items() if at <= now][:SUSPECTS]
        self.creating |= dict.fromkeys(due, now + ASKED_AGAIN)
        return due


def wait(
    run: Run, phase: Phase, expected: Expected, until: float, on_view: Callable[[Snapshot], None] | None = None
) -> Verdict:
    """Waits until the rollout is complete, has failed, is somebody else's, or `until` has come.

    `on_view` sees every snapshot first. Always gives a final verdict; raises nothing of the cluster's.
    """
    evidence, begun, reread, calm = Evidence(run, until), run.now(), run.now() + STALE, Calm()
    while True:
        snapshot = evidence.view()
        if on_view is not None:
            on_view(snapshot)
        if expected.stale.shown:
            expected = replace(expected, stale=expected.stale.after(new_pods(snapshot), run.now()))
        verdict, calm = hold(calm, assess_ours(run, snapshot, expected), snapshot, expected, run.now())
        if run.signal is None and run.now() < until and evidence.look_into(verdict, snapshot):
            run.next(phase, run.now())  # a signal may have come meanwhile
            continue
        if verdict.is_final:
            return run.judged(phase, verdict)
        if run.signal is not None:
            return run.judged(phase, interrupted(verdict))
        if run.now() >= until:
            return run.judged(phase, last_look(run, expected, calm, verdict, evidence, until - begun))
        run.show(phase, verdict.message, verdict.pods)
        wake = min(until, reread, calm.until(expected) or until, expected.stale.until() or until)
        if run.next(phase, wake) is None and run.now() >= reread:
            reread = run.now() + STALE
            _reread(run, snapshot)


def last_look(
    run: Run, expected: Expected, calm: Calm, verdict: Verdict, evidence: Evidence, seconds: float
) -> Verdict:
    """The verdict when the time is over, from one more fresh read."""
    try:
        snapshot = evidence.look_once_more(run.edges.cluster.refresh(run.now() + LAST_LOOK))
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


def _pod_of(event: Obj) -> str:
    return str((event.get("involvedObject") or {}).get("name") or "")


def _reread(run: Run, snapshot: Snapshot) -> None:
    """A stream may be dead while the others live: where status and pods contradict each other, both are read again."""
    if snapshot.workload is None or not is_settled_by_status(snapshot.workload):
        return
    try:
        run.edges.cluster.refresh(run.now() + LAST_LOOK)
    except ClusterError as error:
        run.warn(error.message)
