"""Who may speak to a server on loopback that asks for no password: the user who runs it, and root.

Every user of a machine reaches its loopback addresses. On Linux the kernel says whose socket is at the other end, in
/proc/net/tcp (proc(5)). `docker push` comes from Docker's engine, which is root's or the user's own.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path
from weakref import WeakKeyDictionary

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ROOT = 0


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


def _may(peer: tuple[str, int], own: tuple[str, int]) -> bool:
    try:
        owners = [owner_of(table.read_text().splitlines(), peer, own) for table in _TABLES if table.exists()]
    except OSError:
        return True
    return not owners or any(owner in (_ROOT, os.getuid()) for owner in owners)


def owner_of(table: Iterable[str], local: tuple[str, int], remote: tuple[str, int]) -> int | None:
    """The user whose socket is bound to `local` and connected to `remote`; None where the table has none."""
    for line in table:
        fields = line.split()
        # In tcp6 an IPv4 address stands at the end of a longer one: ::ffff:127.0.0.1.
        if len(fields) > 7 and fields[1].endswith(_hex(local)) and fields[2].endswith(_hex(remote)):
            return int(fields[7])
    return None


def _hex(address: tuple[str, int]) -> str:
    """As the table has it: the address as a number in the machine's own order of bytes."""
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"
