"""Reading Kubernetes objects: small pure accessors, so that the rules read like the Kubernetes documentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kdeploy.model import Kind, Obj


def kind_of(workload: Obj) -> Kind:
    """The workload's kind. Raises ValueError for a kind that kdeploy does not roll out."""
    return Kind(str(workload.get("kind")))


def name_of(obj: Obj) -> str:
    """metadata.name."""
    return str(obj["metadata"]["name"])


def uid_of(obj: Obj) -> str:
    """metadata.uid."""
    return str(obj["metadata"]["uid"])


def annotations_of(obj: Obj) -> Mapping[str, str]:
    """metadata.annotations, empty where there are none."""
    return obj["metadata"].get("annotations") or {}


def labels_of(obj: Obj) -> Mapping[str, str]:
    """metadata.labels, empty where there are none."""
    return obj["metadata"].get("labels") or {}


def controller_of(obj: Obj) -> str:
    """The uid of the object's controller, empty where it has none. The API server lets none have two."""
    for ref in obj["metadata"].get("ownerReferences") or ():
        if ref.get("controller"):
            return str(ref.get("uid") or "")
    return ""


def is_owned_by(obj: Obj, uid: str) -> bool:
    """Whether the object's controller is the one with that uid (a namesake of a deleted owner is not)."""
    return controller_of(obj) == uid


def is_terminating(obj: Obj) -> bool:
    """Whether deletion was asked for; the workload controllers count such a pod no more."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def is_active(pod: Obj) -> bool:
    """Whether the workload controllers count the pod: neither ended nor being deleted.

    An evicted pod stays as an object of phase Failed (k8s.io/kubernetes/pkg/controller, IsPodActive).
    """
    return status_of(pod).get("phase") not in ("Failed", "Succeeded") and not is_terminating(pod)


def generation_of(obj: Obj) -> int:
    """How often the object's spec has changed, as the API server counts."""
    return int(obj["metadata"].get("generation") or 0)


def is_observed(workload: Obj) -> bool:
    """Whether the controller has seen the latest spec: before that the status speaks of an older one."""
    return int(status_of(workload).get("observedGeneration") or 0) >= generation_of(workload)


def status_of(obj: Obj) -> Obj:
    """The status, empty where the controller has written none."""
    status: Obj = obj.get("status") or {}
    return status


def condition(obj: Obj, type_: str) -> Obj | None:
    """The status condition of that type."""
    for one in status_of(obj).get("conditions") or ():
        if one.get("type") == type_:
            found: Obj = one
            return found
    return None


def is_ready(pod: Obj) -> bool:
    """Whether the pod's Ready condition is True."""
    ready = condition(pod, "Ready")
    return ready is not None and ready.get("status") == "True"


def all_containers(template: Obj) -> tuple[tuple[str, Obj], ...]:
    """Each container of a pod template with its JSON pointer below the template, init containers first."""
    spec = template["spec"]
    return tuple(
        (f"/spec/{field}/{index}", container)
        for field in ("initContainers", "containers")
        for index, container in enumerate(spec.get(field) or ())
    )


def images_of(template: Obj, containers: Iterable[str]) -> tuple[str, ...]:
    """The images that those containers of a pod template name, in the order of `containers`; absent ones left out."""
    by_name = {c["name"]: str(c.get("image", "")) for _, c in all_containers(template)}
    return tuple(by_name[name] for name in containers if name in by_name)


def container_statuses(pod: Obj) -> tuple[tuple[Obj, bool], ...]:
    """Every container status of a pod, with True for an init container's."""
    status = status_of(pod)
    init = [(one, True) for one in status.get("initContainerStatuses") or ()]
    return (*init, *[(one, False) for one in status.get("containerStatuses") or ()])


def desired_replicas(workload: Obj) -> int:
    """How many pods the workload is to have: spec.replicas (1 where unset), for a DaemonSet the nodes it is for."""
    if kind_of(workload) is Kind.DAEMONSET:
        return int(status_of(workload).get("desiredNumberScheduled") or 0)
    replicas: Any = workload["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)
