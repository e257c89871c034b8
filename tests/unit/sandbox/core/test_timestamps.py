"""Times as Kubernetes writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.sandbox.core.timestamps import to_micro_text, to_seconds, to_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1970-01-01T00:00:00Z"), (1795480422.999, "2026-11-24T00:33:42Z"), (951782400, "2000-02-29T00:00:00Z")],
)
def test_seconds_are_written_without_their_fraction(seconds: float, text: str) -> None:
    assert to_text(seconds) == text


def test_events_have_microseconds() -> None:
    assert to_micro_text(1795480422.25) == "2026-11-24T00:33:42.250000Z"


@given(st.integers(min_value=0, max_value=4102444800))
def test_what_was_written_is_read_back(seconds: int) -> None:
    assert to_seconds(to_text(seconds)) == seconds


@pytest.mark.parametrize("text", ["2026-11-24T01:33:42+01:00", "2026-11-24T00:33:42.000Z", "2026-11-24T00:33:42Z"])
def test_zones_and_fractions_are_read(text: str) -> None:
    assert to_seconds(text) == 1795480422


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-24", "2026-11-24T00:33:42", "2026-13-01T00:00:00Z"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        to_seconds(text)
