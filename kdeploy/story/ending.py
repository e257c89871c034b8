"""How a deploy ends: verified, or undone, or left as it is on purpose; and what the report says of it."""

from __future__ import annotations

from dataclasses import replace

from kdeploy.errors import KdeployError, SupersededError
from kdeploy.events import Phase
from kdeploy.model import HttpCheck, Outcome, Reason, Snapshot, State, Verdict
from kdeploy.report.value import Report
from kdeploy.rollback.choose import Baseline, NoTarget, RollbackTarget, choose_rollback
from kdeploy.rollout.assess import Expected, assess, expect
from kdeploy.rollout.classify import restarts_of
from kdeploy.rollout.objects import images_of
from kdeploy.rollout.revisions import new_pods, revisions_of
from kdeploy.rollout.stale import stale
from kdeploy.rollout.template import template_of
from kdeploy.story.checks import examine_rollout
from kdeploy.story.evidence import with_evidence
from kdeploy.story.request import DeployRequest
from kdeploy.story.restore import Restoration, RestorePlan, restore, send_restore
from kdeploy.story.run import Run
from kdeploy.story.unstick import unstick

_FAILED_BEFORE = "the checks did not pass before this deploy either: look at the checks, or at what both versions need"

LINGER = 1.5
"""Seconds between the restore patch of an interrupted run and its end; GitHub kills 10 s after the first signal."""


def good_reason(checks: tuple[HttpCheck, ...], verdict: Verdict) -> Reason:
    """Complete, or NothingToVerify where nothing more than the rollout was looked at."""
    return verdict.reason if checks else Reason.NOTHING_TO_VERIFY


def good_message(run: Run, request: DeployRequest, verdict: Verdict) -> str:
    """What runs now, and how much was looked at."""
    passed = f"{sum(check.passed for check in run.checks)} of {len(run.checks)} checks passed"
    checked = passed if run.checks else "no check ran to its end" if request.checks else "nothing more checked"
    return f"{run.image.reference if run.image else ''} runs: {verdict.message}; {checked}"


def verify_unchanged(run: Run, request: DeployRequest, before: Snapshot) -> Report:
    """The version is live and was verified before: nothing is patched, it is verified again.

    Where that fails it is left as it is: it was good, and this run changed nothing that could be undone.
    """
    assert before.workload is not None
    pods, budget = new_pods(before), request.limits.crash_budget
    expected = replace(
        expect(before.workload, crash_budget=budget, restarts_before=restarts_of(pods)),
        stale=stale(before.workload, pods, run.now()),
        containers=run.containers,
        digest=run.image.digest if run.image else None,
    )
    run.edges.interrupts.defer()
    verdict = examine_rollout(run, request.checks, expected, run.now() + request.limits.timeout)
    if verdict.passed:
        message = good_message(run, request, verdict)
        return run.report(Outcome.UNCHANGED, good_reason(request.checks, verdict), f"it ran already: {message}")
    if verdict.state is State.SUPERSEDED:
        return superseded(run, verdict.reason, verdict.message)
    if verdict.reason is Reason.INTERRUPTED:
        return run.report(Outcome.INTERRUPTED, verdict.reason, "interrupted; this run changed nothing")
    run.culprits = with_evidence(run, verdict)
    message = f"{verdict.message}; it ran already and was verified before, so it was left as it is"
    return run.report(Outcome.NOT_ROLLED_BACK, verdict.reason, message, _by_hand(run))


def undo(run: Run, request: DeployRequest, baseline: Baseline, ours: Expected, verdict: Verdict) -> Report:
    """After a verdict that is not a pass: restore what was proved good, or say why not."""
    is_interrupted = verdict.reason is Reason.INTERRUPTED
    if not is_interrupted:
        run.culprits = with_evidence(run, verdict)
    if verdict.state is State.SUPERSEDED:
        return superseded(run, verdict.reason, verdict.message)
    if is_interrupted and request.on_interrupt == "leave":
        return run.report(Outcome.INTERRUPTED, verdict.reason, "interrupted; the rollout was left to go on as it is")
    to = choose_rollback(baseline, revisions_of(run.edges.cluster.snapshot()), ours.hash)
    if not request.rollback or isinstance(to, NoTarget):
        why = to.why if isinstance(to, NoTarget) and request.rollback else "rollback is turned off"
        outcome = Outcome.INTERRUPTED if is_interrupted else Outcome.NOT_ROLLED_BACK
        hint = _nothing_verified(run) if isinstance(to, NoTarget) else _by_hand(run)
        return run.report(outcome, verdict.reason, f"{verdict.message}; not rolled back: {why}", hint)
    plan = _plan(run, request, ours, to)
    if plan is None:
        return superseded(run, Reason.SUPERSEDED, "somebody else changed the workload; it was left untouched")
    if plan.over["spec"].get("paused"):
        message = f"{verdict.message}; not rolled back: somebody paused the rollout meanwhile"
        hint = f"kubectl rollout resume, then kdeploy rollback {_where(run)}"
        return run.report(Outcome.NOT_ROLLED_BACK, verdict.reason, message, hint)
    if is_interrupted:
        return _send_and_leave(run, plan)
    with run.phase(Phase.ROLLBACK, to.why):
        restoration = restore(run, plan)
    return _after_restore(run, verdict, baseline, to, restoration)


def _plan(run: Run, request: DeployRequest, ours: Expected, to: RollbackTarget) -> RestorePlan | None:
    """The restore over our own rollout; None where it is not ours any more."""
    snapshot = run.edges.cluster.snapshot()
    over = snapshot.workload
    if over is None or assess(snapshot, ours).state is State.SUPERSEDED:
        return None
    return RestorePlan(
        target=request.target,
        to=to,
        over=over,
        checks=request.checks,
        containers=run.containers,
        crash_budget=request.limits.crash_budget,
        until=run.now() + request.limits.rollback_timeout,
    )


def _send_and_leave(run: Run, plan: RestorePlan) -> Report:
    try:
        send_restore(run, plan)
    except SupersededError as error:
        return superseded(run, error.reason, error.message)
    except KdeployError as error:
        message = f"interrupted, and the restore patch was not accepted: {error.message}"
        return run.report(Outcome.ROLLBACK_FAILED, Reason.INTERRUPTED, message, _by_hand(run))
    _linger(run, plan)
    message = "interrupted; the version before was put back, its rollout was not waited for"
    return run.report(Outcome.INTERRUPTED, Reason.INTERRUPTED, message, _watch_hint(run))


def _linger(run: Run, plan: RestorePlan) -> None:
    """Stays until a StatefulSet's broken pod is deleted, without which its restored template would never roll out."""
    until = run.now() + LINGER
    free = unstick(run, plan.target, plan.to.hash, until)
    while free is not None and run.now() < until:
        free(run.edges.cluster.snapshot())
        run.next(Phase.ROLLBACK, until)


def _after_restore(
    run: Run, verdict: Verdict, baseline: Baseline, to: RollbackTarget, restoration: Restoration
) -> Report:
    if restoration.outcome is Outcome.RESTORED:
        hint = "mend it and deploy again; production is as it was before this deploy"
        if to.hash != baseline.hash:
            hint = "mend it and deploy again; what was live just before was not proved good, and was not put back"
        if to.lenient:
            hint = _FAILED_BEFORE
        return run.report(Outcome.ROLLED_BACK, verdict.reason, verdict.message, hint)
    if restoration.outcome is Outcome.SUPERSEDED:
        return superseded(run, restoration.reason, f"{verdict.message}; {restoration.message}")
    if restoration.outcome is Outcome.INTERRUPTED:
        message = f"{verdict.message}; {restoration.message}"
        return run.report(Outcome.INTERRUPTED, Reason.INTERRUPTED, message, _watch_hint(run))
    message = f"{verdict.message}; the rollback failed too: {restoration.message}"
    return run.report(Outcome.ROLLBACK_FAILED, verdict.reason, message, _look_at(run, baseline, to, restoration))


def superseded(run: Run, reason: Reason, message: str) -> Report:
    """The report of a run whose change is not what is live any more; says so where theirs carries its image."""
    live = run.edges.cluster.snapshot().workload
    if run.image and live is not None and run.image.digest in " ".join(images_of(template_of(live), run.containers)):
        message += "; their change carries the image of this deploy, which was not verified"
    return run.report(Outcome.SUPERSEDED, reason, f"{message}; nothing was rolled back", _watch_hint(run))


def _by_hand(run: Run) -> str:
    return f"mend it and deploy again, or put a verified version back: kdeploy rollback {_where(run)}"


def _look_at(run: Run, baseline: Baseline, to: RollbackTarget, restoration: Restoration) -> str:
    """After a rollback that failed: one more would take away what was just put back."""
    if not restoration.sent:
        return _by_hand(run)
    if to.hash == baseline.hash and not baseline.passes:
        return _FAILED_BEFORE
    return f"look at what was put back: kdeploy status {_where(run)}; another one: kdeploy history {_where(run)}"


def _nothing_verified(run: Run) -> str:
    undo = f"kubectl rollout undo {_where(run)}"
    return f"mend it and deploy again; {undo} puts back the revision before, which nobody has verified"


def _watch_hint(run: Run) -> str:
    return f"see how it ends: kdeploy status --watch {_where(run)}"


def _where(run: Run) -> str:
    return f"{run.target} -n {run.target.namespace}"
