"""Judges the target: the workload, its containers, checks, permissions, and what a rollback would restore. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kdeploy.doctor.check import Check, bad, good, not_asked, warning
from kdeploy.errors import ClusterError, RefusedError
from kdeploy.model import SCALED_TO_0, HttpCheck, Obj, Permission, Snapshot, Target
from kdeploy.report.wording import plural, short
from kdeploy.rollback.choose import NoTarget, choose_rollback, observe_baseline
from kdeploy.rollout.containers import choose_containers, strangers
from kdeploy.rollout.objects import all_containers, desired_replicas
from kdeploy.rollout.permissions import asked, handicaps, indispensable, reading
from kdeploy.rollout.preflight import IsAncestor, blind, owners, refuse_older, refuse_unfit
from kdeploy.rollout.revisions import live_revision, revisions_of
from kdeploy.rollout.rules import rules_of
from kdeploy.rollout.template import template_of
from kdeploy.verify.port import choose_port

ABOUT_WORKLOAD = ("containers", "checks", "commit", "rollback")
"""The checks that take the workload itself."""


def judge_workload(
    target: Target,
    snapshot: Snapshot,
    *,
    repository: str,
    containers: Sequence[str],
    checks: Sequence[HttpCheck],
) -> tuple[Check, ...]:
    """The target as it is: can it be rolled and checked, which containers run the image, what would be restored.

    `repository`: "" where no image is named. `containers` are those that were asked for.
    """
    workload = snapshot.workload
    assert workload is not None
    found = [_fit(target, workload)]
    chosen: tuple[str, ...] = ()
    if repository or containers:
        check, chosen = _containers(workload, containers, repository)
        found.append(check)
    else:
        found.append(not_asked("containers", "no image is named"))
    found += _checks(workload, chosen, checks)
    found += [warning("owner", text) for text in owners(workload, chosen)]
    return (*found, _rollback(snapshot))


def judge_commit(snapshot: Snapshot, commit: str | None, run: str, is_ancestor: IsAncestor) -> Check:
    """Whether a newer commit is live."""
    try:
        unknown = refuse_older(live_revision(snapshot), commit, run, is_ancestor)
    except RefusedError as error:
        return bad("commit", error)
    return warning("commit", unknown) if unknown else good("commit", "no newer one is known to be live")


def permissions_to_ask(target: Target, checks: Sequence[HttpCheck]) -> tuple[Permission, ...]:
    """All that a deploy does, reading included."""
    return (*reading(target), *asked(target, checks))


def judge_permissions(
    target: Target, checks: Sequence[HttpCheck], lacking: Collection[Permission]
) -> tuple[Check, ...]:
    """Whether all is allowed that a deploy does; `lacking` are those of `permissions_to_ask` that are not."""
    missing, spared = indispensable(target, checks, lacking), handicaps(target, lacking)
    where = f"in namespace {target.namespace}"
    if not missing:
        ruled = good("permissions", f"all that a deploy of a {target.kind} must do {where}")
    else:
        named = ", ".join(f"{one.verb} {one.resource}" for one in missing)
        ruled = Check(
            name="permissions",
            passed=False,
            message=f"this user may not {named} {where}",
            hint=_to_add(missing),
        )
    return (
        ruled,
        *(warning("permissions", f"without {one.rule} {what}", _to_add([one])) for one, what in spared.items()),
    )


def permissions_unknown(error: ClusterError) -> Check:
    """Nobody could tell what is allowed: a deploy takes that for a yes, and is told by its own requests."""
    hint = "bind the ClusterRole system:basic-user to this user, or kdeploy cannot tell before a deploy what it lacks"
    return warning("permissions", f"not asked: {error.message}", hint if error.status == 403 else error.hint)


def _to_add(permissions: Collection[Permission]) -> str:
    return "\n".join(["add to the Role:", *(f"  - {rule}" for rule in rules_of(permissions))])


def _fit(target: Target, workload: Obj) -> Check:
    try:
        refuse_unfit(workload)
    except RefusedError as error:
        return bad("target", error)
    wanted = desired_replicas(workload)
    found = f"{target} in namespace {target.namespace}"
    if not wanted:
        return warning("target", f"{found}: {SCALED_TO_0}, and nothing of a deploy could be verified")
    return good("target", f"{found}, {plural(wanted, 'replica')}")


def _containers(workload: Obj, containers: Sequence[str], repository: str) -> tuple[Check, tuple[str, ...]]:
    try:
        chosen = choose_containers(workload, containers, repository)
    except RefusedError as error:
        return bad("containers", error), ()
    images = {str(c["name"]): str(c.get("image", "")) for _, c in all_containers(template_of(workload))}
    shown = ", ".join(f"{name} runs {short(images[name])}" for name in chosen)
    if repository and strangers(workload, chosen, repository):
        hint = f"a deploy points it at {repository}: is that meant?"
        return warning("containers", f"{shown}, which is another repository", hint), chosen
    return good("containers", shown), chosen


def _checks(workload: Obj, chosen: Sequence[str], checks: Sequence[HttpCheck]) -> list[Check]:
    if not checks:
        unseen = blind(workload, chosen, has_checks=False) if chosen else ()
        none = good("checks", "none: verified means complete and available")
        return [warning("checks", one) for one in unseen] or [none]
    found: list[Check] = []
    for check in checks:
        if check.url is not None:
            found.append(good("checks", f"{check.name}, asked from here"))
            continue
        if not chosen:
            found.append(not_asked("checks", f"{check.name} needs to know the containers"))
            continue
        try:
            port = choose_port(template_of(workload), chosen, check)
        except RefusedError as error:
            found.append(bad("checks", error))
        else:
            found.append(good("checks", f"{check.name} on port {port} of the new pods"))
    return found


def _rollback(snapshot: Snapshot) -> Check:
    """What would be put back after a deploy that fails now; its checks are not run here."""
    baseline = observe_baseline(snapshot)
    undo = choose_rollback(baseline, revisions_of(snapshot), failed_hash="")
    if isinstance(undo, NoTarget):
        return warning(
            "rollback", f"a failed deploy could not be undone: {undo.why}", "repair what is live, then deploy"
        )
    if baseline.hash != undo.hash:
        back = f"after a failed deploy revision {undo.revision}, which is verified, is put back"
        return warning("rollback", f"what is live is not fully available: {back}")
    if undo.is_verified:
        return good("rollback", "what is live is verified: it is put back after a failed deploy")
    return good("rollback", "what is live is available: it is put back if its checks pass, or on a first deploy")
