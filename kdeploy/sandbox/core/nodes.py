"""Which node a pod may run on: selectors, affinity, taints, room. Pure.

The sentences are the scheduler's plugins' own: pkg/scheduler/framework/plugins (nodeaffinity, tainttoleration,
noderesources).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import labels_of, name_of
from kdeploy.sandbox.core.demand import Amounts, requests
from kdeploy.sandbox.core.selection import has_all, matches_all
from kdeploy.sandbox.core.timestamps import to_text

WRONG_NAME = "node(s) didn't match the requested node name"
WRONG_LABELS = "node(s) didn't match Pod's node affinity/selector"
TAINTED = "node(s) had untolerated taint(s)"
UNSCHEDULABLE = "node(s) were unschedulable"

_PODS = 110
"""How many pods a node takes that says nothing about it."""

_CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def made(name: str, now: float, *, cpu: str = "64", memory: str = "256Gi", pods: int = 10000) -> dict[str, Any]:
    """A Node that is ready, with that much room. Simulated pods use none of it; their requests are only counted."""
    at, room = to_text(now), {"cpu": cpu, "memory": memory, "pods": str(pods)}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    return {
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
        },
        "spec": {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
            "allocatable": room,
            "capacity": room,
            "conditions": [{**ready, "lastHeartbeatTime": at, "lastTransitionTime": at}],
            "nodeInfo": {"kubeletVersion": "v1.35.4", "operatingSystem": "linux", "architecture": "amd64"},
        },
    }


def matches(spec: Obj, node: Obj) -> bool:
    """Whether a pod's nodeSelector and required node affinity allow the node."""
    selector = spec.get("nodeSelector")
    if selector and not has_all(selector, labels_of(node)):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(_term_matches(term, node) for term in required.get("nodeSelectorTerms") or ())


def untolerated(tolerations: Iterable[Obj], node: Obj, effects: Sequence[str]) -> bool:
    """Whether the node has a taint of one of these effects that is not tolerated; a cordoned node has one more."""
    taints = [*(node["spec"].get("taints") or ()), *([_CORDONED] if node["spec"].get("unschedulable") else ())]
    tolerated = list(tolerations)
    return any(
        taint.get("effect") in effects and not any(_tolerates(each, taint) for each in tolerated) for taint in taints
    )


def obstacle(spec: Obj, node: Obj, room: Amounts, used: Amounts) -> tuple[str, bool] | None:
    """Why a pod cannot go to a node, and whether the end of other pods could mend it; None where it can.

    `room` is what the node has, nothing where it does not say; `used` is what its other pods ask for. "pods" is their
    number.
    """
    if not matches(spec, node):
        return WRONG_LABELS, False
    if untolerated(spec.get("tolerations") or (), node, ("NoSchedule", "NoExecute")):
        return UNSCHEDULABLE if node["spec"].get("unschedulable") else TAINTED, False
    if not room:
        return None
    if used.get("pods", 0) >= room.get("pods", _PODS):
        return "Too many pods", True
    for name, wanted in requests(spec).items():
        if wanted > 0 and used.get(name, 0) + wanted > room.get(name, 0):
            return f"Insufficient {name}", True
    return None


def _term_matches(term: Obj, node: Obj) -> bool:
    fields = {"metadata.name": name_of(node)}
    expressions, of_fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not of_fields:
        return False
    return matches_all(expressions, labels_of(node)) and matches_all(of_fields, fields)


def _tolerates(toleration: Obj, taint: Obj) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("key") not in (None, "", taint.get("key")):
        return False
    return toleration.get("operator") == "Exists" or (toleration.get("value") or "") == (taint.get("value") or "")
