"""The table is whole: each row is one of its kind, and what is out of reach is tested where it says."""

from pathlib import Path

from tests.scenarios.scenario import Run
from tests.scenarios.table import OUT_OF_REACH, ROWS

TESTS = Path(__file__).resolve().parents[2]


def test_every_row_has_a_name_of_its_own_and_a_sentence() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
    assert [row.name for row in ROWS if not row.says.endswith(".")] == []


def test_every_run_that_is_not_killed_says_how_it_ends() -> None:
    runs = [step for row in ROWS for step in row.steps if isinstance(step, Run)]
    assert [run.title for run in runs if run.ends is None and not run.meanwhile] == []


def test_what_the_sandbox_cannot_express_is_tested_on_real_parts() -> None:
    assert [name for each in OUT_OF_REACH for name in each.tests if not (TESTS / name).is_file()] == []
