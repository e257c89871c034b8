"""Kubernetes events: what `kubectl describe` shows of an object's life. The same one again only counts up.

client-go/tools/record/events_cache.go. As on a real API server, an event is kept for an hour from when it came last.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

from kdeploy.model import Obj
from kdeploy.sandbox.core.changes import Tell
from kdeploy.sandbox.core.metadata import key_of
from kdeploy.sandbox.core.resources import EVENTS
from kdeploy.sandbox.core.store import Store
from kdeploy.sandbox.core.timestamps import to_micro_text, to_text

KEPT = 3600.0
"""Seconds."""

_NEW_API = {"default-scheduler": {"Scheduled": "Binding", "FailedScheduling": "Scheduling"}}
"""Components that write events of the events.k8s.io API, and what they call their actions."""

_Same = tuple[str, ...]


class _Known(NamedTuple):
    """An event that is counted up: its namespace and name, and when it came last."""

    key: tuple[str, str]
    last: float


class Recorder:
    """Writes events into a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[_Same, _Known] = OrderedDict()  # what came last stands last

    def tell(self, told: Tell, now: float) -> None:
        """Makes an event, or counts the one that says the same."""
        namespace = told.obj["metadata"].get("namespace") or "default"
        uid = told.obj["metadata"].get("uid", "")
        same = (uid, told.component, told.type, told.reason, told.message, told.container)
        known = self._known.pop(same, None)
        before = self._store.get(EVENTS, *known.key) if known is not None else None
        if known is not None and before is not None:
            counted = {**before, "count": before.get("count", 1) + 1, "lastTimestamp": to_text(now)}
            self._store.replace(EVENTS, counted, now)
            self._known[same] = _Known(known.key, now)
            return
        # A real one is named after the nanosecond, which is the same here for all that happens at one moment.
        name = f"{told.obj['metadata']['name']}.{int(now) << 32 | self._store.version & 0xFFFFFFFF:x}"
        made = self._store.create(EVENTS, _made(told, namespace, name, now), now)
        self._known[same] = _Known(key_of(made), now)

    def forget_old(self, now: float) -> None:
        """Deletes events that came last an hour ago."""
        while self._known and next(iter(self._known.values())).last + KEPT <= now:
            _, known = self._known.popitem(last=False)
            if self._store.get(EVENTS, *known.key) is not None:
                self._store.delete(EVENTS, *known.key, now)


def _made(told: Tell, namespace: str, name: str, now: float) -> Obj:
    host = str(told.obj["spec"].get("nodeName") or "") if told.component == "kubelet" else ""
    event: dict[str, Any] = {
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": _reference(told),
        "reason": told.reason,
        "message": told.message,
        "type": told.type,
        "reportingComponent": told.component,
        "reportingInstance": host,
    }
    if told.component in _NEW_API:
        event["eventTime"], event["source"] = to_micro_text(now), {}
        event["action"] = _NEW_API[told.component].get(told.reason, told.reason)
        return event
    event["source"] = {"component": told.component, "host": host} if host else {"component": told.component}
    event["eventTime"], event["count"] = None, 1
    event["firstTimestamp"] = event["lastTimestamp"] = to_text(now)
    return event


def _reference(told: Tell) -> Obj:
    metadata = told.obj["metadata"]
    reference = {
        "apiVersion": told.obj["apiVersion"],
        "kind": told.obj["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "resourceVersion": metadata["resourceVersion"],
    }
    if metadata.get("namespace"):
        reference["namespace"] = metadata["namespace"]
    if told.container:
        reference["fieldPath"] = f"spec.{'initContainers' if told.init else 'containers'}{{{told.container}}}"
    return reference
