"""The ReplicaSet controller: as many pods as are wanted, and how many of them are ready. Pure.

After pkg/controller/replicaset: replica_set.go (syncReplicaSet, manageReplicas) and replica_set_utils.go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import is_active, is_terminating, labels_of, name_of, status_of, uid_of
from kdeploy.sandbox.core import conditions
from kdeploy.sandbox.core.admission import refusal
from kdeploy.sandbox.core.changes import Change, Create, Delete, SetStatus, Step, Tell
from kdeploy.sandbox.core.claims import claim
from kdeploy.sandbox.core.metadata import controller_uid
from kdeploy.sandbox.core.pods import first_to_go, from_template, min_ready_seconds, next_available, ready_since
from kdeploy.sandbox.core.resources import PODS, REPLICA_SETS
from kdeploy.sandbox.core.rolling import replicas_of
from kdeploy.sandbox.core.selection import has_all
from kdeploy.sandbox.core.timestamps import to_text
from kdeploy.sandbox.core.view import View

COMPONENT = "replicaset-controller"
BURST = 500
"""How many pods are made or deleted at one look."""

RETRY = 10.0
"""Seconds until pods that could not be created are tried again."""


def reconcile(view: View, replica_set: Obj, now: float) -> Step:
    """What is to change for a ReplicaSet: its pods, or else its status; and when the next pod becomes available."""
    namespace = replica_set["metadata"]["namespace"]
    owned = view.owned_by(uid_of(replica_set), PODS)
    orphans = [pod for pod in view.orphans(PODS, namespace) if is_active(pod)]
    pods, claims = claim(replica_set, PODS, owned, orphans)
    if claims:
        return Step(claims)
    active = [pod for pod in pods if is_active(pod)]
    terminating = sum(map(is_terminating, pods)) if len(active) < len(pods) else 0
    missing = 0 if is_terminating(replica_set) else replicas_of(replica_set) - len(active)
    refused = None
    if missing > 0:
        spec = replica_set["spec"]["template"]["spec"]
        refused = refusal(view.get, namespace, f"{name_of(replica_set)}-", spec)
        if refused is None:
            return Step(_created(view, replica_set, min(missing, BURST)))
    if missing < 0:
        neighbours = _neighbours(view, replica_set, active)
        return Step(_deleted(replica_set, first_to_go(active, min(-missing, BURST), neighbours, now)))
    ready = min_ready_seconds(replica_set)
    wake = now + RETRY if refused else next_available(active, ready, now)
    changes: list[Change] = []
    if refused is not None:
        message = f"Error creating: {refused}"
        changes.append(Tell(replica_set, "FailedCreate", message, COMPONENT, type="Warning"))
    new = _status(replica_set, active, terminating, refused, now)
    if new != status_of(replica_set):
        changes.append(SetStatus(REPLICA_SETS, replica_set, new))
    return Step(changes, wake)


def _created(view: View, replica_set: Obj, count: int) -> list[Change]:
    prefix, template = f"{name_of(replica_set)}-", replica_set["spec"]["template"]
    spec = view.templates.pod_spec(template)
    changes: list[Change] = []
    for index in range(count):
        name = view.free_name(PODS, replica_set["metadata"]["namespace"], prefix, index)
        changes.append(Create(PODS, from_template(template, replica_set, name, spec, generate=prefix)))
        changes.append(Tell(replica_set, "SuccessfulCreate", f"Created pod: {name}", COMPONENT))
    return changes


def _deleted(replica_set: Obj, pods: Sequence[Obj]) -> list[Change]:
    changes: list[Change] = []
    for pod in pods:
        changes.append(Delete(PODS, pod))
        changes.append(Tell(replica_set, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", COMPONENT))
    return changes


def _neighbours(view: View, replica_set: Obj, pods: Sequence[Obj]) -> Mapping[str, int]:
    """Active pods of all ReplicaSets of the same Deployment on each node; no matter where all pods are on one."""
    if len({pod["spec"].get("nodeName") for pod in pods}) <= 1:
        return {}
    owner = controller_uid(replica_set)
    sets = view.owned_by(owner, REPLICA_SETS) if owner is not None else [replica_set]
    related = (pod for each in sets for pod in view.owned_by(uid_of(each), PODS) if is_active(pod))
    return Counter(pod["spec"].get("nodeName") or "" for pod in related)


def _status(replica_set: Obj, active: Sequence[Obj], terminating: int, refused: str | None, now: float) -> Obj:
    labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    min_ready = min_ready_seconds(replica_set)
    labelled = ready = available = 0
    for pod in active:
        labelled += has_all(labels, labels_of(pod))
        since = ready_since(pod)
        if since is not None:
            ready += 1
            available += min_ready == 0 or since + min_ready <= now
    counts = {"fullyLabeledReplicas": labelled, "readyReplicas": ready, "availableReplicas": available}
    status: dict[str, Any] = {key: count for key, count in counts.items() if count}
    status["observedGeneration"] = replica_set["metadata"]["generation"]
    status["replicas"], status["terminatingReplicas"] = len(active), terminating
    known = _conditions(status_of(replica_set).get("conditions") or (), refused, now)
    if known:
        status["conditions"] = known
    return status


def _conditions(known: Sequence[Obj], refused: str | None, now: float) -> list[Obj]:
    """The conditions with ReplicaFailure, which keeps its first message, or without it."""
    if refused is None:
        return conditions.without(known, "ReplicaFailure")
    if conditions.find(known, "ReplicaFailure") is not None:
        return list(known)
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": refused}
    return [*known, {**failure, "lastTransitionTime": to_text(now)}]
