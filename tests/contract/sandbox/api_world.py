"""A served API over a store, for tests: no controllers, and pods that say what a test has told them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.api.pod_access import PodLog, ProxyRequest, ProxyResponse, UnreachableError
from kdeploy.sandbox.api.server import application
from kdeploy.sandbox.core.defaults import with_defaults
from kdeploy.sandbox.core.resources import NAMESPACES
from kdeploy.sandbox.core.store import Store
from kdeploy.secret import Secret
from tests.contract.sandbox.serving import serving

TOKEN = "a-token"


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a pod's log."""

    text: bytes
    time: str = "2026-11-25T10:00:00Z"
    whole: bool = True


@dataclass(kw_only=True)
class Pods:
    """What the pods say. `unreachable` is why they say nothing to the proxy."""

    lines: list[Line] = field(default_factory=list)
    more: list[Line] = field(default_factory=list)
    unreachable: str = ""
    asked: list[tuple[str, int, ProxyRequest]] = field(default_factory=list)

    async def log(self, pod: Obj, container: str, *, previous: bool, follow: bool) -> PodLog:
        return PodLog(lines=self.lines, more=self._more() if follow else None)

    async def proxy(self, pod: Obj, port: int, request: ProxyRequest) -> ProxyResponse:
        self.asked.append((pod["metadata"]["name"], port, request))
        if self.unreachable:
            raise UnreachableError(self.unreachable)
        headers = [
            ("Content-Type", "text/plain"),
            ("Connection", "close"),
            ("X-App", "yes"),
            ("Location", "/elsewhere"),
        ]
        return ProxyResponse(status=302 if "redirect" in request.path else 200, headers=headers, body=self._body())

    async def _more(self) -> AsyncIterator[Line]:
        for line in self.more:
            await asyncio.sleep(0.01)
            yield line

    async def _body(self) -> AsyncIterator[bytes]:
        yield b"hello "
        yield b"there"


@dataclass(frozen=True, kw_only=True)
class World:
    """A served API. `call` runs a function on the server's loop, where the store lives."""

    port: int
    store: Store
    pods: Pods
    loop: asyncio.AbstractEventLoop
    writes: list[float]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, function: Any, *arguments: Any, **named: Any) -> Any:
        async def on_the_loop() -> Any:
            return function(*arguments, **named)

        return asyncio.run_coroutine_threadsafe(on_the_loop(), self.loop).result(10)


@contextmanager
def world(*, history: int = 1000) -> Iterator[World]:
    """Serves the API of a new store with the namespace "shop"."""
    numbers = itertools.count(1)
    store = Store(new_uid=lambda: f"00000000-0000-0000-0000-{next(numbers):012}", history=history)
    for name in ("default", "shop"):
        store.create(NAMESPACES, with_defaults(NAMESPACES, {"metadata": {"name": name}}), time.time())
    pods, loops, writes = Pods(), list[asyncio.AbstractEventLoop](), list[float]()

    def make() -> Any:
        loops.append(asyncio.get_running_loop())
        return application(
            store, after_write=lambda: writes.append(time.time()), token=Secret(TOKEN), pods=pods, clock=time.time
        )

    with serving(make) as port:
        yield World(port=port, store=store, pods=pods, loop=loops[0], writes=writes)
