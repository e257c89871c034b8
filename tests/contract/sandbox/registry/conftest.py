"""The sandbox's registry on loopback, over a folder of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kdeploy.sandbox.registry.server import Account, Limits, application
from kdeploy.sandbox.registry.storage import Storage
from tests.contract.sandbox.registry.pushing import Pusher
from tests.contract.sandbox.serving import Client, serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A served registry: who asks it, who pushes to it, and what it keeps."""

    ask: Client
    storage: Storage
    folder: Path

    @property
    def push(self) -> Pusher:
        return Pusher(ask=self.ask)

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.ask.port}"

    @property
    def incoming(self) -> list[Path]:
        """What is being written."""
        return list(self.storage.incoming.iterdir())


def serve(folder: Path, limits: Limits | None = None, account: Account | None = None) -> Iterator[Served]:
    storage = Storage(folder)
    with serving(lambda: application(storage, limits=limits, account=account)) as port:
        yield Served(ask=Client(port=port), storage=storage, folder=folder)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Served]:
    yield from serve(tmp_path / "registry")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Served]:
    """One that takes blobs of 100 bytes and manifests of 1000."""
    yield from serve(tmp_path / "registry", Limits(blob=100, manifest=1000))
