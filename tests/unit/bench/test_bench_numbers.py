"""The benchmark's statistics: medians and ratios of what was measured, and targets judged by unrounded numbers."""

from __future__ import annotations

import pytest

from bench.numbers import Of, Row, Summary, Target, Unit, summarize


def row(*values: float, target: Target | None = None, beside: tuple[float, ...] = ()) -> Row:
    return Row(what="it", unit=Unit.MILLISECONDS, values=values, target=target, beside=beside)


def test_a_summary_has_the_middle_and_both_ends() -> None:
    assert summarize([3.0, 1.0, 9.0]) == Summary(count=3, minimum=1.0, median=3.0, maximum=9.0)


def test_an_even_number_of_values_has_its_median_between_two() -> None:
    assert summarize([1.0, 2.0, 4.0, 100.0]).median == 3.0


def test_nothing_measured_is_an_error_and_no_zero() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        summarize([])


def test_the_ratio_is_of_the_medians() -> None:
    assert row(10.0, 20.0, 90.0, beside=(4.0, 5.0, 900.0)).ratio == 4.0


def test_there_is_no_ratio_to_nothing_nor_to_zero() -> None:
    assert row(1.0).ratio is None
    assert row(1.0, beside=(0.0,)).ratio is None


def test_a_row_without_a_target_is_neither_met_nor_missed() -> None:
    assert row(1.0).is_met is None


@pytest.mark.parametrize(("number", "met"), [(50.0, True), (50.0001, False)])
def test_a_target_is_judged_by_the_unrounded_number(number: float, met: bool) -> None:
    assert row(number, target=Target(limit=50.0)).is_met is met


def test_a_target_is_about_the_median_the_maximum_or_the_ratio() -> None:
    values = (1.0, 2.0, 30.0)
    assert row(*values, target=Target(limit=2)).is_met
    assert not row(*values, target=Target(limit=2, of=Of.MAXIMUM)).is_met
    assert not row(*values, target=Target(limit=2, of=Of.RATIO), beside=(0.5,)).is_met
    assert row(*values, target=Target(limit=2, of=Of.RATIO), beside=(1.0,)).is_met


def test_a_ratio_that_cannot_be_had_misses_its_target() -> None:
    assert row(1.0, target=Target(limit=2, of=Of.RATIO)).is_met is False
