"""The verdict on a rollout as it stands, whoever started it: what `kdeploy status` says."""

from __future__ import annotations

from dataclasses import replace

from kdeploy.errors import RefusedError
from kdeploy.model import Kind, Obj, Reason, Snapshot, Target, Verdict
from kdeploy.rollout.assess import Expected, assess, expect

_SHORT = {"ReplicaSet", "ControllerRevision"}


def status_of(snapshot: Snapshot, *, crash_budget: int = 3) -> Verdict:
    """The verdict on the live template. The workload must be there."""
    return assess(snapshot, expectation(snapshot, crash_budget=crash_budget))


def expectation(snapshot: Snapshot, *, crash_budget: int = 3) -> Expected:
    """What `status` waits for: the template that is live now. All restarts count: its beginning is unknown."""
    assert snapshot.workload is not None
    return replace(expect(snapshot.workload, crash_budget=crash_budget), calm=0.0)


def snapshot_from_dump(items: list[Obj], target: Target | None) -> tuple[Target, Snapshot]:
    """Sorts the items of a `kubectl get deploy,rs,pods,events -o yaml` into a snapshot of `target`.

    Without a target the dump must hold exactly one workload. Raises RefusedError (NotFound, Ambiguous).
    """
    kinds = {kind.value for kind in Kind}
    workloads = [item for item in items if item.get("kind") in kinds and (target is None or _is(item, target))]
    if len(workloads) != 1:
        found = ", ".join(f"{str(w['kind']).lower()}/{w['metadata']['name']}" for w in workloads) or "none"
        raise RefusedError(
            f"the dump must hold {target or 'one workload'}; it holds {found}",
            hint="name it, e.g. kdeploy status deployment/web --from-file dump.yaml",
            reason=Reason.AMBIGUOUS if workloads else Reason.NOT_FOUND,
        )
    workload = workloads[0]
    namespace = str(workload["metadata"].get("namespace") or "default")
    here = [item for item in items if str((item.get("metadata") or {}).get("namespace") or "default") == namespace]
    target = Target(kind=Kind(workload["kind"]), name=str(workload["metadata"]["name"]), namespace=namespace)
    return target, Snapshot(
        workload=workload,
        revisions=tuple(item for item in here if item.get("kind") in _SHORT),
        pods=tuple(item for item in here if item.get("kind") == "Pod"),
        events=tuple(item for item in here if item.get("kind") == "Event"),
    )


def _is(item: Obj, target: Target) -> bool:
    metadata = item.get("metadata") or {}
    same_place = (metadata.get("namespace") or target.namespace) == target.namespace
    return item.get("kind") == target.kind.value and metadata.get("name") == target.name and same_place
