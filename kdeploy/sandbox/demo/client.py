"""The steady client: asks at a fixed rate, by a new connection each time, and counts what it got.

It runs in a thread of its own, so that nothing that the demo does meanwhile can hold it up.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from kdeploy.secret import Secret

_LIMIT = 65_536


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was asked, and what came of it. `answers` counts bodies, `problems` why a request was lost."""

    rate: int
    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0

    @property
    def answered(self) -> int:
        """Requests that got a whole answer with status 200."""
        return self.answers.total()

    @property
    def lost(self) -> int:
        """All others."""
        return self.sent - self.answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where and how a client asks: a path of `host`:`port`, over TLS and with a token where these are given."""

    host: str
    port: int
    path: str = "/"
    token: Secret | None = None
    tls: ssl.SSLContext | None = None

    @property
    def request(self) -> bytes:
        """The whole request."""
        login = f"Authorization: Bearer {self.token.reveal()}\r\n" if self.token else ""
        return f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\n{login}Connection: close\r\n\r\n".encode()


class SteadyClient:
    """Asks by `way` from `start` to `stop`, `rate` times a second. `timeout`: seconds of one request."""

    def __init__(self, way: Way, *, rate: int = 50, timeout: float = 10.0) -> None:
        self._way, self._timeout = way, timeout
        self.tally = Tally(rate=rate)
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="steady client", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> Tally:
        """Asks no more, and waits until everything asked is answered or lost."""
        self._over.set()
        self._thread.join()
        return self.tally

    async def _run(self) -> None:
        began, running = time.monotonic(), set[asyncio.Task[None]]()
        while not self._over.is_set():
            await asyncio.sleep(max(0.0, began + self.tally.sent / self.tally.rate - time.monotonic()))
            self.tally.sent += 1
            task = asyncio.create_task(self._count())
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)

    async def _count(self) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                body = await self._ask()
        except TimeoutError:
            self.tally.problems[f"no answer within {self._timeout:g} s"] += 1
        except OSError as error:
            self.tally.problems[os.strerror(error.errno or 0).lower()] += 1
        except ValueError as error:
            self.tally.problems[str(error)] += 1
        else:
            self.tally.answers[body] += 1
        self.tally.slowest = max(self.tally.slowest, time.monotonic() - began)

    async def _ask(self) -> str:
        """The body of the answer. Raises OSError, and ValueError where it is not a whole one with status 200."""
        reader, writer = await asyncio.open_connection(self._way.host, self._way.port, ssl=self._way.tls)
        try:
            writer.write(self._way.request)
            return read_answer(await reader.read(-1))
        finally:
            writer.close()


def read_answer(data: bytes) -> str:
    """The body of a whole HTTP answer with status 200 and a Content-Length. Raises ValueError for any other."""
    head, _, body = data[:_LIMIT].partition(b"\r\n\r\n")
    status, _, fields = head.partition(b"\r\n")
    words = status.split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):
        raise ValueError("no HTTP answer" if data else "the connection ended without an answer")
    if words[1] != b"200":
        raise ValueError(f"status {words[1].decode(errors='replace')}")
    headers = dict(line.lower().partition(b":")[::2] for line in fields.split(b"\r\n"))
    if headers.get(b"content-length", b"").strip() != str(len(body)).encode():
        raise ValueError("half an answer")
    return body.decode(errors="replace").strip()
