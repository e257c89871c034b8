"""A workload's revisions, as one value: a Deployment's ReplicaSets, the ControllerRevisions of the other kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kdeploy.model import Kind, Obj, Snapshot
from kdeploy.rollout.marks import DEPLOY_ID, VERIFIED, marks_of
from kdeploy.rollout.objects import (
    annotations_of,
    controller_of,
    is_active,
    is_owned_by,
    kind_of,
    labels_of,
    name_of,
    uid_of,
)
from kdeploy.rollout.template import template_hash, template_of

REVISION_ANNOTATION = "deployment.kubernetes.io/revision"
POD_REVISION_LABEL = "controller-revision-hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One stored version of the pod template. `hash` names the template, `pods_key` finds the revision's pods."""

    name: str
    uid: str
    number: int
    template: Obj
    hash: str
    marks: Mapping[str, str]
    created: str
    pods_key: str

    @property
    def deployed(self) -> tuple[str, str, int]:
        """Orders revisions by when they were deployed. Their numbers do not: a restored revision gets the highest.

        A deploy-id begins with the time, and a restore puts the old one back; what has none is from before kdeploy.
        """
        return self.marks.get(DEPLOY_ID, ""), self.created, self.number

    @property
    def is_verified(self) -> bool:
        """Whether its mark names its own template; an inherited mark names another."""
        return self.marks.get(VERIFIED) == self.hash


def revisions_of(snapshot: Snapshot) -> tuple[Revision, ...]:
    """The workload's own revisions (by owner uid), newest first."""
    return tuple(_newest_first(snapshot))


def live_revision(snapshot: Snapshot) -> Revision | None:
    """The revision whose template is the workload's own now; None until the controller has made it."""
    if snapshot.workload is None:
        return None
    return revision_of(snapshot, template_hash(template_of(snapshot.workload)))


def revision_of(snapshot: Snapshot, hash_: str) -> Revision | None:
    """The newest revision whose template has that hash."""
    return next((revision for revision in _newest_first(snapshot) if revision.hash == hash_), None)


def new_pods(snapshot: Snapshot) -> tuple[Obj, ...]:
    """The pods of the workload's live template."""
    return pods_of(snapshot, live_revision(snapshot))[0]


def pods_of(snapshot: Snapshot, revision: Revision | None) -> tuple[tuple[Obj, ...], tuple[Obj, ...]]:
    """The workload's active pods: those of `revision`, and all others."""
    new: list[Obj] = []
    old: list[Obj] = []
    if snapshot.workload is None:
        return (), ()
    key = controller_of if kind_of(snapshot.workload) is Kind.DEPLOYMENT else _revision_label
    owners = _pod_owners(snapshot, snapshot.workload)
    for pod in snapshot.pods:
        if is_active(pod) and controller_of(pod) in owners:
            (new if revision is not None and key(pod) == revision.pods_key else old).append(pod)
    return tuple(new), tuple(old)


def _newest_first(snapshot: Snapshot) -> Iterator[Revision]:
    """Each is read when it is asked for: most of the cost is its hash, and the live one is nearly always the first."""
    workload = snapshot.workload
    if workload is None:
        return
    is_deployment = kind_of(workload) is Kind.DEPLOYMENT
    read, number = (_of_replica_set, _replica_set_number) if is_deployment else (_of_controller_revision, _number)
    owned = [obj for obj in snapshot.revisions if is_owned_by(obj, uid_of(workload))]
    for obj in sorted(owned, key=number, reverse=True):
        yield read(obj, workload)


def _pod_owners(snapshot: Snapshot, workload: Obj) -> frozenset[str]:
    uid = uid_of(workload)
    if kind_of(workload) is not Kind.DEPLOYMENT:
        return frozenset({uid})
    return frozenset(uid_of(rs) for rs in snapshot.revisions if is_owned_by(rs, uid))


def _revision_label(pod: Obj) -> str:
    return labels_of(pod).get(POD_REVISION_LABEL, "")


def _replica_set_number(obj: Obj) -> int:
    number = str(annotations_of(obj).get(REVISION_ANNOTATION) or "")  # somebody may have written something else
    return int(number) if number.isascii() and number.isdecimal() else 0


def _number(obj: Obj) -> int:
    return int(obj.get("revision") or 0)


def _of_replica_set(obj: Obj, _workload: Obj) -> Revision:
    template = template_of(obj)
    return Revision(
        name=name_of(obj),
        uid=uid_of(obj),
        number=_replica_set_number(obj),
        template=template,
        hash=template_hash(template),
        marks=marks_of(obj),
        created=str(obj["metadata"].get("creationTimestamp") or ""),
        pods_key=uid_of(obj),
    )


def _of_controller_revision(obj: Obj, workload: Obj) -> Revision:
    template: Obj = obj["data"]["spec"]["template"]
    # A StatefulSet labels its pods with the revision's name, a DaemonSet with the hash in the revision's label.
    by_name = kind_of(workload) is Kind.STATEFULSET
    return Revision(
        name=name_of(obj),
        uid=uid_of(obj),
        number=_number(obj),
        template=template,
        hash=template_hash(template),
        marks=marks_of(obj),
        created=str(obj["metadata"].get("creationTimestamp") or ""),
        pods_key=name_of(obj) if by_name else labels_of(obj).get(POD_REVISION_LABEL, ""),
    )
