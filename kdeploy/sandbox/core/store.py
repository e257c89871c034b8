"""The cluster's objects and their history: what etcd and the API server's storage are to a real one.

Objects are plain JSON dicts that nobody changes once they are stored: they are shared, never copied, and a change makes
a new dict around the unchanged parts. For one thread; nothing here waits or reads a clock: `now` is Unix seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from kdeploy.model import Obj
from kdeploy.sandbox.core.errors import AlreadyExistsError, ConflictError, ExpiredError, NotFoundError
from kdeploy.sandbox.core.metadata import (
    controller_uid,
    created,
    grace_of,
    key_of,
    marked_for_deletion,
    owners_of,
    replaced,
    stamped,
    suffix,
)
from kdeploy.sandbox.core.resources import NAMESPACES, RESOURCES, Resource

Propagation = Literal["Background", "Foreground", "Orphan"]
EventType = Literal["ADDED", "MODIFIED", "DELETED"]
Listener = Callable[["Event"], None]
_Key = tuple[str, str]

_CHANGED = "the object has been modified; please apply your changes to the latest version and try again"


class Event(NamedTuple):
    """One change. `version` is the resourceVersion that it made, which `obj` carries (a DELETED one too).

    `previous`: the object before, None for ADDED; with it a watch with a selector can tell what left its view.
    """

    type: EventType
    resource: Resource
    obj: Obj
    version: int
    previous: Obj | None


class Store:
    """All objects of one cluster. `version` is the newest resourceVersion: each change takes the next number.

    `new_uid` makes up the objects' uids; the last `history` events are kept.
    """

    def __init__(self, *, new_uid: Callable[[], str], history: int = 1000) -> None:
        self.version = 0
        self._new_uid = new_uid
        self._objects: dict[Resource, dict[str, dict[str, Obj]]] = {resource: {} for resource in RESOURCES}
        self._places: dict[str, tuple[Resource, _Key]] = {}
        self._owned: dict[str, dict[Resource, dict[_Key, Obj]]] = {}
        self._mere_owners: set[str] = set()  # who owns something without controlling it
        self._events: deque[Event] = deque(maxlen=history)
        self._listeners: list[Listener] = []

    def get(self, resource: Resource, namespace: str, name: str) -> Obj | None:
        """The object of that name; `namespace` is "" for cluster-scoped ones."""
        return self._objects[resource].get(namespace, {}).get(name)

    def list(self, resource: Resource, namespace: str | None = None) -> Sequence[Obj]:
        """The objects of a namespace by name, or with None of all, by namespace and name."""
        tables = self._objects[resource]
        names = sorted(tables) if namespace is None else [namespace]
        return [obj for name in names if name in tables for _, obj in sorted(tables[name].items())]

    def owned_by(self, uid: str, resource: Resource) -> Sequence[Obj]:
        """The objects that the owner with that uid controls, oldest first."""
        owned = self._owned.get(uid, {}).get(resource)
        if not owned:
            return []
        if uid not in self._mere_owners:
            return list(owned.values())
        return [obj for obj in owned.values() if controller_uid(obj) == uid]

    def by_uid(self, uid: str) -> Obj | None:
        """The object with that uid."""
        place = self._places.get(uid)
        return None if place is None else self.get(place[0], *place[1])

    def create(self, resource: Resource, obj: Obj, now: float) -> Obj:
        """Stores a new object and returns it, with uid, resourceVersion, creationTimestamp, generation, and a name.

        A name is made from generateName where it has none. A status that it comes with is not taken, but a Node's.
        Raises AlreadyExistsError.
        """
        namespace, version = obj["metadata"].get("namespace") or "", self.version + 1
        table = self._objects[resource].setdefault(namespace, {})
        name = obj["metadata"].get("name") or self._free_name(obj["metadata"]["generateName"], table, version)
        if name in table:
            gone = "deletionTimestamp" in table[name]["metadata"]
            raise AlreadyExistsError(resource, name, being_deleted=gone)
        new = created(resource, obj, name=name, uid=self._new_uid(), version=version, now=now)
        self._put("ADDED", resource, new, None)
        return new

    def replace(self, resource: Resource, obj: Obj, now: float, *, subresource: str = "") -> Obj:
        """Puts `obj` in the place of the object of its name and returns what is stored now.

        `subresource` "status" takes the status only; "" all but the status, and counts a changed spec as a generation;
        "binding" is the scheduler's: all is taken, and its nodeName is no new generation. What changes nothing makes no
        event. The last finalizer's removal ends an object that is being deleted. Raises NotFoundError, and
        ConflictError where `obj` has a resourceVersion or uid that is not the stored one's.
        """
        namespace, name = key_of(obj)
        stored = self._stored(resource, namespace, name)
        check_same(resource, name, stored, obj)
        new = replaced(resource, stored, obj, subresource, self.version + 1)
        if new is stored:
            return stored
        self._put("MODIFIED", resource, new, stored)
        metadata = new["metadata"]
        was_held = "deletionTimestamp" in metadata and bool(stored["metadata"].get("finalizers"))
        if was_held and not metadata.get("finalizers") and not metadata.get("deletionGracePeriodSeconds"):
            return self._remove(resource, new, now, "Background")
        return new

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        now: float,
        *,
        grace: float | None = None,
        propagation: Propagation = "Background",
    ) -> Obj:
        """Deletes an object, and returns it as it is now, or was last.

        A pod on a node is only marked, and is deleted with `grace=0` by the kubelet when it has ended; `grace` None is
        its own terminationGracePeriodSeconds. So is an object with finalizers, until they are removed. All others go
        at once, a namespace with all that is in it; what they own goes as well (the garbage collector's work), unless
        `propagation` is "Orphan". "Foreground" is the same as "Background". Raises NotFoundError.
        """
        stored = self._stored(resource, namespace, name)
        seconds = grace_of(resource, stored, grace)
        if seconds > 0 or stored["metadata"].get("finalizers"):
            marked = marked_for_deletion(stored, seconds, self.version + 1, now)
            if marked is not stored:
                self._put("MODIFIED", resource, marked, stored)
            return marked
        return self._remove(resource, stored, now, propagation)

    def events_since(self, version: int) -> Sequence[Event]:
        """The events after that version, oldest first.

        Raises ExpiredError where the history no longer reaches back to it, or where it is one that this store never
        gave: who asks for it was served by another store, and has to list again.
        """
        oldest = self.version - len(self._events)
        if not oldest <= version <= self.version:
            raise ExpiredError(version, oldest)
        return list(islice(self._events, version - oldest, None))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Has `listener` called at once with each event; it must not write. Returns what ends that."""
        self._listeners = [*self._listeners, listener]

        def unsubscribe() -> None:
            self._listeners = [each for each in self._listeners if each is not listener]

        return unsubscribe

    def _stored(self, resource: Resource, namespace: str, name: str) -> Obj:
        stored = self.get(resource, namespace, name)
        if stored is None:
            raise NotFoundError(resource, name)
        return stored

    def _free_name(self, prefix: str, table: dict[str, Obj], version: int) -> str:
        name, attempt = prefix + suffix(f"{prefix}{version}"), 0
        while name in table:
            attempt += 1
            name = prefix + suffix(f"{prefix}{version}.{attempt}")
        return name

    def _put(self, type_: EventType, resource: Resource, obj: Obj, previous: Obj | None) -> None:
        """Stores an object, or takes a DELETED one out, keeps the indexes, and tells of it."""
        key = key_of(obj)
        if type_ == "DELETED":
            del self._objects[resource][key[0]][key[1]]
            del self._places[obj["metadata"]["uid"]]
        else:
            self._objects[resource][key[0]][key[1]] = obj
            if previous is None:
                self._places[obj["metadata"]["uid"]] = (resource, key)
        self._index_owners(type_, resource, key, obj, previous)
        self.version += 1
        event = Event(type_, resource, obj, self.version, previous)
        self._events.append(event)
        for listener in self._listeners:
            listener(event)

    def _index_owners(self, type_: EventType, resource: Resource, key: _Key, obj: Obj, previous: Obj | None) -> None:
        owners = () if type_ == "DELETED" else owners_of(obj)
        before = owners_of(previous) if previous is not None else ()
        if not owners and not before:
            return
        controller = controller_uid(obj)
        if len(owners) > 1 or controller is None:
            self._mere_owners.update(uid for uid in owners if uid != controller)
        for uid in before:
            if uid not in owners:
                self._disown(uid, resource, key)
        for uid in owners:
            self._owned.setdefault(uid, {}).setdefault(resource, {})[key] = obj

    def _disown(self, uid: str, resource: Resource, key: _Key) -> None:
        del self._owned[uid][resource][key]
        if not self._owned[uid][resource]:
            del self._owned[uid][resource]
        if not self._owned[uid]:
            del self._owned[uid]
            self._mere_owners.discard(uid)

    def _remove(self, resource: Resource, stored: Obj, now: float, propagation: Propagation) -> Obj:
        gone = stamped(stored, resourceVersion=str(self.version + 1))
        self._put("DELETED", resource, gone, stored)
        uid = stored["metadata"]["uid"]
        for owned_resource, objects in tuple(self._owned.get(uid, {}).items()):
            for key in tuple(objects):
                self._release(owned_resource, key, uid, now, propagation)
        if resource is NAMESPACES:
            self._empty(stored["metadata"]["name"], now)
        return gone

    def _release(self, resource: Resource, key: _Key, uid: str, now: float, propagation: Propagation) -> None:
        """An object whose owner has gone: it goes too, or loses the owner where it is orphaned or has others."""
        obj = self.get(resource, *key)
        if obj is None:
            return
        if propagation != "Orphan" and not any(owner in self._places for owner in owners_of(obj)):
            self.delete(resource, *key, now)
            return
        left = [reference for reference in obj["metadata"]["ownerReferences"] if reference["uid"] != uid]
        self.replace(resource, stamped(obj, ownerReferences=left), now)

    def _empty(self, namespace: str, now: float) -> None:
        for resource, tables in self._objects.items():
            for obj in tuple(tables.get(namespace, {}).values()):
                if self.get(resource, *key_of(obj)) is not None:
                    self._remove(resource, obj, now, "Background")


def check_same(resource: Resource, name: str, stored: Obj, obj: Obj) -> None:
    """Raises ConflictError where `obj` has a resourceVersion or uid that is not that of `stored`."""
    has, wanted = stored["metadata"], obj["metadata"]
    if wanted.get("uid") not in (None, "", has["uid"]):
        raise ConflictError(
            resource,
            name,
            f"Precondition failed: UID in precondition: {wanted['uid']}, UID in object meta: {has['uid']}",
        )
    if wanted.get("resourceVersion") not in (None, "", has["resourceVersion"]):
        raise ConflictError(resource, name, _CHANGED)
