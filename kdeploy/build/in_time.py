"""Work that blocks, within a time: it has a thread of its own, and this side waits, open to signals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class LeftError(Exception):
    """Raised within the work when nobody waits for it any more."""


class Work(Protocol[Result_co]):
    """What takes time."""

    def __call__(self, line: Callable[[str], None], check: Callable[[], None], /) -> Result_co:
        """`line` passes a line of progress on; `check` is called now and then, and ends the work that was left."""
        ...


class _Ended(Generic[Result]):
    def __init__(self, result: Result | None, error: BaseException | None) -> None:
        self.result = result
        self.error = error


def in_time(work: Work[Result], *, line: Callable[[str], None], timeout: float) -> Result:
    """What `work` returns or raises; `line` is called in this thread. Raises TimeoutError after `timeout` seconds.

    Left early, the thread ends at its next check, or with the process.
    """
    messages: SimpleQueue[str | _Ended[Result]] = SimpleQueue()
    is_left = threading.Event()

    def check() -> None:
        if is_left.is_set():
            raise LeftError

    def run() -> None:
        try:
            messages.put(_Ended(work(messages.put, check), None))
        except BaseException as error:
            messages.put(_Ended(None, error))

    deadline = time.monotonic() + timeout
    threading.Thread(target=run, name="build", daemon=True).start()
    try:
        while True:
            try:
                message = messages.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise TimeoutError(f"it did not end within {timeout:g} s") from None
            if isinstance(message, str):
                line(message)
            elif message.error is not None:
                raise message.error
            else:
                return message.result  # type: ignore[return-value]
    finally:
        is_left.set()
