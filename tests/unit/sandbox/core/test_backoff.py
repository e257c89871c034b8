"""When a kubelet restarts a container that ended."""

from __future__ import annotations

from kdeploy.sandbox.core.backoff import LONGEST, BackOff


def restarts(lifetime: float, count: int) -> list[float]:
    """How long each of the first restarts is waited for, of a container that lives so long."""
    back_off, now, waits = BackOff(), 0.0, []
    for _ in range(count):
        finished = now + lifetime
        now = back_off.restart_at(finished)
        waits.append(now - finished)
        back_off = back_off.restarted(finished, now)
    return waits


def test_the_first_restart_comes_at_once_and_each_later_one_after_twice_the_time() -> None:
    assert restarts(0.0, 8) == [0, 10, 20, 40, 80, 160, 300, 300]


def test_who_lived_long_begins_anew() -> None:
    assert restarts(2 * LONGEST + 1, 3) == [0, 0, 0]
    assert restarts(LONGEST, 3) == [0, 10, 20]
