from __future__ import annotations

from datetime import UTC, datetime

from kdeploy.cluster.answers import ThrottledError
from kdeploy.cluster.inbox import Inbox
from kdeploy.cluster.transport import pause_after
from kdeploy.errors import UnreachableError
from kdeploy.model import Reason
from kdeploy.ports import Changed, Interrupted


class StillClock:
    """A clock that stands still."""

    def now(self) -> float:
        return 0.0

    def wall(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


def test_any_number_of_changes_is_one_notice() -> None:
    inbox = Inbox(StillClock())
    for notice in (Changed(), Changed(), Interrupted(15), Changed()):
        inbox.post(notice)
    assert [inbox.take(0), inbox.take(0), inbox.take(0)] == [Changed(), Interrupted(15), None]


def test_a_change_after_one_was_taken_is_another_notice() -> None:
    inbox = Inbox(StillClock())
    inbox.post(Changed())
    assert inbox.take(0) == Changed()
    inbox.post(Changed())
    assert inbox.take(0) == Changed()


def test_a_server_that_says_when_to_come_back_is_obeyed() -> None:
    busy = ThrottledError("busy", hint="", reason=Reason.CLUSTER_UNREACHABLE, status=429, retry_after=7.0)
    assert pause_after(busy, 0) == 7.0


def test_pauses_grow_from_a_tenth_of_a_second_to_five() -> None:
    lost = UnreachableError("lost")
    assert 0.05 <= pause_after(lost, 0) <= 0.1
    assert 2.5 <= pause_after(lost, 100) <= 5.0
