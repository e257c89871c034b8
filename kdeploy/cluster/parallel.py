"""Several blocking calls at once, in threads that never hold up the end of the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Runs all calls at once; their results in order, or the first exception that came.

    Each call bounds itself. (The threads of concurrent.futures are joined at exit, and one stuck call would hang it.)
    """
    done: SimpleQueue[tuple[int, T | None, BaseException | None]] = SimpleQueue()

    def run(index: int, call: Callable[[], T]) -> None:
        try:
            done.put((index, call(), None))
        except BaseException as error:  # it is raised again in the caller's thread
            done.put((index, None, error))

    for index, call in enumerate(calls):
        threading.Thread(target=run, args=(index, call), name="kdeploy-call", daemon=True).start()
    results: dict[int, T] = {}
    for _ in calls:
        index, result, error = done.get()
        if error is not None:
            raise error
        results[index] = result  # type: ignore[assignment]  # it is set where no error is
    return [results[index] for index in range(len(calls))]
