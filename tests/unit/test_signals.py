from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from kdeploy.errors import InterruptedBySignalError
from kdeploy.ports import Interrupted
from kdeploy.signals import Signals


@pytest.fixture
def notices() -> list[Interrupted]:
    return []


@pytest.fixture
def again() -> list[str]:
    return []


@pytest.fixture
def signals(notices: list[Interrupted], again: list[str]) -> Iterator[Signals]:
    with Signals(again=lambda: again.append("again")) as handled:
        handled.post = notices.append
        yield handled


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_at_once_while_nothing_is_touched(signals: Signals, number: int) -> None:
    with pytest.raises(InterruptedBySignalError) as caught:
        signals.interruptible(lambda: signal.raise_signal(number))
    assert caught.value.signal == number


def test_a_signal_that_came_before_ends_the_run_as_it_begins(signals: Signals) -> None:
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(InterruptedBySignalError):
        signals.interruptible(lambda: pytest.fail("it began"))


def test_a_further_signal_while_the_first_is_reported_raises_nothing(signals: Signals, again: list[str]) -> None:
    with pytest.raises(InterruptedBySignalError):
        signals.interruptible(lambda: signal.raise_signal(signal.SIGINT))
    signal.raise_signal(signal.SIGTERM)
    assert (signals.received, again) == (signal.SIGINT, ["again"])


def test_a_signal_between_the_end_and_its_report_changes_nothing(signals: Signals) -> None:
    assert signals.interruptible(lambda: "done") == "done"
    signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_once_deferred_a_signal_is_a_notice(signals: Signals, notices: list[Interrupted], number: int) -> None:
    signals.defer()
    signal.raise_signal(number)
    assert notices == [Interrupted(number)]
    assert signals.received == number


def test_a_further_signal_is_only_noted(signals: Signals, notices: list[Interrupted], again: list[str]) -> None:
    signals.defer()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        signal.raise_signal(number)
    assert notices == [Interrupted(signal.SIGINT)]
    assert again == ["again", "again"]


def test_a_signal_that_somebody_swallowed_stops_the_run_before_the_patch(signals: Signals) -> None:
    def body() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            with pytest.raises(InterruptedBySignalError):
                signal.raise_signal(number)
        with pytest.raises(InterruptedBySignalError):
            signals.defer()

    signals.interruptible(body)


def test_while_the_report_is_written_signals_change_nothing(signals: Signals, notices: list[Interrupted]) -> None:
    signals.finish()
    signal.raise_signal(signal.SIGTERM)
    assert notices == []


def test_afterwards_the_handlers_are_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Signals() as signals:
        signals.finish()
    assert signal.getsignal(signal.SIGTERM) is before
