from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.config.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("250ms", 0.25), ("1.5s", 1.5), ("0s", 0), ("1m30s", 90)],
)
def test_a_duration_reads_as_kubernetes_reads_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("bare", ["600", "1.5", 600, 0, 1.5])
def test_a_bare_number_is_refused_and_the_message_says_why(bare: str | float) -> None:
    with pytest.raises(ValueError, match=f"{bare} has no unit, so it may mean seconds or minutes: write {bare}s"):
        parse_duration(bare)


@pytest.mark.parametrize("text", ["", "s", "10", "-5s", "10 m", "5d", "1h30", "٣s", "1e3s", "10m\n", "1..5s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


def test_a_duration_of_more_than_a_week_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than a week"):
        parse_duration("9" * 400 + "h")


@given(st.integers(min_value=0, max_value=7 * 24 * 3600 * 1000))
def test_what_is_written_reads_back(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds
