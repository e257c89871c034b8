"""One Deployment on virtual time, with a controller and a kubelet that are small but honest.

The controller rolls with maxSurge 1 and maxUnavailable 0, copies annotations to the newest ReplicaSet and numbers
revisions as Kubernetes does; the kubelet pulls, starts, crashes and restarts containers as their image's `Behaviour`
says. Objects are replaced, never changed in place, so that a snapshot stays what it was.
"""

from __future__ import annotations

import copy
import hashlib
import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from kdeploy.model import Kind, Obj, Operation, Snapshot, Target
from kdeploy.rollout.objects import is_owned_by, is_ready, uid_of
from kdeploy.rollout.revisions import REVISION_ANNOTATION
from kdeploy.rollout.template import POD_TEMPLATE_HASH, template_hash, template_of
from tests.unit.rollout import json_patch

TARGET = Target(kind=Kind.DEPLOYMENT, name="web", namespace="shop")
REPOSITORY = "ghcr.io/acme/web"
RESTART_DELAYS = (1.0, 1.0, 17.0, 30.0)
CONFIG_RETRY = 13.0
PULL_BACK_OFFS = (25.0, 55.0, 100.0, 310.0)
BACK_OFF_SHOWN = 12.0


def digest(version: str) -> str:
    """The digest of that version's image."""
    return "sha256:" + hashlib.sha256(version.encode()).hexdigest()


def reference(version: str) -> str:
    """The image that kdeploy writes for that version."""
    return f"{REPOSITORY}:{version}@{digest(version)}"


def version_of(template: Obj) -> str:
    """The version that a pod or pod template runs."""
    return str(template["spec"]["containers"][0]["image"]).partition("@")[0].rpartition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What containers of an image do. Seconds since the container's start; None for never.

    `healthy` is what /health answers (None: no answer of the app's own), until `sick_after`. A `config_error` is tried
    again without a trace, a `pull_error` after ever longer back-offs.
    """

    ready_after: float | None = 1.0
    crash_after: float | None = None
    pull_error: str | None = None
    config_error: str | None = None
    healthy: bool | None = True
    sick_after: float | None = None


@dataclass(slots=True, kw_only=True)
class VirtualClock:
    """A `ports.Clock` that stands still unless the world advances it."""

    time: float = 1000.0

    def now(self) -> float:
        return self.time

    def wall(self) -> datetime:
        return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time)


@dataclass(slots=True, kw_only=True)
class World:
    """The objects and what is going to happen to them. `on_change` is told of every change; `admit` is a mutating
    webhook for patches of the spec.
    """

    behaviours: Mapping[str, Behaviour]
    clock: VirtualClock = field(default_factory=VirtualClock)
    workload: Obj | None = None
    replica_sets: dict[str, Obj] = field(default_factory=dict)
    pods: dict[str, Obj] = field(default_factory=dict)
    on_change: Callable[[], None] = lambda: None
    admit: Callable[[Any], object] = lambda _: None
    condition: Obj | None = None
    _agenda: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _serial: int = 0
    _dirty: bool = False

    # time

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Plans an action."""
        heapq.heappush(self._agenda, (moment, self._number(), action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Plans an action for later."""
        self.at(self.clock.time + seconds, action)

    def next_at(self) -> float | None:
        """When something happens next."""
        return self._agenda[0][0] if self._agenda else None

    def step(self) -> None:
        """Lets the next thing happen."""
        moment, _, action = heapq.heappop(self._agenda)
        self.clock.time = max(self.clock.time, moment)
        action()

    def advance(self, until: float) -> None:
        """Lets all happen until then."""
        while (moment := self.next_at()) is not None and moment <= until:
            self.step()
        self.clock.time = max(self.clock.time, until)

    # the API

    def snapshot(self) -> Snapshot:
        """All objects as they are."""
        return Snapshot(
            workload=self.workload, revisions=tuple(self.replica_sets.values()), pods=tuple(self.pods.values())
        )

    def create(self, version: str, replicas: int) -> None:
        """The Deployment, as somebody applied it."""
        container = {"name": "web", "image": reference(version), "ports": [{"containerPort": 8080}]}
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        metadata = {"name": TARGET.name, "namespace": TARGET.namespace, "uid": f"uid-{self._number()}", "generation": 1}
        self.workload = {"kind": "Deployment", "metadata": metadata, "spec": spec, "status": {}}
        self._changed()

    def patch(self, operations: Sequence[Operation]) -> Obj:
        """A JSON patch of the Deployment. Raises PatchError."""
        if self.workload is None:
            raise json_patch.PatchError("it is gone")
        altered = json_patch.apply(self.workload, operations)
        if altered["spec"] != self.workload["spec"]:
            self.admit(altered)
        return self._put(altered)

    def change(self, change: Callable[[Any], object]) -> None:
        """Somebody else's change of the Deployment."""
        if self.workload is not None:
            altered = copy.deepcopy(dict(self.workload))
            change(altered)
            self._put(altered)

    def lose_a_pod(self) -> None:
        """A node takes one of its pods along."""
        del self.pods[next(iter(self.pods))]
        self._changed()

    def miss_deadline(self) -> None:
        """The controller has waited for the newest ReplicaSet for longer than progressDeadlineSeconds."""
        newest = max(self.replica_sets, key=lambda name: _number_of(self.replica_sets[name]))
        self.condition = {
            "type": "Progressing",
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "message": f'ReplicaSet "{newest}" has timed out progressing.',
            "lastUpdateTime": f"{self.clock.wall():%Y-%m-%dT%H:%M:%SZ}",
        }
        self._changed()

    def delete(self) -> None:
        """Somebody deletes the Deployment."""
        self.workload = None
        self.replica_sets.clear()
        self.pods.clear()
        self.on_change()

    def _put(self, altered: dict[str, Any]) -> Obj:
        assert self.workload is not None
        if not altered["metadata"].get("annotations"):  # an API server keeps no empty map
            altered["metadata"].pop("annotations", None)
        if altered["spec"] != self.workload["spec"]:
            altered["metadata"]["generation"] += 1
        self.workload = altered
        self._changed()
        return altered

    def _changed(self) -> None:
        self.on_change()
        if not self._dirty:
            self._dirty = True
            self.after(0.03, self._reconcile)

    # the Deployment controller

    def _reconcile(self) -> None:
        self._dirty = False
        if self.workload is None:
            return
        uid, desired = self._new_replica_set(), int(self.workload["spec"]["replicas"])
        while True:
            new = [pod for pod in self.pods.values() if is_owned_by(pod, uid)]
            old = [pod for pod in self.pods.values() if not is_owned_by(pod, uid)]
            superfluous = self._superfluous(new, old, desired)
            if superfluous is not None:
                del self.pods[uid_of(superfluous)]
            elif len(new) < desired and len(new) + len(old) <= desired:
                self._create_pod(uid)
            else:
                break
        self._write_status(uid)

    def _superfluous(self, new: list[Obj], old: list[Obj], desired: int) -> Obj | None:
        if len(new) > desired:
            return new[-1]
        old_unready = [pod for pod in old if not is_ready(pod)]
        # cleanupUnhealthyReplicas in pkg/controller/deployment/rolling.go
        if old_unready and len(new) + len(old) - desired - sum(not is_ready(pod) for pod in new) > 0:
            return old_unready[0]
        if old and sum(is_ready(pod) for pod in [*new, *old]) > desired:
            return next((pod for pod in old if is_ready(pod)), None)
        return None

    def _new_replica_set(self) -> str:
        """The uid of the live template's ReplicaSet, made where there is none, with the newest revision's number."""
        assert self.workload is not None
        template, metadata = template_of(self.workload), self.workload["metadata"]
        name = f"web-{template_hash(template)[:8]}"
        found = self.replica_sets.get(name)
        numbers = {key: _number_of(rs) for key, rs in self.replica_sets.items()}
        newest = max(numbers.values(), default=0)
        number = newest if numbers.get(name) == newest and newest else newest + 1
        labels = {**template["metadata"]["labels"], POD_TEMPLATE_HASH: name[4:]}
        self.replica_sets[name] = {
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "uid": uid_of(found) if found else f"uid-{self._number()}",
                "annotations": {**metadata.get("annotations", {}), REVISION_ANNOTATION: str(number)},
                "ownerReferences": [{"uid": metadata["uid"], "controller": True}],
            },
            "spec": {"template": {**template, "metadata": {**template["metadata"], "labels": labels}}},
        }
        return uid_of(self.replica_sets[name])

    def _write_status(self, uid: str) -> None:
        assert self.workload is not None
        new = [pod for pod in self.pods.values() if is_owned_by(pod, uid)]
        ready = sum(is_ready(pod) for pod in self.pods.values())
        status = {
            "observedGeneration": self.workload["metadata"]["generation"],
            "replicas": len(self.pods),
            "updatedReplicas": len(new),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": [self.condition] if self.condition else [],
        }
        if status != self.workload["status"]:
            self.workload = {**self.workload, "status": status}
        self.on_change()

    # the kubelet

    def _create_pod(self, owner: str) -> None:
        replica_set = next(rs for rs in self.replica_sets.values() if uid_of(rs) == owner)
        number = self._number()
        metadata = {
            "name": f"{replica_set['metadata']['name']}-{number:04d}",
            "uid": f"uid-{number}",
            "ownerReferences": [{"uid": owner, "controller": True}],
        }
        spec = template_of(replica_set)["spec"]
        self.pods[f"uid-{number}"] = {"kind": "Pod", "metadata": metadata, "spec": spec, "status": {}}
        self.after(0.2, lambda: self._start(f"uid-{number}", 0))

    def behaviour(self, pod: Obj) -> Behaviour:
        """What the pod's container does."""
        return self.behaviours.get(version_of(pod), Behaviour())

    def _start(self, uid: str, restarts: int) -> None:
        if uid not in self.pods:
            return
        behaviour = self.behaviour(self.pods[uid])
        if behaviour.config_error:
            waiting = {"reason": "CreateContainerConfigError", "message": behaviour.config_error}
            self._show(uid, {"waiting": waiting}, restarts)
            self.after(CONFIG_RETRY, lambda: self._start(uid, restarts))
            return
        if behaviour.pull_error:
            self._fail_pull(uid, behaviour.pull_error, PULL_BACK_OFFS)
            return
        self._show(uid, {"running": {"startedAt": self.clock.time}}, restarts)
        if behaviour.ready_after is not None:
            self.after(behaviour.ready_after, lambda: self._become_ready(uid, restarts))
        if behaviour.crash_after is not None:
            self.after(behaviour.crash_after, lambda: self._crash(uid, restarts))

    def _fail_pull(self, uid: str, error: str, back_offs: Sequence[float]) -> None:
        """ErrImagePull, which gives way to a back-off that does not say why, and then to the next try."""
        self._show(uid, {"waiting": {"reason": "ErrImagePull", "message": error}}, 0)
        self.after(BACK_OFF_SHOWN, lambda: self._back_off(uid))
        self.after(back_offs[0], lambda: self._pull_again(uid, back_offs[1:] or back_offs))

    def _back_off(self, uid: str) -> None:
        if uid in self.pods:
            self._show(uid, {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}, 0)

    def _pull_again(self, uid: str, back_offs: Sequence[float]) -> None:
        error = self.behaviour(self.pods[uid]).pull_error if uid in self.pods else None
        if error is None:
            self._start(uid, 0)
        else:
            self._fail_pull(uid, error, back_offs)

    def _become_ready(self, uid: str, restarts: int) -> None:
        if (
            uid in self.pods
            and self._status(uid)["restartCount"] == restarts
            and "running" in self._status(uid)["state"]
        ):
            self._show(uid, self._status(uid)["state"], restarts, ready=True)

    def _crash(self, uid: str, restarts: int) -> None:
        if uid in self.pods:
            self._show(uid, {"terminated": {"exitCode": 3, "reason": "Error"}}, restarts)
            delay = RESTART_DELAYS[min(restarts, len(RESTART_DELAYS) - 1)]
            self.after(delay, lambda: self._start(uid, restarts + 1))

    def _status(self, uid: str) -> Obj:
        status: Obj = self.pods[uid]["status"]["containerStatuses"][0]
        return status

    def _show(self, uid: str, state: Obj, restarts: int, *, ready: bool = False) -> None:
        pod = self.pods[uid]
        image_id = str(pod["spec"]["containers"][0]["image"])
        container = {"name": "web", "state": state, "restartCount": restarts, "ready": ready, "imageID": image_id}
        if restarts:
            container["lastState"] = {"terminated": {"exitCode": 3, "reason": "Error"}}
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        self.pods[uid] = {**pod, "status": {"conditions": conditions, "containerStatuses": [container]}}
        self._changed()

    def _number(self) -> int:
        self._serial += 1
        return self._serial


def _number_of(replica_set: Obj) -> int:
    return int(replica_set["metadata"]["annotations"][REVISION_ANNOTATION])
