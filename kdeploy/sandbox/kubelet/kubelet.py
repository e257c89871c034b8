"""The kubelet of real pods: it follows the store, and runs those pods that are to be processes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from kdeploy.model import Obj
from kdeploy.rollout.objects import annotations_of, is_terminating, status_of, uid_of
from kdeploy.sandbox.addresses import NoAddressError, Pool
from kdeploy.sandbox.core.images import KIND_ANNOTATION
from kdeploy.sandbox.core.metadata import key_of
from kdeploy.sandbox.core.resources import PODS
from kdeploy.sandbox.core.store import Event
from kdeploy.sandbox.kubelet.container import Container
from kdeploy.sandbox.kubelet.logs import Line, read_lines
from kdeploy.sandbox.kubelet.node import Node
from kdeploy.sandbox.kubelet.pod import Pod

_LOG = logging.getLogger(__name__)
_LAST_GRACE = 2.0
"""Seconds that pods are left when the sandbox itself ends."""


class Kubelet:
    """Runs the pods with the annotation KIND_ANNOTATION: process. Addresses come from `pool`. Close it at the end."""

    def __init__(self, node: Node, pool: Pool) -> None:
        self._node, self._pool = node, pool
        self._pods: dict[str, Pod] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._dirty: dict[str, Event] = {}
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._unsubscribe = node.store.subscribe(self._changed)

    async def close(self) -> None:
        """Ends all pods."""
        self._closed = True
        self._unsubscribe()
        for pod in self._pods.values():
            pod.stop(_LAST_GRACE)
        await asyncio.wait([*self._tasks.values(), asyncio.create_task(asyncio.sleep(0))], timeout=2 * _LAST_GRACE)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def log(self, pod: Obj, container: str, *, previous: bool = False) -> list[Line]:
        """The lines of a container's present run, or of the one before, oldest first; none where there was none."""
        found = self._container(pod, container)
        return list(read_lines(found.log_path(previous=previous))) if found else []

    def follow(self, pod: Obj, container: str) -> AsyncIterator[Line] | None:
        """The lines that a container writes from now on, until its run ends; None where it does not run."""
        found = self._container(pod, container)
        if found is None or found.log is None or found.log.closed:
            return None
        queue = asyncio.Queue[Sequence[Line]]()
        return _followed(queue, found.log.watch(queue.put_nowait))

    def _container(self, pod: Obj, name: str) -> Container | None:
        found = self._pods.get(uid_of(pod))
        return next((each for each in found.containers if each.name == name), None) if found else None

    def _changed(self, event: Event) -> None:
        if event.resource is not PODS or self._closed:
            return
        uid = uid_of(event.obj)
        if uid in self._pods or annotations_of(event.obj).get(KIND_ANNOTATION) == "process":
            if not self._dirty:
                self._loop.call_soon(self._look)  # a listener must not write
            self._dirty[uid] = event

    def _look(self) -> None:
        dirty, self._dirty = self._dirty, {}
        for uid, event in dirty.items():
            pod = self._pods.get(uid)
            if event.type == "DELETED":
                if pod is not None:
                    pod.stop(0)
                    self._loop.call_soon(self._forget, uid)
            elif pod is None:
                self._take(event.obj)
            elif is_terminating(event.obj):
                pod.stop(float(event.obj["metadata"].get("deletionGracePeriodSeconds", 30)))
                if uid not in self._tasks:  # it broke down, and will not end by itself
                    self._node.store.delete(PODS, *pod.key, self._node.now(), grace=0)

    def _take(self, obj: Obj) -> None:
        if is_terminating(obj):  # it was to end before it began
            self._node.store.delete(PODS, *key_of(obj), self._node.now(), grace=0)
            return
        if status_of(obj).get("phase") in ("Failed", "Succeeded"):
            return
        try:
            pod = self._pods[uid_of(obj)] = Pod(self._node, obj, self._pool)
        except NoAddressError as error:
            self._node.tell(obj, "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}", "Warning")
            return
        task = self._tasks[uid_of(obj)] = self._loop.create_task(pod.run())
        task.add_done_callback(lambda done: self._ended(pod, done))

    def _ended(self, pod: Pod, task: asyncio.Task[None]) -> None:
        del self._tasks[pod.uid]
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("pod %s/%s", *pod.key, exc_info=task.exception())
        stored = self._node.store.get(PODS, *pod.key)
        if stored is None:
            self._forget(pod.uid)
        elif not task.cancelled() and task.exception() is not None:
            self._node.tell(stored, "FailedSync", "a bug in the sandbox ended this pod: see sandbox.log", "Warning")

    def _forget(self, uid: str) -> None:
        """Its object is gone, and its processes are: nothing of it is kept."""
        if uid not in self._tasks and uid in self._pods:
            self._pods.pop(uid).forget()


async def _followed(queue: asyncio.Queue[Sequence[Line]], end: Callable[[], None]) -> AsyncIterator[Line]:
    try:
        while lines := await queue.get():
            for line in lines:
                yield line
    finally:
        end()
