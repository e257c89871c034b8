"""One real pod: its address, its containers in their order, its status, and its end."""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import Sequence

from kdeploy.model import Obj
from kdeploy.rollout.objects import is_terminating
from kdeploy.sandbox.addresses import Pool
from kdeploy.sandbox.core.podstatus import INITIALIZING, PENDING, is_sidecar, pod_status
from kdeploy.sandbox.core.resources import PODS
from kdeploy.sandbox.kubelet.container import Container
from kdeploy.sandbox.kubelet.node import Node


class Pod:
    """A pod that this kubelet has taken. `run` it in a task; the rest is for whoever hears of its object."""

    def __init__(self, node: Node, obj: Obj, pool: Pool) -> None:
        metadata, spec = obj["metadata"], obj["spec"]
        self._node, self._pool, self._obj = node, pool, obj
        self.key: tuple[str, str] = metadata["namespace"], metadata["name"]
        self.uid = str(metadata["uid"])
        self.ip = pool.take()
        self.folder = node.folder / f"{metadata['namespace']}_{metadata['name']}_{self.uid}"
        self._began = node.now()
        self._grace = float(spec.get("terminationGracePeriodSeconds", 30))
        self._deadline = math.inf
        self._stopping = asyncio.Event()
        first = spec.get("initContainers") or ()
        self.init = tuple(self._container(each, init=True, after_init=True) for each in first)
        self.main = tuple(self._container(each, init=False, after_init=bool(first)) for each in spec["containers"])

    @property
    def containers(self) -> Sequence[Container]:
        """All of them."""
        return (*self.init, *self.main)

    def stop(self, grace: float) -> None:
        """Ends it within `grace` seconds, sidecars last. A second call can only make that sooner."""
        self._deadline = min(self._deadline, asyncio.get_running_loop().time() + grace)
        self._stopping.set()
        for container in self.containers:
            if not is_sidecar(container.spec) or grace <= 0:
                container.stop(grace)

    async def run(self) -> None:
        """Runs its containers until it is over, or is ended; an ended one is then deleted from the store."""
        self.report()
        try:
            await self._sequence()
            self.report()
        finally:
            self._pool.give_back(self.ip)
        self._delete()

    def forget(self) -> None:
        """Its object is gone: so are its logs."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def report(self) -> None:
        """Writes its status, if its object is still there."""
        stored = self._stored()
        if stored is None:
            return
        init, main = ([each.status() for each in containers] for containers in (self.init, self.main))
        now = self._node.now()
        status = pod_status(stored, init, main, ip=self.ip, started=self._began, now=now)
        self._node.store.replace(PODS, {**stored, "status": status}, now, subresource="status")

    async def _sequence(self) -> None:
        """Init containers one after the other, then all others at once; sidecars go on until those have ended."""
        async with asyncio.TaskGroup() as group:
            passed = True
            for each in self.init:
                passed = not self._stopping.is_set() and await self._pass(each, group.create_task(each.run()))
                if not passed:
                    break
            if passed:
                await asyncio.gather(*(group.create_task(each.run()) for each in self.main))
            for each in reversed(self.init):
                each.stop(max(0.0, min(self._deadline - asyncio.get_running_loop().time(), self._grace)))

    async def _pass(self, container: Container, task: asyncio.Task[None]) -> bool:
        """Waits until the next container may begin; False where none may."""
        if not is_sidecar(container.spec):
            await task
            return container.ready
        begun = asyncio.create_task(container.begun.wait())
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([begun, stopped, task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            begun.cancel()
            stopped.cancel()
        return container.begun.is_set() and not self._stopping.is_set()

    def _container(self, spec: Obj, *, init: bool, after_init: bool) -> Container:
        return Container(
            node=self._node,
            pod=self._obj,
            spec=spec,
            ip=self.ip,
            folder=self.folder / str(spec["name"]),
            state=INITIALIZING if after_init else PENDING,
            changed=self.report,
            init=init,
        )

    def _stored(self) -> Obj | None:
        found = self._node.store.get(PODS, *self.key)
        return found if found is not None and found["metadata"]["uid"] == self.uid else None

    def _delete(self) -> None:
        stored = self._stored()
        if stored is not None and is_terminating(stored):
            self._node.store.delete(PODS, *self.key, self._node.now(), grace=0)
