"""Work within a time."""

import threading
import time
from collections.abc import Callable

import pytest

from kdeploy.build.in_time import LeftError, in_time

Say = Callable[[str], None]
Check = Callable[[], None]


def test_the_result_comes_back_and_lines_come_in_the_callers_thread() -> None:
    threads: list[threading.Thread] = []
    lines: list[str] = []

    def line(text: str) -> None:
        threads.append(threading.current_thread())
        lines.append(text)

    def work(say: Say, check: Check) -> int:
        say("one")
        say("two")
        return 7

    assert in_time(work, line=line, timeout=10) == 7
    assert lines == ["one", "two"]
    assert set(threads) == {threading.current_thread()}


def test_what_the_work_raises_is_raised_here() -> None:
    def work(say: Say, check: Check) -> None:
        raise KeyError("why")

    with pytest.raises(KeyError, match="why"):
        in_time(work, line=print, timeout=10)


def test_the_time_is_kept_and_the_work_ends_at_its_next_check() -> None:
    go_on, ended = threading.Event(), threading.Event()

    def work(say: Say, check: Check) -> None:
        go_on.wait(10)
        try:
            check()
        except LeftError:
            ended.set()

    start = time.monotonic()
    with pytest.raises(TimeoutError):
        in_time(work, line=print, timeout=0.05)
    assert time.monotonic() - start < 5
    go_on.set()
    assert ended.wait(10)


def test_an_error_in_the_callers_line_leaves_the_work() -> None:
    ended = threading.Event()

    def work(say: Say, check: Check) -> None:
        say("x")
        for _ in range(1000):
            try:
                check()
            except LeftError:
                ended.set()
                return
            time.sleep(0.01)

    def line(text: str) -> None:
        raise RuntimeError(text)

    with pytest.raises(RuntimeError, match="x"):
        in_time(work, line=line, timeout=10)
    assert ended.wait(10)
