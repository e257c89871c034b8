"""The status of an object that was just created, as the API server sets it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.core.resources import (
    DAEMON_SETS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)

_COMPUTE = ("cpu", "memory")
_DAEMONS = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
_FIRST: Mapping[Resource, Obj] = {
    NAMESPACES: {"phase": "Active"},
    SERVICES: {"loadBalancer": {}},
    REPLICA_SETS: {"replicas": 0},
    STATEFUL_SETS: {"availableReplicas": 0, "replicas": 0},
    DAEMON_SETS: dict.fromkeys(_DAEMONS, 0),
}
"""What Go shows of a status in which nothing is set: the fields that it never leaves out."""


def initial_status(resource: Resource, obj: Obj) -> dict[str, Any]:
    """What an object of that resource begins with, whatever status its writer gave (strategy.go, PrepareForCreate)."""
    if resource is PODS:
        return {"phase": "Pending", "qosClass": qos_class(obj["spec"])}
    return dict(_FIRST.get(resource, {}))


def qos_class(spec: Obj) -> str:
    """A pod's quality of service class (pkg/apis/core/v1/helper/qos/qos.go): who is killed first."""
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    resources = [container.get("resources") or {} for container in containers]
    amounts = [
        (quantities.get("requests") or {}, quantities.get("limits") or {})
        for quantities in resources
        if any((quantities.get(kind) or {}).get(name) for kind in ("requests", "limits") for name in _COMPUTE)
    ]
    if not amounts:
        return "BestEffort"
    guaranteed = len(amounts) == len(containers) and all(
        limits.get(name) and requests.get(name, limits[name]) == limits[name]
        for requests, limits in amounts
        for name in _COMPUTE
    )
    return "Guaranteed" if guaranteed else "Burstable"
