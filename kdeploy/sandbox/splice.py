"""Passes bytes between two connections as they come, in both directions, with as little work as asyncio allows."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable

Address = tuple[str, int]


class Half(asyncio.Protocol):
    """One of the two connections; `other` is the one that it speaks to. An end is passed on, and so is a break.

    What comes before there is an other is kept for it: in older Pythons (3.11.2 for one) a transport that is paused in
    `connection_made` reads all the same (asyncio/selector_events.py, _SelectorSocketTransport.__init__).
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Half | None = None
        self._early = b""
        self._has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is read until there is somebody to pass it to."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.pause_reading()

    def join(self, other: Half) -> None:
        """Begins to pass on. If the other one was lost before, this one ends as well."""
        if other.transport is None:
            self.break_off()
            return
        self.other, other.other = other, self
        for half in (self, other):
            half._begin()

    def _begin(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if self._early:
            self.data_received(self._early)
            self._early = b""
        if self._has_ended:
            self._pass_end()
        else:
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self.other is None:
            self._keep(data)
        elif self.other.transport is not None:
            self.other.transport.write(data)

    def _keep(self, data: bytes) -> None:
        self._early += data
        if self.transport is not None:
            self.transport.resume_reading()  # else it takes itself for paused, and would do nothing now
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """The other direction stays open until it has ended as well."""
        self._has_ended = True
        return self.other is None or self._pass_end()

    def _pass_end(self) -> bool:
        other = self.other
        if other is None or other.transport is None:
            return False
        if other._has_ended:
            other.transport.close()
            return False
        if other.transport.can_write_eof():
            other.transport.write_eof()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        other, self.other, self.transport = self.other, None, None
        if other is None or other.transport is None:
            return
        if error is not None:
            other.break_off()
        else:
            other.transport.close()

    def pause_writing(self) -> None:
        """Who reads slowly is not written to faster."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """See `pause_writing`."""
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def break_off(self) -> None:
        """Ends it by a reset: nobody takes what was cut off for a whole answer."""
        if self.transport is None:
            return
        connected = self.transport.get_extra_info("socket")
        if connected is not None:
            with contextlib.suppress(OSError):
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Front(Half):
    """An accepted connection. `dial` finds the other one for it, None where there is none."""

    def __init__(self, dial: Callable[[], Awaitable[Half | None]], open_: set[Half]) -> None:
        super().__init__()
        self._dial, self._open = dial, open_
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Looks for the other side."""
        super().connection_made(transport)
        self._open.add(self)
        self._task = asyncio.create_task(self._find())

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._open.discard(self)
        super().connection_lost(error)

    async def _find(self) -> None:
        back = await self._dial()
        if back is None:
            self.break_off()
        elif self.transport is None:  # the client has gone meanwhile
            back.break_off()
        else:
            self.join(back)
