"""The benchmark's page: tables with a plain yes or no, between two markers that a person's prose surrounds."""

from __future__ import annotations

import pytest

from bench.numbers import Measure, Of, Row, Target, Unit
from bench.page import IMAGE, MEASURED, missed, render, replace_measured

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
GOOD = Row(what="quick", unit=Unit.SECONDS, values=(1.0, 2.0, 4.0), target=Target(limit=5.0), beside=(8.0,))
BAD = Row(what="slow", unit=Unit.MILLISECONDS, values=(7.0,), target=Target(limit=6, of=Of.RATIO), beside=(1.0,))
PLAIN = Row(what="counted", unit=Unit.COUNT, values=(11.0,))
MEASURE = Measure(title="Speed", note="How fast.", rows=(GOOD, BAD, PLAIN))


def lines_of(*measures: Measure) -> list[str]:
    return render(measures, [("machine", "two cores")]).splitlines()


def test_a_row_shows_its_numbers_its_ratio_its_target_and_yes() -> None:
    assert "| quick | 3 | 1.00 s | 2.00 s | 4.00 s | 0.25 | median ≤ 5.00 s | yes |" in lines_of(MEASURE)


def test_a_missed_target_says_no_in_its_row_and_at_the_top() -> None:
    lines = lines_of(MEASURE)
    assert "| slow | 1 | 7.0 ms | 7.0 ms | 7.0 ms | 7.00 | ratio ≤ 6 | **no** |" in lines
    assert "**1 of 2 targets are met.** Not met:" in lines
    assert "- Speed: slow" in lines
    assert missed([MEASURE]) == ["Speed: slow"]


def test_a_row_without_a_target_leaves_its_place_empty() -> None:
    assert "| counted | 1 | 11 | 11 | 11 |  |  |  |" in lines_of(MEASURE)


def test_every_line_of_a_table_has_the_same_number_of_columns() -> None:
    table = [line for line in lines_of(MEASURE)[6:] if line.startswith("|")]
    assert {line.count("|") for line in table} == {9}


def test_what_was_measured_on_comes_first() -> None:
    assert "| machine | two cores |" in lines_of(MEASURE)[:4]


def test_only_what_is_between_the_markers_of_one_place_is_replaced() -> None:
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\nprose\n<!-- image: begin -->\nolder\n<!-- image: end -->\n"
    written = replace_measured(page, "new\n", MEASURED)
    assert written == page.replace("\nold\n", "\n\nnew\n\n")
    assert replace_measured(written, "new", MEASURED) == written
    assert "older" not in replace_measured(written, "newest", IMAGE)


@pytest.mark.parametrize("page", ["", BEGIN, END, f"{END}{BEGIN}"])
def test_a_page_without_its_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="no place for the numbers"):
        replace_measured(page, "new", MEASURED)
