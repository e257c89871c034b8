"""Putting a version back: one conditional patch, then the same waiting, checking and confirming as for a deploy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kdeploy.errors import ClusterError, KdeployError, SupersededError, UncertainError
from kdeploy.events import Patched, Phase
from kdeploy.model import CheckResult, HttpCheck, Obj, Outcome, Reason, State, Target, Verdict
from kdeploy.rollback.choose import RollbackTarget
from kdeploy.rollout.assess import Expected, expect
from kdeploy.rollout.classify import restarts_of
from kdeploy.rollout.objects import generation_of, images_of
from kdeploy.rollout.patch import restore_patch
from kdeploy.rollout.template import template_hash, template_of
from kdeploy.story.checks import Examination, prove, settled
from kdeploy.story.patching import mark_verified, send
from kdeploy.story.run import Run
from kdeploy.story.unstick import unstick
from kdeploy.story.wait import wait
from kdeploy.text import bug


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """How a restore ended: Restored (Outcome.RESTORED), or ROLLBACK_FAILED, SUPERSEDED, INTERRUPTED, and why."""

    outcome: Outcome
    reason: Reason
    message: str
    checks: tuple[CheckResult, ...] = ()
    sent: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """What to put back over which workload, with what patience."""

    target: Target
    to: RollbackTarget
    over: Obj
    checks: tuple[HttpCheck, ...]
    containers: tuple[str, ...]
    crash_budget: int
    until: float


def restore(run: Run, plan: RestorePlan) -> Restoration:
    """Restores, waits, verifies again, confirms by a fresh read and marks. Never raises after the patch was sent."""
    try:
        live = send_restore(run, plan)
    except SupersededError as error:
        return Restoration(outcome=Outcome.SUPERSEDED, reason=error.reason, message=error.message, sent=False)
    except KdeployError as error:
        message = f"the restore patch was not accepted: {error.message}"
        return _failed(error.reason, message, sent=isinstance(error, UncertainError))
    try:
        return _see_through(run, plan, live)
    except SupersededError as error:
        return Restoration(outcome=Outcome.SUPERSEDED, reason=error.reason, message=error.message)
    except ClusterError as error:
        return _failed(error.reason, error.message)
    except Exception as error:  # what is live must be told all the same
        return _failed(Reason.INTERNAL, bug(error))


def send_restore(run: Run, plan: RestorePlan) -> Obj:
    """Sends the restore patch and returns the workload as it is then. Raises as `patching.send`."""
    live = send(
        run,
        Phase.ROLLBACK,
        plan.over,
        lambda seen: restore_patch(seen, plan.to.template, plan.to.marks),
        plan.until,
        _has_template(plan.to.hash),
    )
    images = images_of(plan.to.template, plan.containers)
    run.rolled_back_to = images[0] if images else plan.to.revision
    run.emit(Patched(generation=generation_of(live), image=run.rolled_back_to or "", restore=True))
    return live


def _see_through(run: Run, plan: RestorePlan, live: Obj) -> Restoration:
    before = run.edges.cluster.snapshot()
    expected = replace(
        expect(live, crash_budget=plan.crash_budget, restarts_before=restarts_of(before.pods)),
        containers=plan.containers,
    )
    verdict = wait(run, Phase.ROLLBACK, expected, plan.until, unstick(run, plan.target, plan.to.hash, plan.until))
    if not verdict.passed:
        return _ended(verdict)
    expected = settled(run.edges.cluster.snapshot(), expected)
    examined = _verify_again(run, plan, expected)
    fresh = examined.verdict
    if not fresh.passed:
        return replace(_ended(fresh), checks=examined.checks)
    if not plan.to.is_verified and not plan.to.lenient and fresh.reason is not Reason.NOTHING_TO_VERIFY:
        mark_verified(run, expected, plan.until)
    return Restoration(
        outcome=Outcome.RESTORED,
        reason=Reason.RESTORED,
        message=f"the version of revision {plan.to.revision} runs again, {run.rolled_back_to}: {fresh.message}",
        checks=examined.checks,
    )


def _verify_again(run: Run, plan: RestorePlan, expected: Expected) -> Examination:
    checks: Sequence[HttpCheck] = () if plan.to.lenient else plan.checks
    if plan.to.lenient and plan.checks:
        run.warn("the checks were not asked again: they did not pass before the deploy either")
    return prove(run, Phase.ROLLBACK, checks, expected, plan.until, watch=False)


def _has_template(hash_: str) -> Callable[[Obj], bool]:
    return lambda live: template_hash(template_of(live)) == hash_


def _ended(verdict: Verdict) -> Restoration:
    if verdict.state is State.SUPERSEDED:
        return Restoration(outcome=Outcome.SUPERSEDED, reason=verdict.reason, message=verdict.message)
    if verdict.reason is Reason.INTERRUPTED:
        message = "the restore patch was sent; its rollout was not waited for"
        return Restoration(outcome=Outcome.INTERRUPTED, reason=verdict.reason, message=message)
    return _failed(verdict.reason, verdict.message)


def _failed(reason: Reason, message: str, *, sent: bool = True) -> Restoration:
    return Restoration(outcome=Outcome.ROLLBACK_FAILED, reason=reason, message=message, sent=sent)
