"""A workload and its pods as one fresh read showed them, past everything that kdeploy knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

CONTAINER = "app"
MARK = "kdeploy.dev/"

Obj = Mapping[str, Any]

_COUNTS: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("replicas", "updatedReplicas", "availableReplicas", "replicas"),
    "StatefulSet": ("replicas", "updatedReplicas", "readyReplicas", "replicas"),
    "DaemonSet": ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"),
}
"""The fields of a status that count its pods: the desired ones (of a DaemonSet), the updated, the available."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """A workload and its pods, those on their way out left aside."""

    workload: Obj
    pods: tuple[Obj, ...]

    @property
    def generation(self) -> int:
        """Of the spec."""
        return int(self.workload["metadata"]["generation"])

    @property
    def template(self) -> Obj:
        """The pod template."""
        template: Obj = self.workload["spec"]["template"]
        return template

    @property
    def image(self) -> str:
        """What the pod template names."""
        return image_of(self.template["spec"])

    @property
    def marks(self) -> dict[str, str]:
        """kdeploy's annotations, without their prefix."""
        annotations = self.workload["metadata"].get("annotations") or {}
        return {key.removeprefix(MARK): value for key, value in annotations.items() if key.startswith(MARK)}

    @cached_property
    def restarts(self) -> dict[str, int]:
        """The app's restart count by pod uid."""
        return {
            pod["metadata"]["uid"]: status["restartCount"]
            for pod in self.pods
            for status in pod["status"].get("containerStatuses", [])
            if status["name"] == CONTAINER
        }

    @property
    def observed(self) -> bool:
        """Whether the controller has seen the spec."""
        return bool(self.workload.get("status", {}).get("observedGeneration", 0) >= self.generation)

    @property
    def rolled_out(self) -> bool:
        """Whether its rollout is complete, by the rules of `kubectl rollout status`."""
        status = self.workload.get("status", {})
        desired, updated, available, *others = (status.get(name, 0) for name in _COUNTS[self.workload["kind"]])
        wanted = self.workload["spec"].get("replicas", desired)
        return self.observed and wanted > 0 and all(n == wanted for n in (updated, available, *others))

    @property
    def running(self) -> list[tuple[str, bool]]:
        """What each pod's spec names, and whether that pod is ready."""
        return sorted((image_of(pod["spec"]), is_ready(pod)) for pod in self.pods)

    def runs(self, image: str, pods: int) -> None:
        """Asserts that template and pods name `image`, the spec is observed, and just so many pods are ready."""
        assert self.image == image
        assert self.observed
        assert self.running == [(image, True)] * pods

    def is_untouched_since(self, before: "Live") -> None:
        """Asserts that nobody wrote to the workload, and its pods run on. (Its status may have moved.)"""
        for part in ("uid", "generation", "annotations"):
            assert self.workload["metadata"].get(part) == before.workload["metadata"].get(part)
        assert self.workload["spec"] == before.workload["spec"]
        assert self.restarts == before.restarts


def is_ready(pod: Obj) -> bool:
    """Whether the pod's Ready condition holds."""
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def is_leaving(obj: Obj) -> bool:
    """Whether it is being deleted."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def image_of(spec: Obj) -> str:
    """What the app's container in a pod's spec names."""
    return next(str(container["image"]) for container in spec["containers"] if container["name"] == CONTAINER)
