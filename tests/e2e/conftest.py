"""Fixtures of the end-to-end tests: the cluster, and a scene of each test's own in it."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, from_environment
from tests.cluster.errors import UnsupportedError
from tests.e2e.scene import Scene, open_scene
from tests.image import build
from tests.scenarios.outside import Outside
from tests.scenarios.places import AnyCluster, RealCluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder are marked e2e."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("e2e")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """What only a cluster of the rig's own can do is skipped on another."""
    try:
        return (yield)
    except UnsupportedError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def cluster() -> AnyCluster:
    """The cluster that the environment names (see tests/cluster/README.md)."""
    return from_environment()


@pytest.fixture(scope="session")
def place(cluster: AnyCluster) -> RealCluster:
    """The same, as rows and scenes want it."""
    return RealCluster(cluster=cluster)


@pytest.fixture(scope="session")
def outside(place: RealCluster, tmp_path_factory: pytest.TempPathFactory) -> Outside:
    """Images that no deploy has made."""
    return Outside.make(place, tmp_path_factory.mktemp("outside"))


@pytest.fixture
def scene(place: RealCluster, outside: Outside, tmp_path: Path) -> Iterator[Scene]:
    """A namespace, a checkout and kdeploy, for one test."""
    with open_scene(place, outside, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def image(cluster: AnyCluster) -> str:
    """The container image of this tree, in the cluster's Docker Engine."""
    if not isinstance(cluster, Cluster):
        pytest.skip("the image is built by the engine of a cluster of the rig's own")
    return build.ensure(cluster, lambda line: None)
