"""A sandbox for the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.sandbox.sandboxes import Sandbox, sandbox


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("sandbox") / "state") as found:
        yield found
