"""Who may speak to a server on loopback that asks for no password: the user who runs it, and root.

Every user of a machine reaches its loopback addresses. On Linux the kernel says whose socket is at the other end: by
sock_diag(7) for the one socket, and where that has none (an IPv6 socket that speaks IPv4) by the table of them all,
proc(5). `docker push` comes from Docker's engine, which is root's or the user's own.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from weakref import WeakKeyDictionary

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_TABLE = Path("/proc/net/tcp6")
_ROOT = 0

Address = tuple[str, int]

_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST = 4, 20, 1
_HEADER = struct.Struct("=IHHII")
_ALL_STATES = 0xFFFFFFFF
_NO_COOKIE = b"\xff" * 8
_UID_AT = _HEADER.size + 4 + 48 + 12
"""Where the uid stands in the answer: after struct inet_diag_msg's first fields, its sockid and three numbers."""


def own_peers_only() -> Middleware:
    """A middleware that refuses other users (403); where the kernel does not say who it is, it lets all pass."""
    allowed: WeakKeyDictionary[object, bool] = WeakKeyDictionary()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = request.transport
        if connection is None:
            raise web.HTTPForbidden
        if connection not in allowed:
            allowed[connection] = _may(connection.get_extra_info("peername"), connection.get_extra_info("sockname"))
        if not allowed[connection]:
            raise web.HTTPForbidden(text="this registry belongs to another user of the machine\n")
        return await handler(request)

    return check


def _may(peer: Address, own: Address) -> bool:
    if sys.platform != "linux":
        return True
    owner = owner_by_diag(peer, own)
    if owner is None and _TABLE.exists():
        owner = owner_in(_TABLE.read_text().splitlines(), peer, own)
    return owner in (_ROOT, os.getuid())


def owner_by_diag(local: Address, remote: Address) -> int | None:
    """The user whose IPv4 socket is bound to `local` and connected to `remote`; None where the kernel knows none."""
    ports = struct.pack(">HH", local[1], remote[1])
    addresses = b"".join(socket.inet_aton(host) + bytes(12) for host, _ in (local, remote))
    body = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ALL_STATES)
    body += ports + addresses + bytes(4) + _NO_COOKIE
    header = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(1.0)
            kernel.send(header + body)
            answer = kernel.recv(4096)
    except OSError:
        return None
    _, kind, *_ = _HEADER.unpack_from(answer)
    return int(struct.unpack_from("=I", answer, _UID_AT)[0]) if kind == _SOCK_DIAG_BY_FAMILY else None


def owner_in(table: Iterable[str], local: Address, remote: Address) -> int | None:
    """The same by /proc/net/tcp6, where an IPv4 address stands at the end of a longer one: ::ffff:127.0.0.1."""
    wanted = (_hex(local), _hex(remote))
    for line in table:
        fields = line.split()
        if len(fields) > 7 and fields[1].endswith(wanted[0]) and fields[2].endswith(wanted[1]):
            return int(fields[7])
    return None


def _hex(address: Address) -> str:
    """As the table has it: the address as a number in the machine's own order of bytes."""
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"
