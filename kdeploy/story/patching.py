"""Sending a conditional patch so that its end is known: applied, superseded, refused, or never answered."""

from __future__ import annotations

from collections.abc import Callable

from kdeploy.errors import (
    ClusterError,
    PatchConflictError,
    RefusedError,
    SupersededError,
    UncertainError,
    UnreachableError,
)
from kdeploy.events import Noted, Phase
from kdeploy.model import Obj, Operation, Reason
from kdeploy.rollout import marks
from kdeploy.rollout.assess import Expected
from kdeploy.rollout.objects import annotations_of, uid_of
from kdeploy.rollout.patch import verified_patch, verified_revision_patch
from kdeploy.rollout.revisions import live_revision
from kdeploy.rollout.template import template_hash, template_of
from kdeploy.story.run import Run

RETRY = 0.5
Plan = Callable[[Obj], list[Operation]]
_ABSENT, _BUSY = 404, 409


def send(run: Run, phase: Phase, workload: Obj, plan: Plan, until: float, applied: Callable[[Obj], bool]) -> Obj:
    """Sends the patch that `plan` makes for `workload` as observed; returns the workload as the server left it.

    An answer that was lost is no failure: the patch is conditional, so it is sent again, and `applied` knows our own
    work when it is found already there. A refusal although nothing of ours has changed (somebody's first annotation,
    say) is planned anew from a fresh read, once. Raises SupersededError where somebody changed or deleted the workload
    first, RefusedError where the server refuses it unchanged, UncertainError where it was sent and nothing ever
    answered, ClusterError otherwise.
    """
    uncertain = again = False
    while True:
        try:
            return run.edges.cluster.patch(plan(workload), until)
        except UnreachableError as error:
            uncertain = uncertain or error.may_have_arrived
            if run.now() >= until:
                raise (_uncertain(run, error) if uncertain else error) from error
            run.emit(Noted(message=f"the patch had no answer and is sent again: {error.message}"))
        except ClusterError as error:
            if not uncertain and not isinstance(error, PatchConflictError) and error.status != _ABSENT:
                raise
            live = _look_again(run, workload, error, until)  # an earlier try may have been applied
            if applied(live):
                return live
            if _identity(live) != _identity(workload):
                raise SupersededError("somebody else changed the workload first; theirs was left untouched") from error
            if (again and error.status != _BUSY) or run.now() >= until:
                raise RefusedError(f"the API server refused the patch: {error.message}", hint=error.hint) from error
            workload, again = live, True
        _pause(run, phase, until)


def mark_verified(run: Run, expected: Expected, until: float) -> None:
    """Marks the live version as verified, on the workload and, where annotations are not copied, on its revision.

    Failing to do so is a warning: the version is good, the next deploy will check it again. Raises SupersededError.
    """
    snapshot = run.edges.cluster.snapshot()
    workload = snapshot.workload
    if workload is None or template_hash(template_of(workload)) != expected.hash:
        raise SupersededError("somebody else changed the workload before it could be marked as verified")
    try:
        send(run, Phase.VERIFY, workload, verified_patch, until, _is_marked(expected.hash))
        revision = live_revision(snapshot)
        if revision is None or workload["kind"] == "Deployment":
            return
        stored = next(obj for obj in snapshot.revisions if uid_of(obj) == revision.uid)
        run.edges.cluster.patch_revision(revision.name, verified_revision_patch(stored, expected.hash), until)
    except SupersededError:
        raise
    except (RefusedError, UncertainError, ClusterError) as error:
        run.warn(f"it could not be marked as verified: {error.message}")


def _is_marked(hash_: str) -> Callable[[Obj], bool]:
    return lambda live: annotations_of(live).get(marks.VERIFIED) == hash_ == template_hash(template_of(live))


def _look_again(run: Run, workload: Obj, error: ClusterError, until: float) -> Obj:
    """The workload after a refused patch. Raises SupersededError where it is gone."""
    try:
        live = run.edges.cluster.refresh(until).workload
    except ClusterError as unanswered:
        raise _uncertain(run, unanswered) from error
    if live is None or uid_of(live) != uid_of(workload):
        raise SupersededError("the workload was deleted by somebody else", reason=Reason.DELETED) from error
    return live


def _pause(run: Run, phase: Phase, until: float) -> None:
    pause = min(until, run.now() + RETRY)
    while run.now() < pause:
        run.next(phase, pause)


def _uncertain(run: Run, error: ClusterError) -> UncertainError:
    return UncertainError(
        f"the patch was sent, but the API server did not answer any more: {error.message}",
        hint=f"see what is live: kdeploy status {run.target} -n {run.target.namespace}; running it again is safe",
    )


def _identity(workload: Obj) -> tuple[str, str | None]:
    return template_hash(template_of(workload)), annotations_of(workload).get(marks.DEPLOY_ID)
