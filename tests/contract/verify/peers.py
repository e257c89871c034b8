"""What the server in a test does with a connection: handlers for the `serve` fixture."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

Handler = Callable[[socket.socket], None]
Serve = Callable[[Handler], int]


def read_head(connection: socket.socket) -> str:
    """The request line and headers, as they came."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            break
        head += byte
    return head.decode(errors="replace")


def answers(status: int, body: bytes = b"", *headers: str, heads: list[str] | None = None) -> Handler:
    """One answer with a length; the requests' heads go to `heads`."""

    def handle(connection: socket.socket) -> None:
        head = read_head(connection)
        if heads is not None:
            heads.append(head)
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    return handle


def says(data: bytes) -> Handler:
    """Sends these bytes and hangs up."""

    def handle(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(data)

    return handle


def hangs_after(data: bytes = b"") -> Handler:
    """Sends these bytes, and then nothing for ever."""

    def handle(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(data)
        connection.recv(1)

    return handle


def drips(data: bytes, pause: float) -> Handler:
    """Sends `data` over and over, each byte `pause` seconds after the one before."""

    def handle(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        wait = threading.Event()
        while True:
            for byte in data:
                connection.sendall(bytes((byte,)))
                wait.wait(pause)

    return handle
