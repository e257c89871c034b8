"""The scheduler's one rule: a pod goes to the first node that takes it, at once. Pure.

The sentences and events are the real scheduler's: pkg/scheduler/framework/types.go (FitError), schedule_one.go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kdeploy.model import Obj
from kdeploy.rollout.objects import condition, name_of, status_of
from kdeploy.sandbox.core import conditions
from kdeploy.sandbox.core.changes import Replace, SetStatus, Step, Tell
from kdeploy.sandbox.core.nodes import obstacle
from kdeploy.sandbox.core.resources import NODES, PODS
from kdeploy.sandbox.core.timestamps import to_text
from kdeploy.sandbox.core.view import View

COMPONENT = "default-scheduler"


def reconcile(view: View, pod: Obj, now: float) -> Step:
    """Binds a pod to a node, or says why none takes it."""
    nodes = view.list(NODES)
    obstacles = [obstacle(pod["spec"], n, view.room_on(n), view.used_on(name_of(n))) for n in nodes]
    fitting = next((node for node, found in zip(nodes, obstacles, strict=True) if found is None), None)
    if fitting is None:
        return _unschedulable(pod, [found for found in obstacles if found is not None], now)
    target, metadata = name_of(fitting), pod["metadata"]
    message = f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {target}"
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": to_text(now),
        "observedGeneration": metadata["generation"],
    }
    known = [*conditions.without(status_of(pod).get("conditions") or (), "PodScheduled"), scheduled]
    bound = {**pod, "spec": {**pod["spec"], "nodeName": target}, "status": {**status_of(pod), "conditions": known}}
    return Step((Replace(PODS, bound, "binding"), Tell(pod, "Scheduled", message, COMPONENT)))


def _unschedulable(pod: Obj, obstacles: Sequence[tuple[str, bool]], now: float) -> Step:
    message = _sentence(obstacles)
    known = condition(pod, "PodScheduled")
    if known is not None and known.get("message") == message:
        return Step()
    failed = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
        "lastProbeTime": None,
        "lastTransitionTime": known["lastTransitionTime"] if known is not None else to_text(now),
        "observedGeneration": pod["metadata"]["generation"],
    }
    others = conditions.without(status_of(pod).get("conditions") or (), "PodScheduled")
    status = {**status_of(pod), "conditions": [*others, failed]}
    told = Tell(pod, "FailedScheduling", message, COMPONENT, type="Warning")
    return Step((SetStatus(PODS, pod, status), told))


def _sentence(obstacles: Sequence[tuple[str, bool]]) -> str:
    if not obstacles:
        return "no nodes available to schedule pods"
    none = f"0/{len(obstacles)} nodes are available:"
    reasons = Counter(reason for reason, _ in obstacles)
    help_ = Counter(
        "No preemption victims found for incoming pod" if mendable else "Preemption is not helpful for scheduling"
        for _, mendable in obstacles
    )
    return f"{none} {_listed(reasons)}. no new claims to deallocate, preemption: {none} {_listed(help_)}."


def _listed(reasons: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
