"""The table of tests/scenarios on a real cluster."""

from pathlib import Path

import pytest

from tests.scenarios.kube import Kube
from tests.scenarios.outside import Outside
from tests.scenarios.places import RealCluster
from tests.scenarios.scenario import Scenario
from tests.scenarios.stage import play
from tests.scenarios.table import ROWS


@pytest.fixture(scope="session")
def kube(place: RealCluster) -> Kube:
    return Kube.open(place.kubeconfig)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_real_cluster_does_as_the_table_says(
    row: Scenario, place: RealCluster, kube: Kube, outside: Outside, tmp_path: Path
) -> None:
    play(row, place, kube, outside, tmp_path)
