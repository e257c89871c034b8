"""Watches: what the store tells, sorted out for each client, and sent by nobody but that client's own task.

The rules are those of k8s.io/apiserver/pkg/storage/cacher: what a selector no longer finds is DELETED for its watch,
and a client that does not keep up is cut off, so that it lists again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.api import status
from kdeploy.sandbox.api.request import Asked
from kdeploy.sandbox.api.selectors import Selector
from kdeploy.sandbox.core.errors import ExpiredError
from kdeploy.sandbox.core.resources import Resource
from kdeploy.sandbox.core.store import Event, Store

BOOKMARK_EACH = 2.0
"""Seconds of silence after which a client that allows bookmarks gets one."""

LONGEST = 3600.0
"""Seconds that a watch lasts where the client does not say."""

MOST_WAITING = 10_000
"""Events that wait for one client: a change of a thousand pods at once is no reason to cut it off.

What a watch begins with does not count: that there is much of it is no fault of the client's.
"""

_INITIAL_END = "k8s.io/initial-events-end"


class Watch:
    """One client's view of one resource. `cut` ends its connection, when it has fallen too far behind."""

    def __init__(self, resource: Resource, namespace: str | None, selector: Selector, cut: Callable[[], None]) -> None:
        self.resource = resource
        self._namespace = namespace
        self._selector = selector
        self._cut = cut
        self._first: deque[Obj] = deque()
        self._waiting: deque[Obj] = deque()
        self._news = asyncio.Event()
        self.ended = False

    def begin(self, told: Iterable[Obj]) -> None:
        """Has all of this sent before anything else."""
        self._first.extend(told)
        self._news.set()

    def offer(self, event: Event) -> None:
        """Takes an event of its resource in, if it is one for this client."""
        if self._namespace is not None and event.obj["metadata"].get("namespace") != self._namespace:
            return
        told = seen(event, self._selector)
        if told is not None:
            self.put(told)

    def put(self, told: Obj) -> None:
        """Has this sent next."""
        self._waiting.append(told)
        self._news.set()
        if len(self._waiting) > MOST_WAITING:
            self._first.clear()
            self._waiting.clear()
            self.end()
            self._cut()

    def end(self) -> None:
        """Ends the stream after what is waiting."""
        self.ended = True
        self._news.set()

    def take(self) -> Obj | None:
        """What is to be sent next, None where there is nothing."""
        waiting = self._first or self._waiting
        return waiting.popleft() if waiting else None

    async def news(self, timeout: float) -> bool:
        """Waits until there is something to take or the watch has ended; False after `timeout` seconds."""
        self._news.clear()
        if self._first or self._waiting or self.ended:
            return True
        try:
            await asyncio.wait_for(self._news.wait(), timeout)
        except TimeoutError:
            return False
        return True


class Watches:
    """All open watches; the store is asked but once, whatever their number."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: defaultdict[Resource, set[Watch]] = defaultdict(set)
        self._unsubscribe = store.subscribe(self._tell)

    def open(self, asked: Asked, selector: Selector, present: Sequence[Obj], cut: Callable[[], None]) -> Watch:
        """Begins a watch. `present`: what a list with its selector finds now. Raises ApiError 400, 410, 422, 504."""
        watch = Watch(asked.resource, asked.namespace, selector, cut)
        version = asked.query.get("resourceVersion") or ""
        if version in ("", "0") or asked.flag("sendInitialEvents"):
            watch.begin({"type": "ADDED", "object": obj} for obj in present)
            if asked.flag("sendInitialEvents"):
                watch.begin([self.bookmark(asked.resource, initial=True)])
        else:
            self._resume(watch, version)
        self._open[asked.resource].add(watch)
        return watch

    def close(self, watch: Watch) -> None:
        """Forgets a watch."""
        self._open[watch.resource].discard(watch)

    def end(self) -> None:
        """Ends them all: the server stops."""
        self._unsubscribe()
        for watches in self._open.values():
            for watch in watches:
                watch.end()

    def bookmark(self, resource: Resource, *, initial: bool = False) -> Obj:
        """How far the store is: from there a client may go on."""
        metadata: dict[str, Any] = {"resourceVersion": str(self._store.version)}
        if initial:
            metadata["annotations"] = {_INITIAL_END: "true"}
        obj = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        return {"type": "BOOKMARK", "object": obj}

    def _resume(self, watch: Watch, version: str) -> None:
        try:
            for event in self._store.events_since(int(version)):
                if event.resource is watch.resource:
                    watch.offer(event)
        except ExpiredError as error:
            watch.put({"type": "ERROR", "object": status.of_store(error).status})
            watch.end()

    def _tell(self, event: Event) -> None:
        for watch in tuple(self._open[event.resource]):
            watch.offer(event)


def seen(event: Event, selector: Selector) -> Obj | None:
    """An event as a watch with that selector sees it; None where it sees nothing of it. Pure."""
    now = event.type != "DELETED" and selector.matches(event.obj)
    before = event.previous is not None and selector.matches(event.previous)
    if now:
        return {"type": "MODIFIED" if before else "ADDED", "object": event.obj}
    if not before:
        return None
    if event.type == "DELETED" or event.previous is None:
        return {"type": "DELETED", "object": event.obj}
    last = {**event.previous["metadata"], "resourceVersion": str(event.version)}
    return {"type": "DELETED", "object": {**event.previous, "metadata": last}}


async def stream(
    watches: Watches, watch: Watch, asked: Asked, clock: Callable[[], float], gone: Callable[[], bool]
) -> AsyncIterator[Sequence[Obj]]:
    """What is to be sent, as it comes, until the watch is over or its client is `gone`.

    `clock` gives seconds that never go back.
    """
    bookmarks = asked.flag("allowWatchBookmarks")
    until = clock() + float(asked.integer("timeoutSeconds") or LONGEST)
    while True:
        waiting = []
        while (told := watch.take()) is not None:
            waiting.append(told)
        if waiting:
            yield waiting
            continue
        left = until - clock()
        if watch.ended or left <= 0 or gone():
            break
        if not await watch.news(min(left, BOOKMARK_EACH)) and bookmarks and until - clock() > 0:
            yield [watches.bookmark(watch.resource)]
    if bookmarks and not watch.ended:
        yield [watches.bookmark(watch.resource)]
