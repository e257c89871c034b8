"""The sandbox that the rows are played in, and who plays them: all at once, since they wait most of the time."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.scenarios.kube import Kube
from tests.scenarios.outside import Outside
from tests.scenarios.places import Sandbox, open_sandbox
from tests.scenarios.scenario import Scenario
from tests.scenarios.stage import play

AT_ONCE = 8


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One for all rows, each of which has a namespace of its own."""
    with open_sandbox(tmp_path_factory.mktemp("sandbox")) as opened:
        yield opened


@pytest.fixture(scope="session")
def played(
    sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Callable[[Scenario], None]]:
    """Plays a row to its end, and fails as it fails. All chosen rows are begun, those that wait longest first.

    A worker of pytest-xdist does not know which rows will be its own, and plays each when it is asked for.
    """
    kube, folder = Kube.open(sandbox.kubeconfig), tmp_path_factory.mktemp("rows")
    outside = Outside.make(sandbox, tmp_path_factory.mktemp("outside"))

    def start(row: Scenario) -> "Future[None]":
        own = folder / row.name.replace("/", "-")
        own.mkdir()
        return pool.submit(play, row, sandbox, kube, outside, own)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun: dict[str, Future[None]] = {}
        if "PYTEST_XDIST_WORKER" not in os.environ:
            for row in sorted(_chosen(request.session.items), key=lambda row: -row.waits):
                begun[row.name] = start(row)
        try:
            yield lambda row: (begun.get(row.name) or start(row)).result()
        finally:
            pool.shutdown(cancel_futures=True)


def _chosen(items: list[pytest.Item]) -> list[Scenario]:
    rows = [
        item.callspec.params.get("row")
        for item in items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "played" in item.fixturenames
    ]
    return [row for row in rows if isinstance(row, Scenario)]
