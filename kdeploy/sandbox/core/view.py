"""What the controllers may read: the store, and indexes of what the store alone would have to search for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kdeploy.model import Obj
from kdeploy.rollout.objects import labels_of, status_of
from kdeploy.sandbox.core.demand import Amounts, amounts, requests
from kdeploy.sandbox.core.metadata import controller_uid, key_of, suffix
from kdeploy.sandbox.core.resources import CONTROLLER_REVISIONS, PODS, REPLICA_SETS, Resource
from kdeploy.sandbox.core.selection import has_all
from kdeploy.sandbox.core.store import Event, Store
from kdeploy.sandbox.core.templates import Templates

_ADOPTABLE = (PODS, REPLICA_SETS, CONTROLLER_REVISIONS)
_Named = dict[str, Obj]


class View:
    """A read-only look at a store. Its indexes follow the store's events."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.templates = Templates()
        self._orphans: dict[tuple[Resource, str], _Named] = {}
        self._labelled: dict[tuple[str, str, str], _Named] = {}
        self._used: dict[str, Amounts] = {}
        self._room: dict[str, tuple[Obj, Amounts]] = {}
        for resource in _ADOPTABLE:
            for obj in store.list(resource):
                self._see(resource, obj, None)
        store.subscribe(self._heed)

    def get(self, resource: Resource, namespace: str, name: str) -> Obj | None:
        """The object of that name."""
        return self._store.get(resource, namespace, name)

    def list(self, resource: Resource, namespace: str | None = None) -> Sequence[Obj]:
        """All objects of a kind, for kinds of which there are few."""
        return self._store.list(resource, namespace)

    def owned_by(self, uid: str, resource: Resource) -> Sequence[Obj]:
        """What the owner with that uid controls."""
        return self._store.owned_by(uid, resource)

    def orphans(self, resource: Resource, namespace: str) -> Iterable[Obj]:
        """What nobody controls in a namespace."""
        return self._orphans.get((resource, namespace), {}).values()

    def pods_with(self, namespace: str, labels: Mapping[str, str]) -> Sequence[Obj]:
        """The pods that have all these labels, by name."""
        sets = [self._labelled.get((namespace, key, value), {}) for key, value in labels.items()]
        fewest = min(sets, key=len, default={})
        return [pod for _, pod in sorted(fewest.items()) if has_all(labels, labels_of(pod))]

    def used_on(self, node: str) -> Amounts:
        """What the pods of a node ask for, with their number as "pods"; those that have ended do not count."""
        return self._used.get(node, {})

    def room_on(self, node: Obj) -> Amounts:
        """What a node has for pods."""
        name = node["metadata"]["name"]
        kept = self._room.get(name)
        if kept is None or kept[0] is not node:
            kept = self._room[name] = (node, amounts(status_of(node).get("allocatable")))
        return kept[1]

    def free_name(self, resource: Resource, namespace: str, prefix: str, index: int) -> str:
        """A name for the `index`th of some new objects, the same in each run, that is not taken."""
        version = self._store.version
        name, attempt = prefix + suffix(f"{prefix}{version}.{index}"), 0
        while self.get(resource, namespace, name) is not None:
            attempt += 1
            name = prefix + suffix(f"{prefix}{version}.{index}.{attempt}")
        return name

    def _heed(self, event: Event) -> None:
        if event.resource in _ADOPTABLE:
            gone = event.type == "DELETED"
            self._see(event.resource, None if gone else event.obj, event.previous)

    def _see(self, resource: Resource, obj: Obj | None, previous: Obj | None) -> None:
        namespace, name = key_of(obj or previous or {})
        if obj is not None and controller_uid(obj) is None:
            self._orphans.setdefault((resource, namespace), {})[name] = obj
        elif previous is None or controller_uid(previous) is None:
            self._orphans.get((resource, namespace), {}).pop(name, None)
        if resource is PODS:
            self._label(namespace, name, obj, previous)
            if previous is None or obj is None or _weight(obj) != _weight(previous):
                self._count(obj, 1)
                self._count(previous, -1)

    def _count(self, pod: Obj | None, sign: int) -> None:
        if pod is None or not _weight(pod):
            return
        used = self._used.setdefault(pod["spec"]["nodeName"], {})
        for name, number in (requests(pod["spec"]) | {"pods": 1}).items():
            used[name] = used.get(name, 0) + sign * number

    def _label(self, namespace: str, name: str, obj: Obj | None, previous: Obj | None) -> None:
        labels = labels_of(obj) if obj is not None else {}
        if previous is not None:
            for key, value in labels_of(previous).items():
                if labels.get(key) != value:
                    named = self._labelled[namespace, key, value]
                    del named[name]
                    if not named:
                        del self._labelled[namespace, key, value]
        if obj is not None:
            for key, value in labels.items():
                self._labelled.setdefault((namespace, key, value), {})[name] = obj


def _weight(pod: Obj) -> str:
    """The node on which it counts."""
    return "" if status_of(pod).get("phase") in ("Failed", "Succeeded") else pod["spec"].get("nodeName") or ""
