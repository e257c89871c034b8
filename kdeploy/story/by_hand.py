"""The stories of `kdeploy verify` and `kdeploy rollback`: the parts of a deploy, asked for by a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kdeploy.errors import KdeployError, RefusedError
from kdeploy.events import Phase
from kdeploy.model import Obj, Outcome, Reason, Snapshot, State, Verdict
from kdeploy.report.value import Report
from kdeploy.rollback.choose import RollbackTarget, of_revision
from kdeploy.rollout import marks
from kdeploy.rollout.assess import assess, expect
from kdeploy.rollout.classify import restarts_of
from kdeploy.rollout.objects import all_containers, images_of
from kdeploy.rollout.permissions import asked, refuse_forbidden
from kdeploy.rollout.preflight import refuse_paused, refuse_unfit
from kdeploy.rollout.revisions import Revision, live_revision, new_pods, revisions_of
from kdeploy.rollout.template import template_hash, template_of
from kdeploy.story.checks import examine, settled
from kdeploy.story.evidence import with_evidence
from kdeploy.story.request import RollbackRequest, VerifyRequest
from kdeploy.story.restore import RestorePlan, restore
from kdeploy.story.run import Edges, Run
from kdeploy.text import one_line

READ_TIMEOUT = 30.0
DEFAULT_HISTORY = 10
"""Revisions besides the live one that Kubernetes keeps where the workload does not say."""
SHORTEST = 7
"""Characters of a commit or digest that name it, as in git."""


def verify(request: VerifyRequest, edges: Edges) -> Report:
    """Runs the checks on what runs now; changes nothing. Outcome PASSED or FAILED."""
    run = Run(edges=edges, target=request.target, started=_started(request, edges), url=None)
    until = run.started + request.limits.timeout
    try:
        snapshot = edges.cluster.open(request.target, min(until, run.now() + READ_TIMEOUT))
        workload = _workload(snapshot, request)
        refuse_paused(workload, "what runs need not be what it says")
        run.containers = request.containers or _all(workload)
        restarts = restarts_of(new_pods(snapshot))
        expected = expect(workload, crash_budget=request.limits.crash_budget, restarts_before=restarts)
        expected = settled(snapshot, replace(expected, containers=run.containers))
        with run.phase(Phase.VERIFY):
            examined = examine(run, Phase.VERIFY, request.checks, expected, until)
    except KdeployError as error:
        return run.stopped(error)
    run.checks = examined.checks
    return _verified(run, request, examined.verdict)


def _verified(run: Run, request: VerifyRequest, verdict: Verdict) -> Report:
    if verdict.passed:
        if not request.checks:
            message = f"{verdict.message}; no check is configured, so nothing more was checked"
            return run.report(Outcome.PASSED, Reason.NOTHING_TO_VERIFY, message)
        if not run.checks:
            return run.report(Outcome.PASSED, verdict.reason, f"{verdict.message}; no check ran to its end")
        return run.report(Outcome.PASSED, Reason.COMPLETE, f"{len(run.checks)} of {len(run.checks)} checks passed")
    if verdict.reason is Reason.INTERRUPTED:
        return run.report(Outcome.INTERRUPTED, verdict.reason, verdict.message)
    run.culprits = with_evidence(run, verdict)
    return run.report(Outcome.FAILED, verdict.reason, verdict.message)


def rollback(request: RollbackRequest, edges: Edges) -> Report:
    """Restores a verified revision, waits for it and verifies it. Outcome RESTORED, REFUSED, ROLLBACK_FAILED, ..."""
    run = Run(
        edges=edges,
        target=request.target,
        started=_started(request, edges),
        deploy_id=request.deploy_id,
        url=request.url,
    )
    until = run.started + request.limits.rollback_timeout
    try:
        edges.cluster.preflight(request.target, min(until, run.now() + READ_TIMEOUT))
        lacking = edges.cluster.lacking(asked(request.target, request.checks), min(until, run.now() + READ_TIMEOUT))
        for warning in refuse_forbidden(request.target, request.checks, lacking):
            run.warn(warning)
        snapshot = edges.cluster.open(request.target, min(until, run.now() + READ_TIMEOUT))
        workload = _workload(snapshot, request)
        refuse_unfit(workload)
        run.containers = request.containers or _all(workload)
        live = images_of(template_of(workload), run.containers)
        run.previous = live[0] if live else None
        to = choose(snapshot, request.to)
        if to.hash == template_hash(template_of(workload)):
            raise RefusedError(
                f"revision {to.revision} is live already", hint="kdeploy history shows what else there is"
            )
        edges.interrupts.defer()
    except KdeployError as error:
        return run.stopped(error)
    return _restore(run, request, to, workload, until)


def choose(snapshot: Snapshot, to: str | None) -> RollbackTarget:
    """The verified revision that `to` names: by number, commit or digest; without it the newest before the live one.

    That is the one that was live last of those that were deployed before it: so a second rollback goes on to the
    version before, and not back to the one that the first has taken away; and what a rollback had put back comes back
    after a later deploy. Where the live one is not verified, all that are verified count, as after a failed deploy.
    A ControllerRevision keeps the deploy that made it: of a StatefulSet or DaemonSet that one counts.

    Raises RefusedError (NotFound, Ambiguous, NoRollbackTarget).
    """
    verified = [r for r in revisions_of(snapshot) if r.is_verified]
    if to is None:
        return _before_live(snapshot, verified)
    named = [r for r in revisions_of(snapshot) if _is_named(r, to)]
    if not named:
        raise _not_kept(snapshot, to)
    good = [r for r in named if r.is_verified]
    if not good:
        raise RefusedError(
            f"revision {named[0].number} was never verified",
            hint="choose a verified one from kdeploy history, or deploy that version again",
            reason=Reason.NO_ROLLBACK_TARGET,
        )
    return of_revision(good[0], f"revision {good[0].number} was asked for")


def _not_kept(snapshot: Snapshot, to: str) -> RefusedError:
    """There is no such revision, or none any more: Kubernetes drops old ones, whatever became of those after them."""
    spec = snapshot.workload["spec"] if snapshot.workload else {}
    limit = spec.get("revisionHistoryLimit", DEFAULT_HISTORY)
    return RefusedError(
        f"no revision {one_line(to, 80)} is kept",
        hint="kdeploy history shows what is; Kubernetes drops the oldest where there are more than "
        f"spec.revisionHistoryLimit ({limit}), and failed deploys count: deploy that version again, or raise the limit",
        reason=Reason.NOT_FOUND,
    )


def _before_live(snapshot: Snapshot, verified: Sequence[Revision]) -> RollbackTarget:
    live = live_revision(snapshot)
    others = [r for r in verified if live is None or r.hash != live.hash]
    if others and not (live and live.is_verified):
        return of_revision(others[0], f"revision {others[0].number} is the newest verified one")
    # The workload's own marks: a ControllerRevision keeps those of the deploy that made it.
    own = marks.marks_of(snapshot.workload).get(marks.DEPLOY_ID, "") if snapshot.workload else ""
    limit = (own, *live.deployed[1:]) if live else None
    older = [r for r in others if limit is None or r.deployed < limit]
    if older:
        return of_revision(older[0], f"revision {older[0].number} is the newest verified one before the live one")
    hint = "kdeploy history shows what there is; kubectl rollout undo restores an unverified one"
    if others:
        hint = f"what is verified was deployed later: kdeploy rollback --to {others[0].number} goes forward again"
    raise RefusedError("there is no verified revision to go back to", hint=hint, reason=Reason.NO_ROLLBACK_TARGET)


def _is_named(revision: Revision, to: str) -> bool:
    if to == str(revision.number):
        return True
    commit, digest = revision.marks.get(marks.COMMIT, ""), revision.marks.get(marks.DIGEST, "")
    if len(to) < SHORTEST:
        return False
    wanted = to.lower().rpartition("@")[2].removeprefix("sha256:")
    return commit.startswith(to.lower()) or digest.removeprefix("sha256:").startswith(wanted)


def _restore(run: Run, request: RollbackRequest, to: RollbackTarget, workload: Obj, until: float) -> Report:
    plan = RestorePlan(
        target=request.target,
        to=to,
        over=workload,
        checks=request.checks,
        containers=run.containers,
        crash_budget=request.limits.crash_budget,
        until=until,
    )
    images = images_of(to.template, run.containers)
    run.restoring = images[0] if images else None
    with run.phase(Phase.ROLLBACK, to.why):
        restoration = restore(run, plan)
    run.checks = restoration.checks
    if restoration.outcome is not Outcome.RESTORED:
        verdict = assess(run.edges.cluster.snapshot(), expect(workload, crash_budget=request.limits.crash_budget))
        run.culprits = with_evidence(run, verdict) if verdict.state is State.FAILED else ()
    outcome = restoration.outcome
    if outcome is Outcome.ROLLBACK_FAILED and not restoration.sent:
        outcome = Outcome.REFUSED
    return run.report(outcome, restoration.reason, restoration.message)


def _started(request: VerifyRequest | RollbackRequest, edges: Edges) -> float:
    return edges.clock.now() if request.started is None else request.started


def _workload(snapshot: Snapshot, request: VerifyRequest | RollbackRequest) -> Obj:
    if snapshot.workload is None:
        raise RefusedError(f"{request.target} is not there", reason=Reason.NOT_FOUND)
    return snapshot.workload


def _all(workload: Obj) -> tuple[str, ...]:
    """Every container, init containers last: without a name, the first one's image stands for the version."""
    names = [(pointer, str(c["name"])) for pointer, c in all_containers(template_of(workload))]
    return tuple(name for _, name in sorted(names, key=lambda n: n[0].startswith("/spec/init")))
