"""A StatefulSet's rollout that a broken pod keeps waiting.

Its controller waits for a broken pod to become ready before it replaces it, even by a template that would mend it. The
documentation calls that a forced rollback, to be mended by hand by deleting the pod
(https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback, kubernetes#67250).
"""

from __future__ import annotations

from collections.abc import Callable

from kdeploy.errors import ClusterError
from kdeploy.events import Noted
from kdeploy.model import Kind, Obj, Snapshot, Target
from kdeploy.rollout.classify import findings
from kdeploy.rollout.objects import is_observed, is_ready, is_terminating, name_of, uid_of
from kdeploy.rollout.revisions import live_revision, pods_of
from kdeploy.rollout.template import template_hash, template_of
from kdeploy.story.run import Run

PATIENCE = 10.0
"""Seconds."""


def unstick(run: Run, target: Target, hash_: str, until: float) -> Callable[[Snapshot], None] | None:
    """What `wait` is to do with each snapshot: delete the broken pods of other revisions, one at a time, each once.

    Broken is a pod that shows why it cannot be ready, or has not been ready for `PATIENCE`: the others of a quorum may
    be unready for a moment because one of them is. Not before the controller has observed the template named `hash_`:
    it would make the pod again as it was. None for the other kinds, whose controllers replace broken pods first.
    """
    if target.kind is not Kind.STATEFULSET:
        return None
    deleted: set[str] = set()
    unready_since: dict[str, float] = {}

    def delete_broken(snapshot: Snapshot) -> None:
        workload = snapshot.workload
        if workload is None or not is_observed(workload) or template_hash(template_of(workload)) != hash_:
            return
        new, old = pods_of(snapshot, live_revision(snapshot))
        unready = [pod for pod in old if not is_ready(pod)]
        since = {uid_of(pod): unready_since.get(uid_of(pod), run.now()) for pod in unready}
        unready_since.clear()
        unready_since.update(since)
        if any(is_terminating(pod) for pod in snapshot.pods) or not all(is_ready(pod) for pod in new):
            return
        broken = [p for p in unready if _shows_why(p) or run.now() - since[uid_of(p)] >= PATIENCE]
        for pod in sorted(broken, key=_ordinal)[-1:]:
            if uid_of(pod) in deleted:
                continue
            deleted.add(uid_of(pod))
            run.emit(
                Noted(message=f"deleting pod {name_of(pod)} of a failed revision, which keeps the rollout waiting")
            )
            try:
                run.edges.cluster.delete_pod(name_of(pod), uid_of(pod), until)
            except ClusterError as error:
                run.warn(f"pod {name_of(pod)} could not be deleted: {error.message}")

    return delete_broken


def _shows_why(pod: Obj) -> bool:
    """Whether a container is down, not just starting or unready."""
    return any(f.permanent for f in findings([pod], (), crash_budget=0, restarts_before={}, none_allowed=False))


def _ordinal(pod: Obj) -> int:
    return int(name_of(pod).rpartition("-")[2])
