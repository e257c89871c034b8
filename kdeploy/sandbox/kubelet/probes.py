"""Sends a running container's probes, each at its own pace, for as long as it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from kdeploy.sandbox.core.probe import Kind, Probe, after, first_record, probe_of
from kdeploy.sandbox.kubelet.hooks import Inside

NOTICED = 0.5
"""Seconds until a kubelet begins to probe a container that runs: half of the second between two of its looks."""

Changed = Callable[[Kind, bool], None]
"""A probe's state is another one."""

Failed = Callable[[str], None]
"""A probe failed; what the event says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """The probes of one run of a container."""

    inside: Inside
    changed: Changed
    failed: Failed

    async def run(self) -> None:
        """Probes until it is cancelled. While the startup probe has not succeeded, the others wait (worker.go)."""
        await asyncio.sleep(NOTICED)
        startup = probe_of(self.inside.spec, Kind.STARTUP)
        if startup is not None and not await self._until_known(startup):
            return
        others = [probe for kind in (Kind.LIVENESS, Kind.READINESS) if (probe := probe_of(self.inside.spec, kind))]
        async with asyncio.TaskGroup() as group:
            for probe in others:
                group.create_task(self._go_on(probe))

    async def _until_known(self, probe: Probe) -> bool:
        record = first_record(probe.kind)
        await asyncio.sleep(max(0.0, probe.delay - NOTICED))
        while record.state is None:
            record = after(record, probe, await self._send(probe))
            if record.state is None:
                await asyncio.sleep(probe.period)
        self.changed(probe.kind, record.state)
        return record.state

    async def _go_on(self, probe: Probe) -> None:
        record, loop = first_record(probe.kind), asyncio.get_running_loop()
        next_ = loop.time() + max(0.0, probe.delay - NOTICED)
        while True:
            await asyncio.sleep(max(0.0, next_ - loop.time()))
            new = after(record, probe, await self._send(probe))
            if new.state is not record.state and new.state is not None:
                self.changed(probe.kind, new.state)
            record = new
            next_ = max(next_ + probe.period, loop.time())

    async def _send(self, probe: Probe) -> bool:
        found = await self.inside.node.prober.send(probe, self.inside.asked)
        if not found.good:
            self.failed(f"{probe.kind} probe failed: {found.message}")
        return found.good
