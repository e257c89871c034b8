"""SIGINT and SIGTERM: at first they end the run at once, from `defer` on they are a notice that the story acts upon.

Only inside `interruptible` is an exception raised, so that whoever calls it meets one nowhere else.

GitHub cancels with SIGINT, then SIGTERM after 7.5 s; Kubernetes and Docker stop with SIGTERM. A process 1 in a
container has no default action for either, so that handlers are needed in any case.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from kdeploy.errors import InterruptedBySignalError
from kdeploy.ports import Interrupted

T = TypeVar("T")
HANDLED = (signal.SIGINT, signal.SIGTERM)

_AGAIN = b"kdeploy: the interrupt is already being handled; what is under way is bounded by its timeout\n"


def tell_stderr() -> None:
    """Says that a further signal changes nothing. Straight to the descriptor: a buffered write may be under way."""
    os.write(2, _AGAIN)


class Signals:
    """Handles both signals inside a `with` block, which must be entered in the main thread.

    Implements `ports.Interrupts`. `post` is set by whoever makes the cluster; it must bear being called from a signal
    handler (queue.SimpleQueue.put does). The first signal counts; of a later one `again` tells a person.
    """

    _RAISES = 2  # the second time, somebody's `except Exception` may have swallowed the first

    def __init__(self, *, again: Callable[[], None] = tell_stderr) -> None:
        self.post: Callable[[Interrupted], None] | None = None
        self._again = again
        self._raises = 0
        self._received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in HANDLED:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def interruptible(self, body: Callable[[], T]) -> T:
        """The result of `body`, in which, until `defer`, a signal raises InterruptedBySignalError; so does one that has
        come before.
        """
        try:
            self._raises = self._RAISES
            self._raise_received()
            return body()
        finally:
            self._raises = 0

    def defer(self) -> None:
        """From now on a signal is posted as an `Interrupted` notice.

        Raises InterruptedBySignalError where one came already: somebody's `except Exception` may have swallowed it.
        """
        self._raises = 0
        self._raise_received()

    def _raise_received(self) -> None:
        if self._received is not None:
            raise InterruptedBySignalError(self._received)

    def finish(self) -> None:
        """The work is done: from now on both signals are ignored, so that the report is written to its end."""
        for number in HANDLED:
            signal.signal(number, signal.SIG_IGN)

    @property
    def received(self) -> int | None:
        """The number of the signal that came, if one did."""
        return self._received

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  (signal's signature)
        if self._raises > 0:
            self._raises -= 1
            self._received = number
            raise InterruptedBySignalError(number)
        if self._received is not None:
            self._again()
            return
        self._received = number
        if self.post is not None:
            self.post(Interrupted(number))
