"""A StatefulSet's rollout that a broken pod keeps waiting.

Its controller waits for a broken pod to become ready before it replaces it, even by a template that would mend it. The
documentation calls that a forced rollback, to be mended by hand by deleting the pod
(https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback, kubernetes#67250).
"""

from __future__ import annotations

from collections.abc import Callable

from kdeploy.errors import ClusterError
from kdeploy.events import Noted
from kdeploy.model import Kind, Snapshot, Target
from kdeploy.rollout.objects import is_observed, is_ready, name_of, uid_of
from kdeploy.rollout.revisions import live_revision, pods_of
from kdeploy.rollout.template import template_hash, template_of
from kdeploy.story.run import Run


def unstick(run: Run, target: Target, hash_: str, until: float) -> Callable[[Snapshot], None] | None:
    """What `wait` is to do with each snapshot: delete, once each, the pods of other revisions that are not ready.

    Not before the controller has observed the template named `hash_`: it would make them again as they were. None for
    the other kinds, whose controllers replace broken pods first.
    """
    if target.kind is not Kind.STATEFULSET:
        return None
    deleted: set[str] = set()

    def delete_broken(snapshot: Snapshot) -> None:
        workload = snapshot.workload
        if workload is None or not is_observed(workload) or template_hash(template_of(workload)) != hash_:
            return
        for pod in pods_of(snapshot, live_revision(snapshot))[1]:
            if is_ready(pod) or uid_of(pod) in deleted:
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
