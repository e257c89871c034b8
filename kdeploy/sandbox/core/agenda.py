"""What the controllers are to look at: now, or at a time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import count

from kdeploy.sandbox.core.resources import Resource

Key = tuple[str, str]
"""Namespace ("" where there is none) and name."""


class Agenda:
    """A set of objects by resource, taken in the resources' order; each may also have one time (Unix seconds)."""

    def __init__(self, order: Sequence[Resource]) -> None:
        self._marked: dict[Resource, dict[Key, None]] = {resource: {} for resource in order}
        self._times: dict[tuple[Resource, Key], float] = {}
        self._heap: list[tuple[float, int, Resource, Key]] = []
        self._numbers = count()

    def mark(self, resource: Resource, key: Key) -> None:
        """To be looked at now."""
        self._marked[resource][key] = None

    def wake(self, resource: Resource, key: Key, time: float | None) -> None:
        """To be looked at then, and at no other time; None: at none."""
        if time is None:
            self._times.pop((resource, key), None)
        elif self._times.get((resource, key)) != time:
            self._times[resource, key] = time
            heapq.heappush(self._heap, (time, next(self._numbers), resource, key))

    def take(self, now: float) -> tuple[Resource, Key] | None:
        """The next object that is to be looked at; None where there is none now."""
        while True:
            for resource, keys in self._marked.items():
                if keys:
                    key = next(iter(keys))
                    del keys[key]
                    return resource, key
            soonest = self.next()
            if soonest is None or soonest > now:
                return None
            self._ring(now)

    def _ring(self, now: float) -> None:
        """Marks everything whose time has come."""
        while (soonest := self.next()) is not None and soonest <= now:
            _, _, resource, key = heapq.heappop(self._heap)
            del self._times[resource, key]
            self.mark(resource, key)

    def next(self) -> float | None:
        """The soonest time that any object has."""
        while self._heap and self._times.get(self._heap[0][2:]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
