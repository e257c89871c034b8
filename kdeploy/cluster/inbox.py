"""Where the story's threads leave what it waits for."""

from __future__ import annotations

from queue import Empty, SimpleQueue

from kdeploy.ports import Changed, Clock, Notice

_LONGEST_WAIT = 3600.0


class Inbox:
    """A queue of notices. Any number of pending `Changed` are one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # SimpleQueue.put may be called from a signal handler.
        self._queue: SimpleQueue[Notice] = SimpleQueue()
        self._changed = False

    def post(self, notice: Notice) -> None:
        """Leaves a notice, from any thread or a signal handler."""
        if isinstance(notice, Changed):
            if self._changed:
                return
            self._changed = True
        self._queue.put(notice)

    def take(self, until: float) -> Notice | None:
        """Waits for the next notice; None when `until` has come."""
        while True:
            left = until - self._clock.now()
            try:
                notice = self._queue.get(timeout=min(left, _LONGEST_WAIT)) if left > 0 else self._queue.get_nowait()
            except Empty:
                if self._clock.now() >= until:
                    return None
                continue
            if isinstance(notice, Changed):
                self._changed = False  # before the story looks: whatever changes from here on is another notice
            return notice
