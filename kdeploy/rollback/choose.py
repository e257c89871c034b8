"""Which version is put back when a deploy fails: what was live before it, if it was good; else the newest verified.

Never "revision minus one": after good, bad, bad that is the first bad one, which `kubectl rollout undo` restores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kdeploy.model import CheckResult, Obj, Reason, Snapshot
from kdeploy.rollout import marks
from kdeploy.rollout.assess import assess, expect
from kdeploy.rollout.classify import restarts_of
from kdeploy.rollout.revisions import Revision, live_revision, new_pods, revisions_of
from kdeploy.rollout.template import template_hash, template_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What was live before the deploy touched anything, and how good it was.

    `is_verified`: its mark names its own template. `checks`: what the deploy's checks said of it, empty where there are
    none or they were not run. `ran`: it was not scaled to 0. `is_first`: kdeploy has not deployed the workload before:
    nothing of it was ever verified, nor has what is live a deploy's mark, as one that failed leaves it.
    """

    template: Obj
    hash: str
    marks: Mapping[str, str]
    revision: str | None
    is_available: bool
    is_verified: bool
    is_first: bool
    checks: tuple[CheckResult, ...] = ()
    ran: bool = True

    @property
    def passes(self) -> bool:
        """Whether it ran, and passed every check that was asked of it."""
        return self.ran and all(check.passed for check in self.checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackTarget:
    """A template to put back, with its own marks. `lenient`: it counts although its checks did not pass before."""

    template: Obj
    hash: str
    marks: Mapping[str, str]
    revision: str | None
    why: str
    is_verified: bool = True
    lenient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoTarget:
    """There is nothing that may be put back, and why."""

    why: str


def observe_baseline(snapshot: Snapshot) -> Baseline:
    """What runs in the snapshot, before its checks are asked. The workload must be there."""
    workload = snapshot.workload
    assert workload is not None
    revision = live_revision(snapshot)
    hash_ = template_hash(template_of(workload))
    own = _marks_of_live(workload, revision)
    # Restarts of long ago do not make a version unavailable: its readiness speaks for it now.
    expected = expect(workload, crash_budget=1, restarts_before=restarts_of(new_pods(snapshot)))
    verdict, is_verified = assess(snapshot, expected), own.get(marks.VERIFIED) == hash_
    return Baseline(
        template=template_of(workload),
        hash=hash_,
        marks=own,
        revision=str(revision.number) if revision else None,
        is_available=verdict.passed,
        is_verified=is_verified,
        is_first=not (is_verified or marks.DEPLOY_ID in own or any(r.is_verified for r in revisions_of(snapshot))),
        ran=verdict.reason is not Reason.NOTHING_TO_VERIFY,
    )


def choose_rollback(baseline: Baseline, revisions: Sequence[Revision], failed_hash: str) -> RollbackTarget | NoTarget:
    """The template to put back after the one named `failed_hash` failed.

    `revisions` are the workload's, newest first. Gives NoTarget where nothing else was ever proved good.
    """
    if baseline.hash != failed_hash and baseline.is_available:
        if baseline.is_verified or baseline.passes:
            checked = "passed the same checks before the deploy" if baseline.checks else "no check is there to fail"
            how = "was verified" if baseline.is_verified else checked
            return _of_baseline(baseline, f"it was live and available before the deploy, and {how}")
        if baseline.is_first:
            lack = "its checks did not pass" if baseline.ran else "no pod of it ran"
            why = f"it was live and available before the first deploy, though {lack}"
            return _of_baseline(baseline, why, lenient=True)
    verified = next((r for r in revisions if r.is_verified and r.hash != failed_hash), None)
    if verified is not None:
        return of_revision(verified, f"revision {verified.number} is the newest verified one")
    if baseline.hash != failed_hash and baseline.is_verified:  # a revisionHistoryLimit of 0 keeps no revision of it
        return _of_baseline(baseline, "it was live before the deploy, and was verified")
    return NoTarget(why=_why_none(baseline, failed_hash))


def of_revision(revision: Revision, why: str) -> RollbackTarget:
    """A stored revision as what is put back."""
    return RollbackTarget(
        template=revision.template,
        hash=revision.hash,
        marks=revision.marks,
        revision=str(revision.number),
        why=why,
        is_verified=revision.is_verified,
    )


def _of_baseline(baseline: Baseline, why: str, *, lenient: bool = False) -> RollbackTarget:
    return RollbackTarget(
        template=baseline.template,
        hash=baseline.hash,
        marks=baseline.marks,
        revision=baseline.revision,
        why=why,
        is_verified=baseline.is_verified,
        lenient=lenient,
    )


def _marks_of_live(workload: Obj, revision: Revision | None) -> Mapping[str, str]:
    """The live version's own marks. A StatefulSet's and DaemonSet's revision is where `verified` stays true."""
    own = dict(marks.marks_of(workload))
    if revision is not None and revision.is_verified:
        own[marks.VERIFIED] = revision.hash
    return own


def _why_none(baseline: Baseline, failed_hash: str) -> str:
    if baseline.hash == failed_hash:
        return "the same version was live before, and no other revision is verified"
    if not baseline.is_available:
        return "what was live before was not fully available, and no revision is verified"
    if not baseline.ran:
        return "what was live before was scaled to 0 and so proved nothing, and no revision is verified"
    return "what was live before did not pass the checks, and no revision is verified"
