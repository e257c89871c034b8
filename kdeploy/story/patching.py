"""Sending a conditional patch so that its end is known: applied, superseded, refused, or never answered."""

from __future__ import annotations

from collections.abc import Callable

from kdeploy.errors import (
    ClusterError,
    InterruptedBySignalError,
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
from kdeploy.rollout.objects import annotations_of, name_of, uid_of
from kdeploy.rollout.patch import verified_patch, verified_revision_patch
from kdeploy.rollout.revisions import live_revision
from kdeploy.rollout.template import template_hash, template_of
from kdeploy.story.run import Run
from kdeploy.story.wait import LAST_LOOK

RETRY = 0.5
Plan = Callable[[Obj], list[Operation]]
_ABSENT, _BUSY = 404, 409


def send(run: Run, phase: Phase, workload: Obj, plan: Plan, until: float, applied: Callable[[Obj], bool]) -> Obj:
    """Sends the patch that `plan` makes for `workload` as observed; returns the workload as the server left it.

    An answer that was lost is no failure: the patch is conditional, so it is sent again, and `applied` knows our own
    work when it is found already there. A refusal although nothing of ours has changed (somebody's first annotation,
    say) is planned anew from a fresh read, once. Raises SupersededError where somebody changed or deleted the workload
    first, RefusedError where the server refuses it unchanged, UncertainError where it was sent and nothing ever
    answered, ClusterError otherwise. A signal ends the tries (InterruptedBySignalError), but not those of a restore.
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
            live = _look_again(run, workload, error, until, uncertain=uncertain)  # an earlier try may have been applied
            if applied(live):
                return live
            if _identity(live) != _identity(workload):
                raise SupersededError("somebody else changed the workload first; theirs was left untouched") from error
            if (again and error.status != _BUSY) or run.now() >= until:
                raise RefusedError(f"the API server refused the patch: {error.message}", hint=error.hint) from error
            workload, again = live, True
        _pause(run, phase, until)
        if run.signal is not None and phase is not Phase.ROLLBACK:
            return _interrupted(run, run.signal, workload, applied, uncertain=uncertain)


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
        if workload["kind"] != "Deployment":
            _mark_revision(run, expected.hash, until)
    except SupersededError:
        raise
    except (RefusedError, UncertainError, ClusterError, InterruptedBySignalError) as error:
        run.warn(f"it could not be marked as verified: {error.message}")


def _mark_revision(run: Run, hash_: str, until: float) -> None:
    """Marks the live revision; once more where somebody annotated it first. Raises ClusterError."""
    for last in (False, True):
        snapshot = run.edges.cluster.snapshot()
        revision = live_revision(snapshot)
        stored = next((obj for obj in snapshot.revisions if revision is not None and uid_of(obj) == revision.uid), None)
        if stored is None:
            return
        try:
            run.edges.cluster.patch_revision(name_of(stored), verified_revision_patch(stored, hash_), until)
        except PatchConflictError:
            if last:
                raise
            run.edges.cluster.refresh(until)
        else:
            return


def _is_marked(hash_: str) -> Callable[[Obj], bool]:
    return lambda live: annotations_of(live).get(marks.VERIFIED) == hash_ == template_hash(template_of(live))


def _look_again(run: Run, workload: Obj, error: ClusterError, until: float, *, uncertain: bool) -> Obj:
    """The workload after a refused patch. Raises SupersededError where it is gone, else as `send` if it has no answer:
    UncertainError only where a try before this one may have been applied.
    """
    try:
        live = run.edges.cluster.refresh(until).workload
    except ClusterError as unanswered:
        if uncertain:
            raise _uncertain(run, unanswered) from error
        raise RefusedError(f"the API server refused the patch: {error.message}", hint=error.hint) from error
    if live is None or uid_of(live) != uid_of(workload):
        raise SupersededError("the workload was deleted by somebody else", reason=Reason.DELETED) from error
    return live


def _interrupted(run: Run, signal: int, workload: Obj, applied: Callable[[Obj], bool], *, uncertain: bool) -> Obj:
    """The workload where a patch without an answer was applied: the story undoes it. Raises as `send` otherwise."""
    stopped = InterruptedBySignalError(signal)
    if not uncertain:
        raise stopped
    live = _look_again(run, workload, UnreachableError(stopped.message), run.now() + LAST_LOOK, uncertain=True)
    if applied(live):
        return live
    raise stopped


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
