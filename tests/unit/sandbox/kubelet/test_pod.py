"""A pod without its processes: how long its containers have to end."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kdeploy.sandbox.kubelet.pod import Pod


class Sidecar:
    """Runs until it is stopped, and notes with which grace."""

    spec = {"name": "side", "restartPolicy": "Always"}  # noqa: RUF012

    def __init__(self) -> None:
        self.begun, self.stopped = asyncio.Event(), asyncio.Event()
        self.grace = 0.0

    async def run(self) -> None:
        self.begun.set()
        await self.stopped.wait()

    def stop(self, grace: float) -> None:
        self.grace = grace
        self.stopped.set()


@pytest.mark.parametrize("step", [-3600, 3600])
def test_a_jump_of_the_machines_clock_changes_no_sidecars_grace(tmp_path: Path, step: int) -> None:
    clock = count(1_700_000_000, step)
    node = SimpleNamespace(now=lambda: float(next(clock)), folder=tmp_path)
    metadata = {"namespace": "shop", "name": "a", "uid": "u"}
    obj = {"metadata": metadata, "spec": {"containers": [], "terminationGracePeriodSeconds": 30}}

    async def end() -> float:
        pod = Pod(cast("Any", node), obj, cast("Any", SimpleNamespace(take=lambda: "127.16.0.1")))
        sidecar = Sidecar()
        pod.init = (cast("Any", sidecar),)
        pod.stop(20)
        await pod._sequence()
        return sidecar.grace

    assert asyncio.run(end()) == pytest.approx(20, abs=1)
