from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Empty

import pytest

from kdeploy.cluster.workers import Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers("test-worker")
    yield workers
    workers.close()


def at_work() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "test-worker"]


def test_a_call_ends_with_its_result_or_its_error(workers: Workers) -> None:
    assert workers.begin(lambda: 7)(1.0) == 7
    with pytest.raises(ZeroDivisionError):
        workers.begin(lambda: 1 // 0)(1.0)


def test_a_thread_is_kept_for_the_next_call(workers: Workers) -> None:
    idents = {workers.begin(threading.get_ident)(1.0) for _ in range(20)}
    assert len(idents) == 1
    assert threading.get_ident() not in idents


def test_calls_that_are_under_way_at_once_have_a_thread_each(workers: Workers) -> None:
    together = threading.Barrier(3)
    waits = [workers.begin(lambda: together.wait(5.0)) for _ in range(3)]
    assert sorted(wait(5.0) for wait in waits) == [0, 1, 2]
    assert len(at_work()) == 3


def test_a_call_that_goes_on_keeps_nobody_and_not_the_next_call(workers: Workers) -> None:
    over = threading.Event()
    stuck = workers.begin(over.wait)
    with pytest.raises(Empty):
        stuck(0.01)
    assert workers.begin(lambda: "next")(1.0) == "next"
    over.set()


def test_no_thread_is_left_after_the_end(workers: Workers) -> None:
    over = threading.Event()
    waits = [workers.begin(lambda: "idle soon"), workers.begin(over.wait)]
    waits[0](1.0)
    workers.close()
    over.set()
    waits[1](1.0)
    for thread in at_work():
        thread.join(1.0)
    assert at_work() == []
