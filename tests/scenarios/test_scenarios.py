"""The table in the sandbox, on a machine with nothing but Python. On a real cluster: tests/e2e/test_scenarios.py."""

from collections.abc import Callable

import pytest

from tests.scenarios.scenario import Scenario
from tests.scenarios.table import ROWS


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_sandbox_does_as_the_table_says(row: Scenario, played: Callable[[Scenario], None]) -> None:
    played(row)
