"""An aiohttp application on a loopback port, in a thread of its own, and a client without any convenience."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web


@contextmanager
def serving(make: Callable[[], web.Application], *, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serves what `make` returns; gives the port. At the end it waits until all is closed."""
    told: SimpleQueue[Any] = SimpleQueue()

    async def serve() -> None:
        stop = asyncio.Event()
        runner = web.AppRunner(make(), shutdown_timeout=1)
        try:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
            told.put((runner.addresses[0][1], asyncio.get_running_loop(), stop))
            await stop.wait()
        finally:
            await runner.cleanup()
            await asyncio.sleep(0.02)  # a closed transport lets go of its socket in a later turn of the loop

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # told to the test, which waits for a port
            told.put(error)

    thread = threading.Thread(target=run, name="served")
    thread.start()
    answer = told.get(timeout=10)
    if isinstance(answer, BaseException):
        raise answer
    port, loop, stop = answer
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer as it came."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of a registry's errors; none where the body is something else."""
        try:
            return tuple(str(error["code"]) for error in self.json["errors"])
        except (ValueError, KeyError, TypeError):
            return ()

    @property
    def brief(self) -> tuple[Any, ...]:
        """Status and codes, for one comparison."""
        return (self.status, *self.codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Asks a server on loopback, each time on a new connection."""

    port: int

    def __call__(
        self, method: str, target: str, body: bytes | Iterable[bytes] = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request. `target` is a path or a Location; a body of pieces is sent with chunked transfer encoding."""
        parts = urlsplit(target)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        is_chunked = not isinstance(body, bytes)
        named = dict(headers or {}) | ({"Transfer-Encoding": "chunked"} if is_chunked else {})
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, path, body, named, encode_chunked=is_chunked)
            answer = connection.getresponse()
            try:
                content = answer.read()
            except http.client.IncompleteRead as cut:  # Docker's registry does so with its 416
                content = cut.partial
            return Reply(status=answer.status, headers=answer.headers, body=content)
