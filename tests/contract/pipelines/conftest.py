"""One sandbox for all, and a shop in it for each test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.pipelines.shop import Shop
from tests.scenarios.places import Sandbox, open_sandbox


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with open_sandbox(tmp_path_factory.mktemp("pipelines")) as opened:
        yield opened


@pytest.fixture
def shop(sandbox: Sandbox, tmp_path: Path, request: pytest.FixtureRequest) -> Shop:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[-40:].strip("-")
    return Shop.open(sandbox, tmp_path, name)
