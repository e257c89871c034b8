"""Kubernetes events: what `kubectl describe` shows of an object's life. The same one again only counts up.

client-go/tools/record/events_cache.go. As on a real API server, an event is kept for an hour.
"""

from __future__ import annotations

from collections import deque
from typing import Any

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


class Recorder:
    """Writes events into a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._names: dict[_Same, tuple[str, str]] = {}
        self._ages: deque[tuple[float, _Same]] = deque()

    def tell(self, told: Tell, now: float) -> None:
        """Makes an event, or counts the one that says the same."""
        namespace = told.obj["metadata"].get("namespace") or "default"
        uid = told.obj["metadata"].get("uid", "")
        same = (uid, told.component, told.type, told.reason, told.message, told.container)
        key = self._names.get(same)
        before = self._store.get(EVENTS, *key) if key is not None else None
        if before is not None:
            counted = {**before, "count": before.get("count", 1) + 1, "lastTimestamp": to_text(now)}
            self._store.replace(EVENTS, counted, now)
            return
        # A real one is named after the nanosecond, which is the same here for all that happens at one moment.
        name = f"{told.obj['metadata']['name']}.{int(now) << 32 | self._store.version & 0xFFFFFFFF:x}"
        made = self._store.create(EVENTS, _made(told, namespace, name, now), now)
        self._names[same] = key_of(made)
        self._ages.append((now, same))

    def forget_old(self, now: float) -> None:
        """Deletes events that are older than an hour."""
        while self._ages and self._ages[0][0] + KEPT <= now:
            _, same = self._ages.popleft()
            key = self._names.pop(same, None)
            if key is not None and self._store.get(EVENTS, *key) is not None:
                self._store.delete(EVENTS, *key, now)


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
