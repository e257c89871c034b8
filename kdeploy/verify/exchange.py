"""One HTTP/1.1 request over a connection that is already open, bounded in time and size as a whole.

A socket's timeout bounds one read; a peer that sends a byte now and then could hold a probe for ever. Here every read
and write has only what is left until one deadline.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Protocol

from kdeploy import __version__
from kdeploy.clock import Deadline

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_BODY = 64 * 1024
"""How many bytes of a body are read."""
EXCERPT_BYTES = 2048


class Wire(Protocol):
    """A two-way stream of bytes. Every method may raise OSError, TimeoutError among it."""

    def send(self, data: bytes) -> None:
        """Sends it all."""
        ...

    def receive(self, size: int) -> bytes:
        """At least one byte and at most `size`; empty at the end."""
        ...

    def close(self) -> None:
        """Ends the stream; more than once is fine."""
        ...


class SocketWire:
    """A connected socket, TLS or not, under a deadline."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline

    def send(self, data: bytes) -> None:
        """As `Wire` says."""
        self._socket.settimeout(self._deadline.remaining())
        self._socket.sendall(data)

    def receive(self, size: int) -> bytes:
        """As `Wire` says."""
        self._socket.settimeout(self._deadline.remaining())
        return self._socket.recv(size)

    def close(self) -> None:
        """As `Wire` says."""
        self._socket.close()


def get(
    connection: HTTPConnection, wire: Wire, target: str, headers: Mapping[str, str], *, to_end: bool = True
) -> tuple[int, str]:
    """Sends GET `target` over `wire`, then closes it; returns the status and an excerpt of the body. No redirects.

    The body is read to its end or to 64 KiB, so that an app that stalls half-way is found out; not without `to_end`,
    where only the end of the connection is its end.

    `connection` lends its host name and its knowledge of HTTP. Raises OSError, http.client.HTTPException, and
    ValueError where a header or the target cannot be sent.
    """
    connection.sock = _HttpSocket(wire)
    try:
        all_headers = {"User-Agent": f"kdeploy/{__version__}", "Accept": "*/*", "Connection": "close", **headers}
        connection.request("GET", target, headers=all_headers)
        response = connection.getresponse()
        bounded = to_end or response.length is not None or bool(response.chunked)
        body = response.read(MAX_BODY) if bounded else b""
        return response.status, body[:EXCERPT_BYTES].decode(errors="replace")
    finally:
        connection.close()
        wire.close()


class _HttpSocket:
    """As much of a socket as http.client uses."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def sendall(self, data: bytes) -> None:
        self._wire.send(bytes(data))

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._wire))

    def close(self) -> None:
        """Nothing: http.client lets go of the socket before it has read the body. `get` closes the wire."""


class _Reader(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view: Any = memoryview(buffer)
        data = self._wire.receive(len(view))
        view[: len(data)] = data
        return len(data)
