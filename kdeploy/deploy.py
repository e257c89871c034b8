"""The story of a deploy, from top to bottom: build, push, patch, wait, verify, and roll back if anything is wrong.

Its edges are given to it; nothing here prints, reads a clock of its own or knows an SDK. Until the patch an error ends
the run and production is untouched. From the patch on every error becomes a verdict, so that it can be rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from kdeploy.errors import ClusterError, KdeployError, RefusedError, SupersededError
from kdeploy.events import BuildOutput, ImageReady, Patched, Phase
from kdeploy.model import Image, Obj, Outcome, Reason, Snapshot, State, Verdict
from kdeploy.report.value import Report
from kdeploy.rollback.choose import Baseline, observe_baseline
from kdeploy.rollout import marks
from kdeploy.rollout.assess import Expected, expect
from kdeploy.rollout.containers import choose_containers
from kdeploy.rollout.objects import annotations_of, generation_of, images_of
from kdeploy.rollout.patch import changes_of, deploy_patch, image_changes, with_image
from kdeploy.rollout.permissions import asked, refuse_forbidden
from kdeploy.rollout.preflight import blind, changed_repository, owners, refuse_older, refuse_unfit
from kdeploy.rollout.revisions import live_revision, new_pods
from kdeploy.rollout.stale import restarts_before, stale
from kdeploy.rollout.template import template_hash, template_of
from kdeploy.story.baseline import is_live, take_baseline
from kdeploy.story.checks import examine_rollout
from kdeploy.story.ending import good_message, good_reason, superseded, undo, verify_unchanged
from kdeploy.story.evidence import image_evidence
from kdeploy.story.patching import mark_verified, send
from kdeploy.story.request import DeployRequest
from kdeploy.story.run import Edges, Run
from kdeploy.story.unstick import unstick
from kdeploy.story.wait import LAST_LOOK
from kdeploy.text import bug
from kdeploy.verify.port import choose_port

__all__ = ["DeployRequest", "Edges", "deploy"]

READ_TIMEOUT = 30.0
MARK_TIMEOUT = 10.0
"""Seconds. A version without its mark is as good; the next deploy only has to check it again."""


def deploy(request: DeployRequest, edges: Edges) -> Report:
    """Deploys, and reports how it ended. Raises only what is a bug."""
    run = Run(
        edges=edges,
        target=request.target,
        started=edges.clock.now() if request.started is None else request.started,
        deploy_id=request.deploy_id,
        commit=request.commit,
        url=request.url,
    )
    try:
        seen = preflight(run, request)
        if request.dry_run:
            return dry_run(run, request)
        run.image = build(run, request)
        before = open_target(run, request, seen)
        baseline = take_baseline(run, request, before, ready_by(run, request))
        if is_live(run, before) and baseline.is_verified:
            return verify_unchanged(run, request, before)
        workload, planned = plan(run, request, before)
    except KdeployError as error:
        return run.stopped(error)
    try:
        ours = patch(run, request, workload, planned)
    except SupersededError as error:
        return superseded(run, error.reason, error.message)
    except KdeployError as error:
        return run.stopped(error)
    except Exception as error:  # a bug: what may be live already must not stay there
        if not arrived(run, workload, planned):
            raise
        failed = Verdict(state=State.FAILED, reason=Reason.INTERNAL, message=bug(error))
        return undone(run, request, baseline, planned, failed)
    verdict = see_through(run, request, ours, baseline)
    if verdict.passed:
        return run.report(Outcome.DEPLOYED, good_reason(request.checks, verdict), good_message(run, request, verdict))
    return undone(run, request, baseline, ours, verdict)


def undone(run: Run, request: DeployRequest, baseline: Baseline, ours: Expected, verdict: Verdict) -> Report:
    """As `undo`. Raises nothing."""
    try:
        return undo(run, request, baseline, ours, verdict)
    except Exception as error:  # a bug: a person must know that the failed version may be live
        return run.report(
            Outcome.ROLLBACK_FAILED, verdict.reason, f"{verdict.message}; the rollback failed too: {bug(error)}"
        )


def preflight(run: Run, request: DeployRequest) -> str | None:
    """Refuses, before anything is built, what could not be deployed anyway. Returns the live deploy's id."""
    with run.phase(Phase.PREFLIGHT, f"{request.target} in namespace {request.target.namespace}"):
        snapshot = run.edges.cluster.preflight(request.target, soon(run, request))
        workload = fit(run, request, snapshot)
        lacking = run.edges.cluster.lacking(asked(request.target, request.checks), soon(run, request))
        powerless = refuse_forbidden(request.target, request.checks, lacking)
        unseen = blind(workload, run.containers, has_checks=bool(request.checks))
        changed = changed_repository(workload, run.containers, request.repository)
        for warning in (*changed, *owners(workload, run.containers), *unseen, *powerless):
            run.warn(warning)
        refuse_old(run, request, snapshot)
    return marks.marks_of(workload).get(marks.DEPLOY_ID)


def refuse_old(run: Run, request: DeployRequest, snapshot: Snapshot, newcomer: Mapping[str, str] | None = None) -> None:
    """Raises RefusedError where a newer commit is live, unless forced; warns where git cannot tell."""
    if request.force:
        return
    live = live_revision(snapshot)
    unknown = refuse_older(live, request.commit, request.run, run.edges.history.is_ancestor, newcomer)
    if unknown:
        run.warn(unknown)


def fit(run: Run, request: DeployRequest, snapshot: Snapshot) -> Obj:
    """The workload, if it can be deployed to; chooses its containers. Raises RefusedError."""
    workload = snapshot.workload
    if workload is None:
        raise RefusedError(f"{request.target} is not there any more", reason=Reason.NOT_FOUND)
    refuse_unfit(workload)
    run.containers = choose_containers(workload, request.containers, request.repository)
    for check in request.checks:
        if check.url is None:
            choose_port(template_of(workload), run.containers, check)
    live = images_of(template_of(workload), run.containers)
    run.previous = live[0] if live else None
    return workload


def dry_run(run: Run, request: DeployRequest) -> Report:
    """Shows the patch to the API server, admission included, without keeping it; builds and pushes nothing.

    An image that is still to be built has no digest; one that is there is looked up, as a deploy would do.
    """
    run.image = None if request.build else build(run, request)
    tagged = f"{request.repository}:{request.build.tag}" if request.build else request.repository
    reference, digest = (run.image.reference, run.image.digest) if run.image else (tagged, "")
    before = run.edges.cluster.open(request.target, soon(run, request))
    workload = fit(run, request, before)
    if is_live(run, before) and observe_baseline(before).is_verified:
        message = f"dry run, nothing was changed: {reference} runs already and would only be verified again"
        return run.report(Outcome.UNCHANGED, Reason.NOTHING_TO_VERIFY, message)
    operations = deploy_patch(workload, run.containers, reference, own_marks(request, digest))
    run.edges.cluster.patch(operations, soon(run, request), dry_run=True)
    run.patch = changes_of(operations)
    would = image_changes(template_of(workload), run.containers, reference)
    return run.report(Outcome.UNCHANGED, Reason.NOTHING_TO_VERIFY, f"dry run, nothing was changed: {would}")


def build(run: Run, request: DeployRequest) -> Image:
    """The image in its registry, by digest. The cluster is untouched."""
    if request.build is None or run.edges.builder is None:
        return run.edges.registry.resolve(request.image or request.repository, ready_by(run, request) - run.now())
    what = f"{request.build.repository}:{request.build.tag} with {run.edges.builder.title}"
    with run.phase(Phase.BUILD, what):
        image = run.edges.builder.build_and_push(
            request.build, lambda line: run.emit(BuildOutput(line=line)), ready_by(run, request) - run.now()
        )
    run.emit(ImageReady(image=image))
    return image


def open_target(run: Run, request: DeployRequest, seen: str | None) -> Snapshot:
    """The workload as it is now, watched from here on; while the image was built a newer commit may have come.

    `seen` is the id of the deploy that was live before: another one may still be rolling, and counts all the same.
    """
    snapshot = run.edges.cluster.open(request.target, soon(run, request))
    theirs = marks.marks_of(fit(run, request, snapshot))
    refuse_old(run, request, snapshot, theirs if theirs.get(marks.DEPLOY_ID) not in (None, seen) else None)
    return snapshot


def plan(run: Run, request: DeployRequest, before: Snapshot) -> tuple[Obj, Expected]:
    """The workload as it is to be patched, and what to wait for then: the template that we cause, under our deploy-id.

    From here on a signal is a notice. Raises RefusedError, SupersededError, InterruptedBySignalError.
    """
    assert run.image is not None
    assert before.workload is not None
    workload = fit(run, request, run.edges.cluster.snapshot())
    if template_hash(template_of(workload)) != template_hash(template_of(before.workload)):
        raise SupersededError("somebody else changed the pod template while this deploy was preparing")
    run.edges.interrupts.defer()
    run.patched = run.now()
    # Where another deploy left this very template rolling, what its pods have shown so far is not this run's fault.
    taken_over, budget = new_pods(before) if is_live(run, before) else (), request.limits.crash_budget
    expected = replace(
        expect(workload, crash_budget=budget, restarts_before=restarts_before(taken_over, budget)),
        hash=template_hash(with_image(template_of(workload), run.containers, run.image.reference)),
        stale=stale(workload, taken_over, run.patched),
        deploy_id=request.deploy_id,
        digest=run.image.digest,
        containers=run.containers,
    )
    return workload, expected


def patch(run: Run, request: DeployRequest, workload: Obj, planned: Expected) -> Expected:
    """Points the workload at the image. Returns what to wait for: an admission webhook may have altered the template.

    Raises as `send`.
    """
    assert run.image is not None
    image, own = run.image, own_marks(request, run.image.digest)
    live = send(
        run,
        Phase.ROLLOUT,
        workload,
        lambda seen: deploy_patch(seen, run.containers, image.reference, own),
        run.patched + request.limits.timeout,
        _is_ours(planned, workload),
    )
    run.emit(Patched(generation=generation_of(live), image=image.reference))
    return replace(planned, hash=template_hash(template_of(live)))


def arrived(run: Run, workload: Obj, planned: Expected) -> bool:
    """Whether the patch of `workload` is what is live now, or nobody can tell."""
    try:
        live = run.edges.cluster.refresh(run.now() + LAST_LOOK).workload
    except ClusterError:
        return True
    return live is not None and _is_ours(planned, workload)(live)


def see_through(run: Run, request: DeployRequest, ours: Expected, baseline: Baseline) -> Verdict:
    """The verdict on the rollout and its checks, confirmed by a fresh read; marks what passed."""
    until = run.patched + request.limits.timeout
    try:
        # What an earlier deploy left broken, killed or not rolled back, must not keep this one waiting.
        on_view = None if baseline.is_available else unstick(run, request.target, ours.hash, until)
        verdict = examine_rollout(run, request.checks, ours, until, on_view)
        run.timings = replace(run.timings, detect=run.now() - run.patched)
        if verdict.passed:
            # Not much longer than the time that was given, so that all of it ends when it has to.
            confirm_good(run, request, ours, verdict, min(run.now() + MARK_TIMEOUT, max(until, run.now()) + LAST_LOOK))
    except SupersededError as error:
        return Verdict(state=State.SUPERSEDED, reason=error.reason, message=error.message)
    except ClusterError as error:
        return Verdict(state=State.FAILED, reason=error.reason, message=error.message)
    except Exception as error:  # even a bug must not leave an unverified version behind
        return Verdict(state=State.FAILED, reason=Reason.INTERNAL, message=bug(error))
    return verdict


def confirm_good(run: Run, request: DeployRequest, ours: Expected, verdict: Verdict, until: float) -> None:
    """Marks the version as verified, unless it is scaled to 0: then nothing was proved. Raises SupersededError."""
    if verdict.reason is Reason.NOTHING_TO_VERIFY:
        run.warn(f"{request.target} is scaled to 0: no pod runs it, so the version is not marked as verified")
        return
    mark_verified(run, ours, until)
    image_evidence(run)


def ready_by(run: Run, request: DeployRequest) -> float:
    """When everything before the patch must be done: building, reading, the baseline."""
    return run.started + request.limits.build_timeout


def soon(run: Run, request: DeployRequest) -> float:
    """When a read before the patch must have its answer."""
    return min(run.now() + READ_TIMEOUT, ready_by(run, request))


def own_marks(request: DeployRequest, digest: str) -> dict[str, str]:
    """The marks of this deploy."""
    return marks.deploy_marks(
        deploy_id=request.deploy_id,
        commit=request.commit,
        digest=digest,
        run_url=request.run_url,
        run=request.run,
        actor=request.actor,
    )


def _is_ours(expected: Expected, before: Obj) -> Callable[[Obj], bool]:
    """Knows our own patch when its answer was lost: by its template, or by being the only change since `before`, where
    an admission webhook has altered it. A foreign change on top of it inherits the deploy-id, but is a second one;
    unless ours wrote marks alone, as the image was there already.
    """
    changes = expected.hash != template_hash(template_of(before))

    def is_ours(live: Obj) -> bool:
        if annotations_of(live).get(marks.DEPLOY_ID) != expected.deploy_id:
            return False
        only_change = changes and generation_of(live) == generation_of(before) + 1
        return only_change or template_hash(template_of(live)) == expected.hash

    return is_ours
