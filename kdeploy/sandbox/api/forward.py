"""Sends a proxied request to an address of this machine, for pods that are processes."""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections.abc import AsyncIterator

import aiohttp
from yarl import URL

from kdeploy.sandbox.api.pod_access import ProxyRequest, ProxyResponse, UnreachableError
from kdeploy.sandbox.api.proxy import passed_on

_CONNECT_WITHIN = 5.0
_ANSWER_WITHIN = 30.0
_PIECE = 64 * 1024
_WHY = {
    errno.ECONNREFUSED: "connect: connection refused",
    errno.EHOSTUNREACH: "connect: no route to host",
    errno.ENETUNREACH: "connect: network is unreachable",
    errno.EADDRNOTAVAIL: "connect: cannot assign requested address",
}


class Forwarder:
    """Forwards requests; one for the length of a server. Close it at the end."""

    def __init__(self) -> None:
        # A pod's certificate names no loopback address: a real API server does not verify it either.
        self._tls = ssl.create_default_context()
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE
        self._session: aiohttp.ClientSession | None = None

    async def send(self, ip: str, port: int, request: ProxyRequest) -> ProxyResponse:
        """Sends the request there. Raises UnreachableError with Go's words."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_WITHIN, sock_read=_ANSWER_WITHIN)
            # Each request has a connection of its own: a pod that is gone leaves no dead one behind.
            connector = aiohttp.TCPConnector(force_close=True, limit=256)
            self._session = aiohttp.ClientSession(timeout=timeout, connector=connector, auto_decompress=False)
        url = URL(f"{request.scheme}://{ip}:{port}{request.path}", encoded=True)
        try:
            response = await self._session.request(
                request.method,
                url,
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                ssl=self._tls,
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UnreachableError(_in_go(error, ip, port)) from None
        headers = passed_on(((name, value) for name, value in response.headers.items()), sent=False)
        return ProxyResponse(status=response.status, headers=headers, body=_body(response))

    async def close(self) -> None:
        """Ends every connection."""
        if self._session is not None:
            await self._session.close()


async def _body(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in response.content.iter_chunked(_PIECE):
            yield piece
    except (aiohttp.ClientError, OSError) as error:
        raise UnreachableError(str(error)) from None
    finally:
        response.close()


def _in_go(error: Exception, ip: str, port: int) -> str:
    """What Go's HTTP client would say."""
    if isinstance(error, aiohttp.ServerTimeoutError | asyncio.TimeoutError | TimeoutError):
        return f"dial tcp {ip}:{port}: i/o timeout"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    if isinstance(error, aiohttp.ClientConnectorError) and error.errno is not None:
        return f"dial tcp {ip}:{port}: {_WHY.get(error.errno, f'connect: {error.strerror}')}"
    if isinstance(error, ConnectionResetError):
        return f"read tcp {ip}:{port}: read: connection reset by peer"
    return f"net/http: {error}" if isinstance(error, aiohttp.ClientError) else str(error)
