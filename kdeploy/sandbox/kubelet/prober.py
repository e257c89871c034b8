"""Sends probes for real, and words what comes of them as pkg/probe/http, tcp and exec do."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp

from kdeploy.model import Obj
from kdeploy.sandbox.core.probe import Probe, port_number
from kdeploy.text import clean

USER_AGENT = "kube-probe/1.35"
_BODY = 10 * 1024

Execute = Callable[[list[str], float], Awaitable[tuple[int, bytes]]]
"""Runs a command in the container for at most so many seconds: exit code and output. Raises TimeoutError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One result, and the words that an event has for it where it is bad."""

    good: bool
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whom a probe asks: the pod's address, the container's spec, and how to run a command in it."""

    address: str
    container: Obj
    execute: Execute


class Prober:
    """Sends probes. Close it at the end."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, ssl=False, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Ends all that is under way."""
        await self._session.close()

    async def send(self, probe: Probe, asked: Asked) -> Found:
        """One probe. It is over after the probe's timeout; whatever happens is a result."""
        senders = {"httpGet": self.http_get, "tcpSocket": _tcp_socket, "exec": _exec}
        sender = senders.get(probe.action)
        if sender is None:
            return Found(good=False, message=f"the sandbox sends no {probe.action or 'unknown'} probes")
        try:
            return await sender(probe.how, asked, probe.timeout)
        except ValueError as error:
            return Found(good=False, message=str(error))

    async def http_get(self, how: Obj, asked: Asked, timeout: float) -> Found:
        """A GET: 200 to 399 is good. A redirect to another host is not followed, and good (pkg/probe/http/http.go)."""
        url, host = _url(how, asked), how.get("host") or asked.address
        if not _is_loopback(host):
            return Found(good=False, message=f'Get "{url}": the sandbox asks loopback addresses only')
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*"}
        headers |= {str(one.get("name")): str(one.get("value", "")) for one in how.get("httpHeaders") or ()}
        try:
            async with asyncio.timeout(timeout):
                return await self._get(url, host, headers)
        except TimeoutError:
            late = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            return Found(good=False, message=f'Get "{url}": {late}')
        except (aiohttp.ClientError, OSError) as error:
            return Found(good=False, message=f'Get "{url}": {_words(error, host, urlsplit(url).port or 0)}')

    async def _get(self, url: str, host: str, headers: dict[str, str]) -> Found:
        for _ in range(10):
            async with self._session.get(url, headers=headers, allow_redirects=False) as response:
                await response.content.read(_BODY)
                status, location = response.status, response.headers.get("Location")
                if status not in (301, 302, 303, 307, 308) or not location:
                    break
            url = urljoin(url, location)
            if urlsplit(url).hostname != host:
                return Found(good=True)
        if 200 <= status < 400:
            return Found(good=True)
        return Found(good=False, message=f"HTTP probe failed with statuscode: {status}")


async def _tcp_socket(how: Obj, asked: Asked, timeout: float) -> Found:
    host, port = how.get("host") or asked.address, port_number(how.get("port", 0), asked.container)
    if not _is_loopback(host):
        return Found(good=False, message=f"dial tcp {host}:{port}: the sandbox asks loopback addresses only")
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Found(good=False, message=f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        return Found(good=False, message=_words(error, host, port))
    writer.transport.abort()
    return Found(good=True)


async def _exec(how: Obj, asked: Asked, timeout: float) -> Found:
    words = [str(word) for word in how.get("command") or ()]
    try:
        code, output = await asked.execute(words, timeout)
    except TimeoutError:
        return Found(good=False, message=f'command timed out: "{" ".join(words)}" timed out after {timeout:g}s')
    return Found(good=code == 0, message=clean(output[:_BODY].decode(errors="replace")))


def _url(how: Obj, asked: Asked) -> str:
    scheme = str(how.get("scheme") or "HTTP").lower()
    host, port = how.get("host") or asked.address, port_number(how.get("port", 0), asked.container)
    path = str(how.get("path") or "/")
    return f"{scheme}://{host}:{port}{path if path.startswith('/') else '/' + path}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _words(error: Exception, host: str, port: int) -> str:
    """As Go's net package words it."""
    cause = getattr(error, "os_error", error)
    number = getattr(cause, "errno", None)
    if number == errno.ECONNREFUSED:
        return f"dial tcp {host}:{port}: connect: connection refused"
    if number == errno.ECONNRESET:
        return f"read tcp {host}:{port}: connection reset by peer"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    return str(os.strerror(number).lower() if isinstance(number, int) and number > 0 else error)
