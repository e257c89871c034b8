"""A served API over a store, for tests: with pods that say what a test has told them, or with the controllers."""

from __future__ import annotations

import asyncio
import gc
import itertools
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from kdeploy.model import Obj
from kdeploy.sandbox.api.pod_access import PodLog, ProxyRequest, ProxyResponse, UnreachableError
from kdeploy.sandbox.api.server import application
from kdeploy.sandbox.api.watch import Watch
from kdeploy.sandbox.core.answers import NoReply
from kdeploy.sandbox.core.bootstrap import bootstrap
from kdeploy.sandbox.core.control import Controllers
from kdeploy.sandbox.core.defaults import with_defaults
from kdeploy.sandbox.core.images import ImageInfo, PullError, not_found
from kdeploy.sandbox.core.resources import CONFIG_MAPS, NAMESPACES, by_kind
from kdeploy.sandbox.core.store import Store
from kdeploy.sandbox.core.timestamps import to_text
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
    after_write: Callable[[], None]
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def call(self, function: Any, *arguments: Any, **named: Any) -> Any:
        async def on_the_loop() -> Any:
            return function(*arguments, **named)

        return asyncio.run_coroutine_threadsafe(on_the_loop(), self.loop).result(10)

    def apply(self, obj: Obj) -> None:
        """Creates an object of a served kind, or puts it in the place of the one that is there."""
        resource = by_kind(obj["apiVersion"], obj["kind"])
        assert resource is not None

        def on_the_loop() -> None:
            namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
            write = self.store.create if self.store.get(resource, namespace, name) is None else self.store.replace
            write(resource, with_defaults(resource, obj), time.time())
            self.after_write()

        self.call(on_the_loop)

    def end_watches(self) -> None:
        """Ends all watches, as a server does from time to time."""
        self.call(_end_watches)

    def forget(self) -> None:
        """Ends all watches, after more has happened than the history holds."""

        def on_the_loop() -> None:
            for number in range(200):
                data = {"metadata": {"name": f"c{number}", "namespace": "shop"}}
                self.store.create(CONFIG_MAPS, data, time.time())
            _end_watches()

        self.call(on_the_loop)


@dataclass(kw_only=True)
class SimulatedPods:
    """The way to the pods that the controllers simulate."""

    controllers: Controllers

    async def log(self, pod: Obj, container: str, *, previous: bool, follow: bool) -> PodLog:
        found = self.controllers.log(pod, container, previous=previous) or []
        return PodLog(lines=[Line(text=one.text.encode(), time=to_text(one.time)) for one in found])

    async def proxy(self, pod: Obj, port: int, request: ProxyRequest) -> ProxyResponse:
        found = self.controllers.answer(pod, port, request.path, time.time())
        if isinstance(found, NoReply):
            raise UnreachableError(found.why)
        return ProxyResponse(status=found.status, headers=[], body=_once(found.body.encode()))


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


class Settling:
    """Has the controllers look after each write, and when they said that they want to."""

    def __init__(self, store: Store) -> None:
        self.controllers = Controllers(store, images=image)
        self._timer: asyncio.TimerHandle | None = None

    def settle(self) -> None:
        """Looks now."""
        if self._timer is not None:
            self._timer.cancel()
        wake = self.controllers.settle(time.time())
        if wake is not None:
            self._timer = asyncio.get_running_loop().call_later(max(wake - time.time(), 0) + 0.001, self.settle)


def image(reference: str) -> ImageInfo | PullError:
    """Every image is there but those that are called "missing"."""
    if reference.startswith("missing"):
        return not_found(f"docker.io/library/{reference}")
    return ImageInfo(digest=f"sha256:{'0' * 64}", labels={}, config={"config": {}}, layers=())


def _end_watches() -> None:
    for one in gc.get_objects():
        if isinstance(one, Watch):
            one.end()


@contextmanager
def cluster_world(*, tls: ssl.SSLContext | None = None) -> Iterator[World]:
    """Serves a whole cluster of simulated pods, with the namespace "shop"."""
    with world(history=100, with_controllers=True, tls=tls) as served:
        yield served


@contextmanager
def world(*, history: int = 1000, with_controllers: bool = False, tls: ssl.SSLContext | None = None) -> Iterator[World]:
    """Serves the API of a new store with the namespace "shop"."""
    numbers = itertools.count(1)
    store = Store(new_uid=lambda: f"00000000-0000-0000-0000-{next(numbers):012}", history=history)
    settling = Settling(store) if with_controllers else None
    bootstrap(store, time.time())
    store.create(NAMESPACES, with_defaults(NAMESPACES, {"metadata": {"name": "shop"}}), time.time())
    pods, writes, loops = Pods(), list[float](), list[asyncio.AbstractEventLoop]()

    def after_write() -> None:
        writes.append(time.time())
        if settling is not None:
            settling.settle()

    def make() -> web.Application:
        access = pods if settling is None else SimulatedPods(controllers=settling.controllers)
        app = application(store, after_write=after_write, token=Secret(TOKEN), pods=access, clock=time.time)
        loops.append(asyncio.get_running_loop())
        if settling is not None:
            settling.settle()
        return app

    with serving(make, tls=tls) as port:
        yield World(
            port=port,
            store=store,
            pods=pods,
            loop=loops[0],
            writes=writes,
            after_write=after_write,
            scheme="https" if tls else "http",
        )
