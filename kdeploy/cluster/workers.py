"""Blocking calls in threads of their own, which never hold up the end of the process.

(The threads of concurrent.futures are joined at exit, and one stuck call would hang it.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
Wait = Callable[[float], T]
"""Waits at most that many seconds for a call's result, once. Raises what the call raised; queue.Empty if it goes on."""


class Workers:
    """As many threads as calls are under way at once; each is kept for the next call.

    To start a thread is to wait until it runs. On a busy machine that is milliseconds, at the very end of a deploy.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._idle = 0
        self._closed = False
        self._lock = threading.Lock()

    def begin(self, call: Callable[[], T]) -> Wait[T]:
        """Begins `call`. It should bound itself: one that never ends keeps its thread."""
        ended: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

        def run() -> None:
            result, error = None, None
            try:
                result = call()
            except BaseException as raised:  # it is raised again in the thread that waits
                error = raised
            self._rest()  # first, so that whoever has the result finds this thread for the next call
            ended.put((result, error))

        def wait(seconds: float) -> T:
            result, error = ended.get(timeout=max(0.0, seconds))
            if error is not None:
                raise error
            return result  # type: ignore[return-value]  # it is set where no error is

        with self._lock:
            if self._idle:
                self._idle -= 1
                self._calls.put(run)
                return wait
        threading.Thread(target=self._work, args=(run,), name=self._name, daemon=True).start()
        return wait

    def close(self) -> None:
        """Ends the idle threads; those that are at work end with it."""
        with self._lock:
            self._closed = True
            for _ in range(self._idle):
                self._calls.put(None)

    def _rest(self) -> None:
        with self._lock:
            self._idle += 1
            if self._closed:
                self._calls.put(None)

    def _work(self, call: Callable[[], None] | None) -> None:
        while call is not None:
            call()
            call = self._calls.get()
