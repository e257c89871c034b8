"""One resource's view, shared between its stream, the story and reads past the stream."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from kdeploy.cluster.view import Delivered, View, apply_event, join, join_relisted, said
from kdeploy.model import Obj, Permission

Learn = Callable[[Mapping[str, Obj]], bool]


class Store:
    """Holds a `View` behind a lock. Objects are never changed, only replaced."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._lock = threading.Lock()
        self._readings: list[set[Delivered]] = []
        self._lists = 0
        self._objects: tuple[Mapping[str, Obj], tuple[Obj, ...]] = (view.objects, tuple(view.objects.values()))

    @property
    def version(self) -> str:
        """Where the watch goes on."""
        return self._view.version

    def objects(self) -> tuple[Obj, ...]:
        """The objects now; the same tuple as long as nothing changes."""
        objects = self._view.objects
        if self._objects[0] is not objects:
            self._objects = (objects, tuple(objects.values()))
        return self._objects[1]

    def replace(self, view: View) -> None:
        """Starts over from a new list."""
        with self._lock:
            self._view = view
            self._lists += 1

    def deliver(self, event: Obj, doing: Permission) -> bool:
        """Takes one watch event in; true where the objects changed. Raises as `apply_event` does."""
        with self._lock:
            view = apply_event(self._view, event, doing)
            changed = view.objects is not self._view.objects
            self._view = view
            for delivered in self._readings:
                delivered.add(said(event))
        return changed

    @contextmanager
    def reading(self) -> Iterator[Learn]:
        """Begins a read past the stream. The function that it gives takes what was read; true where that was news."""
        delivered: set[Delivered] = set()
        with self._lock:
            before, lists = self._view, self._lists
            self._readings.append(delivered)

        def learn(read: Mapping[str, Obj]) -> bool:
            with self._lock:
                joined = join if self._lists == lists else join_relisted
                view = joined(before, self._view, frozenset(delivered), read)
                changed = view is not self._view
                self._view = view
                return changed

        try:
            yield learn
        finally:
            with self._lock:
                self._readings = [one for one in self._readings if one is not delivered]
