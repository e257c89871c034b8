"""A cluster on virtual time for these tests: a store, its controllers, a clock that is a number, and images by name."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from kdeploy.model import Kind, Obj, Snapshot
from kdeploy.sandbox.core.bootstrap import bootstrap
from kdeploy.sandbox.core.control import Controllers, nobody
from kdeploy.sandbox.core.defaults import with_defaults
from kdeploy.sandbox.core.images import BEHAVIOUR_LABEL, ImageInfo, PullError, not_found
from kdeploy.sandbox.core.resources import (
    CONTROLLER_REVISIONS,
    EVENTS,
    PODS,
    REPLICA_SETS,
    Resource,
    of_workload,
)
from kdeploy.sandbox.core.simulated import IsProcess
from kdeploy.sandbox.core.store import Event, Store

START = 1795480422.25
DIGEST = f"sha256:{'0' * 64}"
NAMESPACE = "shop"


class World:
    """Images are found by the last part of their name: what was given for it, else what it says after "app:"."""

    def __init__(self, is_process: IsProcess = nobody, /, **images: Any) -> None:
        uids = count(1)
        self.store = Store(new_uid=lambda: f"{next(uids):08x}-0000-4000-8000-000000000000")
        self.now = START
        self.images: dict[str, Any] = dict(images)
        self.events: list[Event] = []
        self.store.subscribe(self.events.append)
        bootstrap(self.store, self.now)
        self.controllers = Controllers(self.store, images=self._image, is_process=is_process)
        self.wake = self.controllers.settle(self.now)

    def _image(self, image: str) -> ImageInfo | PullError | None:
        name = image.rpartition("/")[2].rpartition(":")[2]
        found = self.images.get(name, not_found(image))
        if isinstance(found, str):
            return ImageInfo(digest=DIGEST, labels={BEHAVIOUR_LABEL: found}, config={}, layers=())
        return found  # type: ignore[no-any-return]

    def settle(self) -> None:
        """Lets the controllers come to rest at this moment."""
        self.wake = self.controllers.settle(self.now)

    def run(self, seconds: float) -> None:
        """Lets time pass."""
        end = self.now + seconds
        self.settle()
        while self.wake is not None and self.wake <= end:
            self.now = max(self.wake, self.now)
            self.settle()
        self.now = end
        self.settle()

    def run_until(self, seen: Callable[[], object], *, at_most: float = 3600.0) -> float:
        """Lets time pass until something is so, and returns how many seconds that took."""
        begun = self.now
        self.settle()
        while not seen():
            assert self.wake is not None, "nothing more would ever happen"
            assert self.wake <= begun + at_most, f"not within {at_most} seconds"
            self.now = max(self.wake, self.now)
            self.settle()
        return self.now - begun

    def create(self, resource: Resource, obj: Obj) -> Obj:
        """As an API server would: with defaults."""
        if resource.namespaced:
            obj = {**obj, "metadata": {"namespace": NAMESPACE, **obj["metadata"]}}
        made = self.store.create(resource, with_defaults(resource, obj), self.now)
        self.settle()
        return made

    def workload(self, kind: Kind = Kind.DEPLOYMENT, name: str = "web", image: str = "good", **spec: Any) -> Obj:
        """Creates a workload of one container; `pod` are parts of the pod's spec, `container` of the container's."""
        return self.create(of_workload(kind), manifest(kind, name, image, **spec))

    def change(self, kind: Kind = Kind.DEPLOYMENT, name: str = "web", **spec: Any) -> Obj:
        """Changes fields of a workload's spec; `image` and `container` change its container."""
        before = self.get(of_workload(kind), name)
        image, container = spec.pop("image", None), spec.pop("container", {})
        pod = before["spec"]["template"]["spec"]
        first = {**pod["containers"][0], **container, **({"image": f"registry/app:{image}"} if image else {})}
        template = {**before["spec"]["template"], "spec": {**pod, "containers": [first]}}
        after = {**before, "spec": {**before["spec"], "template": template, **spec}}
        self.store.replace(of_workload(kind), with_defaults(of_workload(kind), after), self.now)
        self.settle()
        return self.get(of_workload(kind), name)

    def get(self, resource: Resource, name: str, namespace: str = NAMESPACE) -> Obj:
        """An object that is there."""
        found = self.store.get(resource, namespace, name)
        assert found is not None, f"no {resource!r} {name}"
        return found

    def pods(self) -> list[Obj]:
        """All pods, those that are being deleted too."""
        return list(self.store.list(PODS, NAMESPACE))

    def told(self, reason: str) -> list[Obj]:
        """The events of a reason."""
        return [event for event in self.store.list(EVENTS, NAMESPACE) if event["reason"] == reason]

    def snapshot(self, kind: Kind = Kind.DEPLOYMENT, name: str = "web", *, warnings_only: bool = True) -> Snapshot:
        """What kdeploy would see; events as record.py keeps them."""
        events = self.store.list(EVENTS, NAMESPACE)
        return Snapshot(
            workload=self.store.get(of_workload(kind), NAMESPACE, name),
            revisions=(*self.store.list(REPLICA_SETS, NAMESPACE), *self.store.list(CONTROLLER_REVISIONS, NAMESPACE)),
            pods=tuple(self.pods()),
            events=tuple(
                event
                for event in events
                if not warnings_only or event["type"] != "Normal" or event["reason"] == "Killing"
            ),
        )


def manifest(kind: Kind, name: str, image: str, **spec: Any) -> Obj:
    """A workload as a person writes it."""
    container = {"name": "web", "image": f"registry/app:{image}", **spec.pop("container", {})}
    pod = {"containers": [container], **spec.pop("pod", {})}
    labels = {"app": name}
    shape = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    metadata = {"name": name, **({"annotations": spec.pop("annotations")} if "annotations" in spec else {})}
    if kind is Kind.STATEFULSET:
        spec.setdefault("serviceName", name)
    return {"metadata": metadata, "spec": {**shape, **spec}}
