"""A storage of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdeploy.sandbox.registry.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "registry")
