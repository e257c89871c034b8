"""The scale subresource of a workload: its replicas alone, as `kubectl scale` reads and writes them. Pure."""

from __future__ import annotations

from kdeploy.model import Obj
from kdeploy.sandbox.api import status
from kdeploy.sandbox.api.printers import selector_text
from kdeploy.sandbox.core.field_errors import not_negative

KIND = "Scale"
_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(workload: Obj) -> Obj:
    """The Scale of a Deployment, ReplicaSet or StatefulSet."""
    spec, current = workload["spec"], workload.get("status") or {}
    metadata = {key: workload["metadata"][key] for key in _METADATA if key in workload["metadata"]}
    return {
        "kind": KIND,
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": spec["replicas"]} if spec.get("replicas") else {},
        "status": {"replicas": current.get("replicas") or 0, "selector": selector_text(spec.get("selector"))},
    }


def scaled(workload: Obj, scale: Obj) -> Obj:
    """The workload with the replicas that a Scale asks for. Raises ApiError 422.

    A resourceVersion and uid of the Scale are conditions, as those of the workload itself are.
    """
    metadata, replicas = scale["metadata"], (scale.get("spec") or {}).get("replicas") or 0
    if causes := not_negative("spec.replicas", replicas):
        raise status.invalid("autoscaling", KIND, workload["metadata"]["name"], causes)
    conditions = {key: metadata.get(key) or "" for key in ("resourceVersion", "uid")}
    changed = {**workload["metadata"], **conditions}
    return {**workload, "metadata": changed, "spec": {**workload["spec"], "replicas": replicas}}
