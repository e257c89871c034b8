"""How a rollout stands: one pure function of what was observed, its rules in kubectl's order.

kubectl's own rule is k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go. This one also demands that the workload
is still ours (uid, template, deploy-id), judges by the new revision's own pods, and fails before the progress deadline
where a pod shows that waiting is in vain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kdeploy.model import SCALED_TO_0, Culprit, Kind, Obj, PodCounts, Reason, Snapshot, State, Verdict
from kdeploy.rollout import marks
from kdeploy.rollout.classify import Finding, Restarts, cause, findings, unready
from kdeploy.rollout.objects import (
    annotations_of,
    condition,
    desired_replicas,
    images_of,
    is_observed,
    is_ready,
    kind_of,
    name_of,
    status_of,
    uid_of,
)
from kdeploy.rollout.revisions import Revision, pods_of, revision_of
from kdeploy.rollout.stale import Stale, missed_deadline
from kdeploy.rollout.template import template_hash, template_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The rollout that a verdict is about.

    `deploy_id` and `digest` are not looked at where they are None (a rollback, `status`). `restarts_before` holds the
    restart counts that are not this rollout's fault, `stale` what its pods showed before (see stale.py); with `settled`
    no further restart is allowed. `calm`: the seconds that a container restarted in this rollout must run before it
    counts (see calm.py).
    """

    uid: str
    hash: str
    deploy_id: str | None = None
    digest: str | None = None
    containers: tuple[str, ...] = ()
    crash_budget: int = 3
    restarts_before: Restarts = field(default_factory=dict)
    stale: Stale = field(default_factory=Stale)
    settled: bool = False
    calm: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """One snapshot, sorted into what the rules ask for."""

    workload: Obj
    revision: Revision | None
    new: tuple[Obj, ...]
    old: tuple[Obj, ...]
    found: tuple[Finding, ...]
    counts: PodCounts


def expect(workload: Obj, *, crash_budget: int, restarts_before: Restarts | None = None) -> Expected:
    """What is expected of a workload as it stands, whoever wrote it."""
    return Expected(
        uid=uid_of(workload),
        hash=template_hash(template_of(workload)),
        crash_budget=crash_budget,
        restarts_before=restarts_before or {},
    )


def assess(snapshot: Snapshot, expected: Expected) -> Verdict:
    """The verdict on the expected rollout: complete, progressing, paused, failed or superseded, and why."""
    gone = _not_ours(snapshot.workload, expected)
    if gone is not None or snapshot.workload is None:
        return gone or _deleted()
    view = _view(snapshot.workload, snapshot, expected)
    for rule in (_observed, _failed_pods, _failed_conditions, _paused, _counted, _pods_agree, _right_image):
        verdict = rule(view, expected)
        if verdict is not None:
            return replace(verdict, pods=view.counts)
    message = f"{view.counts.desired} of {view.counts.desired} pods are updated and available"
    if view.counts.desired == 0:
        return Verdict(state=State.COMPLETE, reason=Reason.NOTHING_TO_VERIFY, message=SCALED_TO_0, pods=view.counts)
    return Verdict(state=State.COMPLETE, reason=Reason.COMPLETE, message=message, pods=view.counts)


def timed_out(snapshot: Snapshot, expected: Expected, verdict: Verdict, seconds: float) -> Verdict:
    """What a rollout that was still on its way when its time was over has failed of."""
    culprits = verdict.culprits
    if not culprits and snapshot.workload is not None:
        culprits = unready(_view(snapshot.workload, snapshot, expected).new)
    reason = Reason(culprits[0].reason) if culprits else Reason.TIMEOUT
    why = f"; {culprits[0].pod}: {cause(culprits[0].message)}" if culprits and not verdict.culprits else ""
    return Verdict(
        state=State.FAILED,
        reason=reason,
        message=f"not complete after {round(seconds, 1):g}s: {verdict.message}{why}",
        culprits=culprits,
        pods=verdict.pods,
    )


def is_settled_by_status(workload: Obj) -> bool:
    """Whether the workload's own status says that its rollout is over: then pods that disagree are seen late."""
    view = _View(workload=workload, revision=None, new=(), old=(), found=(), counts=PodCounts())
    return is_observed(workload) and _COUNTED[kind_of(workload)](view) is None


def _not_ours(workload: Obj | None, expected: Expected) -> Verdict | None:
    if workload is None or workload["metadata"].get("deletionTimestamp"):
        return _deleted()
    if uid_of(workload) != expected.uid:
        return _superseded(Reason.DELETED, "it was deleted and created again by somebody else")
    if template_hash(template_of(workload)) != expected.hash:
        return _superseded(Reason.SUPERSEDED, "somebody else changed its pod template; their change is rolling")
    live_id = annotations_of(workload).get(marks.DEPLOY_ID)
    if expected.deploy_id is not None and live_id != expected.deploy_id:
        return _superseded(Reason.SUPERSEDED, f"another deploy took over ({live_id or 'its marks are gone'})")
    return None


def _deleted() -> Verdict:
    return _superseded(Reason.DELETED, "it was deleted by somebody else")


def _superseded(reason: Reason, message: str) -> Verdict:
    return Verdict(state=State.SUPERSEDED, reason=reason, message=message)


def _view(workload: Obj, snapshot: Snapshot, expected: Expected) -> _View:
    revision = revision_of(snapshot, expected.hash)
    new, old = pods_of(snapshot, revision)
    found = findings(
        new,
        snapshot.events,
        crash_budget=expected.crash_budget,
        restarts_before=expected.restarts_before,
        none_allowed=expected.settled,
        stale=expected.stale.shown.keys(),
    )
    ready = sum(is_ready(pod) for pod in new)
    counts = PodCounts(
        desired=desired_replicas(workload),
        new=len(new),
        ready=ready,
        available=_available(workload, revision, ready),
        old=len(old),
    )
    return _View(workload=workload, revision=revision, new=new, old=old, found=found, counts=counts)


def _available(workload: Obj, revision: Revision | None, ready: int) -> int:
    if revision is None or not is_observed(workload):
        return 0
    status = status_of(workload)
    count = status.get("numberAvailable") if kind_of(workload) is Kind.DAEMONSET else status.get("availableReplicas")
    if count is None and kind_of(workload) is Kind.STATEFULSET:  # not told before Kubernetes 1.22
        count = status.get("readyReplicas")
    return min(int(count or 0), ready)


def _observed(view: _View, _: Expected) -> Verdict | None:
    if not is_observed(view.workload):
        return _progressing("waiting for the controller to observe the new spec")
    if view.revision is None:  # a paused Deployment's controller creates none
        return _paused(view, _) or _progressing("waiting for the controller to create the new revision")
    return None


def _failed_pods(view: _View, _: Expected) -> Verdict | None:
    permanent = [finding for finding in view.found if finding.permanent]
    if not permanent:
        return None
    first = permanent[0].culprit
    where = f"container {first.container} of pod {first.pod}" if first.container else f"pod {first.pod}"
    return Verdict(
        state=State.FAILED,
        reason=permanent[0].reason,
        message=f"{where}: {cause(first.message)}",
        culprits=tuple(finding.culprit for finding in permanent),
    )


def _failed_conditions(view: _View, expected: Expected) -> Verdict | None:
    missed = missed_deadline(view.workload)
    if not missed or missed == expected.stale.missed or view.revision is None:
        return None
    message = str((condition(view.workload, "Progressing") or {}).get("message") or "")
    if view.revision.name not in message:  # left over from the rollout before this one
        return None
    culprits = tuple(finding.culprit for finding in view.found) or unready(view.new)
    why = f"; {culprits[0].pod}: {cause(culprits[0].message)}" if culprits else ""
    return Verdict(
        state=State.FAILED, reason=Reason.PROGRESS_DEADLINE_EXCEEDED, message=message + why, culprits=culprits
    )


def _paused(view: _View, _: Expected) -> Verdict | None:
    if view.workload["spec"].get("paused"):
        return Verdict(state=State.PAUSED, reason=Reason.PAUSED, message="the rollout is paused")
    return None


def _counted(view: _View, _: Expected) -> Verdict | None:
    message = _COUNTED[kind_of(view.workload)](view)
    if message is None:
        return None
    refused = condition(view.workload, "ReplicaFailure")
    if refused is not None and refused.get("status") == "True":
        text = str(refused.get("message") or "")
        reason = Reason.QUOTA_EXCEEDED if "exceeded quota" in text else Reason.ADMISSION_DENIED
        culprit = Culprit(pod=view.revision.name if view.revision else "", reason=reason, message=text)
        return _progressing(f"pods cannot be created: {text}", (culprit,))
    suspects = tuple(finding.culprit for finding in view.found)
    return _progressing(
        f"{message}; {suspects[0].pod}: {cause(suspects[0].message)}" if suspects else message, suspects
    )


def _count_deployment(view: _View) -> str | None:
    status, desired = status_of(view.workload), desired_replicas(view.workload)
    updated = int(status.get("updatedReplicas") or 0)
    if updated < desired:
        return f"{updated} of {desired} new pods created"
    total, available = int(status.get("replicas") or 0), int(status.get("availableReplicas") or 0)
    if total > updated:
        return _old_pods(total - updated)
    if available < updated:
        return f"{available} of {updated} new pods available"
    return None


def _count_stateful_set(view: _View) -> str | None:
    status, desired = status_of(view.workload), desired_replicas(view.workload)
    ready, updated = int(status.get("readyReplicas") or 0), int(status.get("updatedReplicas") or 0)
    moved = status.get("updateRevision") == status.get("currentRevision")
    if not moved and updated < desired:
        return f"{updated} of {desired} pods updated"
    if ready < desired:
        return f"{ready} of {desired} pods ready"
    if not moved:
        return "waiting for the update revision to become the current one"
    if "availableReplicas" in status and int(status.get("availableReplicas") or 0) < desired:
        return f"{int(status.get('availableReplicas') or 0)} of {desired} pods available"
    return f"{status.get('replicas')} pods, {desired} wanted" if int(status.get("replicas") or 0) != desired else None


def _count_daemon_set(view: _View) -> str | None:
    status, desired = status_of(view.workload), desired_replicas(view.workload)
    updated = int(status.get("updatedNumberScheduled") or 0)
    if updated < desired:
        return f"{updated} of {desired} pods updated"
    available = int(status.get("numberAvailable") or 0)
    return f"{available} of {desired} pods available" if available < desired else None


_COUNTED: dict[Kind, Callable[[_View], str | None]] = {
    Kind.DEPLOYMENT: _count_deployment,
    Kind.STATEFULSET: _count_stateful_set,
    Kind.DAEMONSET: _count_daemon_set,
}


def _pods_agree(view: _View, _: Expected) -> Verdict | None:
    """The status is a count; the pods themselves must say the same (their stream may be a moment behind)."""
    if view.counts.ready < view.counts.desired:
        return _progressing(f"{view.counts.ready} of {view.counts.desired} new pods ready")
    if view.old:
        return _progressing(_old_pods(len(view.old)))
    return None


def _right_image(view: _View, expected: Expected) -> Verdict | None:
    if expected.digest is None:
        return None
    for pod in view.new:
        for image in images_of(pod, expected.containers):
            if not image.endswith(f"@{expected.digest}"):
                text = f"it was admitted with image {image} instead of {expected.digest}"
                culprit = Culprit(pod=name_of(pod), reason=Reason.INVALID_IMAGE, message=text)
                return Verdict(
                    state=State.FAILED,
                    reason=Reason.INVALID_IMAGE,
                    message=f"pod {name_of(pod)}: {text}",
                    culprits=(culprit,),
                )
    return None


def _old_pods(count: int) -> str:
    return f"{count} old pod{'' if count == 1 else 's'} still to end"


def _progressing(message: str, culprits: tuple[Culprit, ...] = ()) -> Verdict:
    return Verdict(state=State.PROGRESSING, reason=Reason.PROGRESSING, message=message, culprits=culprits)
