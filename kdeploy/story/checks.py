"""Running the health checks while the rollout goes on being assessed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kdeploy.errors import ClusterError, RefusedError
from kdeploy.events import CheckEnded, Phase
from kdeploy.model import CheckResult, HttpCheck, Obj, PodCounts, Reason, Snapshot, State, Verdict
from kdeploy.ports import Sample
from kdeploy.rollout.assess import Expected, assess
from kdeploy.rollout.classify import restarts_of
from kdeploy.rollout.objects import is_ready, name_of, uid_of
from kdeploy.rollout.revisions import new_pods
from kdeploy.rollout.template import template_of
from kdeploy.story.run import Run
from kdeploy.story.wait import LAST_LOOK, assess_ours, interrupted, wait
from kdeploy.verify.judge import Judgement, Standing, judge
from kdeploy.verify.port import choose_port
from kdeploy.verify.trial import PodAddress, Trial, begin, probes_due, take


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What verification came to: the verdict on rollout and checks together, and each check's result."""

    verdict: Verdict
    checks: tuple[CheckResult, ...]


_LOST = (State.FAILED, State.SUPERSEDED)


def examine_rollout(
    run: Run,
    checks: tuple[HttpCheck, ...],
    expected: Expected,
    until: float,
    on_view: Callable[[Snapshot], None] | None = None,
) -> Verdict:
    """Waits for the rollout, runs the checks on it, and confirms both by a fresh read. Always a final verdict.

    `on_view`: as for `wait`.
    """
    with run.phase(Phase.ROLLOUT):
        verdict = wait(run, Phase.ROLLOUT, expected, until, on_view)
    if not verdict.passed:
        return verdict
    expected = settled(run.edges.cluster.snapshot(), expected)
    if not checks:
        return confirm(run, expected, until)
    with run.phase(Phase.VERIFY):
        examined = prove(run, Phase.VERIFY, checks, expected, until)
    run.checks = examined.checks
    return examined.verdict


def prove(
    run: Run, phase: Phase, checks: Sequence[HttpCheck], expected: Expected, until: float, *, watch: bool = True
) -> Examination:
    """Examines, then confirms by a fresh read, which alone may end in success. As `examine` otherwise.

    What was scaled to 0 had nothing to examine: where the fresh read shows pods, they are examined after all.
    """
    while True:
        examined = examine(run, phase, checks, expected, until, watch=watch)
        if not examined.verdict.passed:
            return examined
        fresh = confirm(run, expected, until)
        woken = examined.verdict.reason is Reason.NOTHING_TO_VERIFY is not fresh.reason
        if not (fresh.passed and woken):
            return replace(examined, verdict=fresh)
        expected = settled(run.edges.cluster.snapshot(), expected)


def settled(snapshot: Snapshot, expected: Expected) -> Expected:
    """From here on, no container of the complete rollout may restart, and nothing of before is an excuse."""
    stale = replace(expected.stale, shown={})
    return replace(expected, settled=True, restarts_before=restarts_of(new_pods(snapshot)), stale=stale)


def examine(
    run: Run,
    phase: Phase,
    checks: Sequence[HttpCheck],
    expected: Expected,
    until: float,
    *,
    watch: bool = True,
    whole: bool = True,
) -> Examination:
    """Runs all checks on the live pods, then goes on assessing for the longest `watch_for` (not without `watch`).

    Always gives a final verdict: Complete, the failed rollout's, the failed check's (Unhealthy, VerifyUnreachable),
    Timeout at `until`; without `whole` also a rollout's that is not complete once the checks have ended.
    `expected` should be `settled`.
    """
    trials, ended = {check.name: begin(check, run.now()) for check in checks}, dict[str, CheckResult]()
    watch_for = max((check.watch_for for check in checks), default=0.0) if watch else 0.0
    watch_until: float | None = None
    while True:
        snapshot, now = run.edges.cluster.snapshot(), run.now()
        rollout = assess_ours(run, snapshot, expected)
        if run.signal is not None and rollout.state not in _LOST:
            rollout = interrupted(rollout)
        if rollout.state in _LOST:
            return _end(run, phase, rollout, trials, now)
        if rollout.passed and rollout.reason is Reason.NOTHING_TO_VERIFY:
            return Examination(verdict=rollout, checks=())
        judgements = _ask(run, trials, snapshot, expected.containers, now)
        _tell(run, judgements, ended)
        failed = next((j for j in judgements.values() if j.standing is Standing.FAILED), None)
        if failed is not None:
            return _end(run, phase, _unhealthy(failed, rollout.pods), trials, now)
        if watch_until is None and all(j.is_final for j in judgements.values()):
            watch_until = now + watch_for
        # A pod that came after the others has its own samples to pass.
        done = (rollout.passed or not whole) and all(j.is_final for j in judgements.values())
        if done and watch_until is not None and now >= watch_until:
            return _end(run, phase, rollout, trials, now)
        if now >= until:
            return _end(run, phase, _late(rollout, judgements), trials, now)
        run.show(phase, _message(rollout, judgements, watch_until), rollout.pods)
        notice = run.next(phase, _wake(judgements, watch_until, until, now))
        if isinstance(notice, Sample) and notice.check in trials:
            trials[notice.check] = take(trials[notice.check], notice)


def confirm(run: Run, expected: Expected, until: float) -> Verdict:
    """The verdict of a fresh read, past the streams: only that may end in success. Raises nothing."""
    while True:
        try:
            verdict = assess(run.edges.cluster.refresh(max(until, run.now() + LAST_LOOK)), expected)
        except ClusterError as error:
            return Verdict(state=State.FAILED, reason=Reason.CLUSTER_UNREACHABLE, message=error.message)
        if run.signal is not None and verdict.state not in _LOST:
            return interrupted(verdict)
        if verdict.is_final:
            return verdict
        if run.now() >= until:
            return replace(verdict, state=State.FAILED, reason=Reason.TIMEOUT)
        run.next(Phase.VERIFY, min(until, run.now() + 1.0))


def _ask(
    run: Run, trials: dict[str, Trial], snapshot: Snapshot, containers: tuple[str, ...], now: float
) -> dict[str, Judgement]:
    """Sends the probes that are due and judges every check as of now."""
    judgements: dict[str, Judgement] = {}
    for name, trial in trials.items():
        probes, trials[name] = probes_due(trial, _addresses(snapshot, trial.check, containers), now)
        judgements[name] = judge(trials[name], now)
        if not judgements[name].is_final:
            for probe in probes:
                run.edges.prober.send(probe)
    return judgements


def _addresses(snapshot: Snapshot, check: HttpCheck, containers: tuple[str, ...]) -> tuple[PodAddress, ...]:
    if check.url is not None or snapshot.workload is None:
        return ()
    try:
        port = choose_port(template_of(snapshot.workload), containers, check)
    except RefusedError:  # a restored template may name its ports otherwise; without an address there is no sample
        return ()
    return tuple(_address(pod, port) for pod in new_pods(snapshot) if is_ready(pod))


def _address(pod: Obj, port: int) -> PodAddress:
    return PodAddress(name=name_of(pod), port=port, uid=uid_of(pod))


def _tell(run: Run, judgements: dict[str, Judgement], ended: dict[str, CheckResult]) -> None:
    for name, judgement in judgements.items():
        if judgement.is_final and name not in ended:
            ended[name] = judgement.result
            run.emit(CheckEnded(result=judgement.result))


def _unhealthy(failed: Judgement, pods: PodCounts) -> Verdict:
    message = f"check {failed.result.name}: {failed.result.message}"
    if failed.hint:
        message += f" ({failed.hint})"
    return Verdict(state=State.FAILED, reason=failed.reason, message=message, pods=pods)


def _late(rollout: Verdict, judgements: dict[str, Judgement]) -> Verdict:
    waiting = [f"check {j.result.name}: {j.result.message}" for j in judgements.values() if not j.is_final]
    message = f"not verified in time: {'; '.join(waiting) or rollout.message}"
    return replace(rollout, state=State.FAILED, reason=Reason.TIMEOUT, message=message)


def _message(rollout: Verdict, judgements: dict[str, Judgement], watch_until: float | None) -> str:
    """The state of the checks, without counts that move at every sample."""
    if not rollout.passed:
        return rollout.message
    if watch_until is not None:
        return "all checks passed; the rollout is watched a little longer"
    waiting = [judgement for judgement in judgements.values() if not judgement.is_final]
    trouble = [f"{j.result.name}: {j.result.message}" for j in waiting if j.result.failures]
    return "; ".join(trouble) or f"checking {', '.join(j.result.name for j in waiting)}"


def _wake(judgements: dict[str, Judgement], watch_until: float | None, until: float, now: float) -> float:
    dues = [j.due for j in judgements.values() if j.due is not None]
    if watch_until is not None and watch_until > now:
        dues.append(watch_until)
    return min([until, *dues])


def _end(run: Run, phase: Phase, verdict: Verdict, trials: dict[str, Trial], now: float) -> Examination:
    results = tuple(judge(trial, now).result for trial in trials.values())
    if not verdict.passed:
        run.judged(phase, verdict)
    return Examination(verdict=verdict, checks=results)
