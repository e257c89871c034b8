"""A container without its processes: what it leaves on disk, and how long it has to end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kdeploy.sandbox.kubelet.container import Container
from kdeploy.sandbox.kubelet.logs import CAP


def container(folder: Path, now: Callable[[], float]) -> Container:
    return Container(
        node=cast("Any", SimpleNamespace(now=now, tell=lambda *_, **__: None)),
        pod={"metadata": {"uid": "u"}, "spec": {"terminationGracePeriodSeconds": 30}},
        spec={"name": "web"},
        ip="",
        folder=folder,
        state={},
        changed=lambda: None,
    )


def test_of_all_runs_the_logs_of_the_last_two_are_kept(tmp_path: Path) -> None:
    crashing = container(tmp_path, lambda: 1e9)
    for _ in range(6):
        crashing._begin_run()
        assert crashing.log is not None
        for _ in range(3):
            crashing.log.write((b"x" * 1000 + b"\n") * (CAP // 2000))
        crashing.log.close()
    assert {path.name for path in tmp_path.iterdir()} == {"4.log", "4.log.1", "5.log", "5.log.1"}


@pytest.mark.parametrize("step", [-3600, 3600])
def test_a_jump_of_the_machines_clock_changes_no_grace(tmp_path: Path, step: int) -> None:
    graces, clock = list[float](), count(1_700_000_000, step)

    async def note(grace: float) -> None:
        graces.append(grace)

    ended = container(tmp_path, lambda: float(next(clock)))
    process, inside = SimpleNamespace(stop=note), SimpleNamespace(before_stop=note)
    asyncio.run(ended._end(cast("Any", process), cast("Any", inside)))
    assert graces == [30, pytest.approx(30, abs=1)]
