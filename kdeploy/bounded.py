"""A blocking call with an end: for what knows no timeout of its own, like the resolution of a name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def bounded(call: Callable[[], T], seconds: float, name: str = "kdeploy-call") -> T:
    """The result of `call`, run in a daemon thread called `name`. Raises TimeoutError after `seconds`, and what `call`
    raises.

    A call that is late is left behind: it must hold nothing that others need, and start no program. The one who waits
    stays open to signals.
    """
    results: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            results.put((call(), None))
        except BaseException as error:  # it is raised again in the caller's thread
            results.put((None, error))

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        result, error = results.get(timeout=max(0.0, seconds))
    except Empty:
        raise TimeoutError(f"it did not end within {seconds:g} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # it is set where no error is
