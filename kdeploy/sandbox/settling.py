"""Runs the controllers on the event loop: after every change of the store, and when they have asked for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from kdeploy.sandbox.core.control import Controllers
from kdeploy.sandbox.core.store import Event, Store

_LOG = logging.getLogger(__name__)


class Settling:
    """Calls `Controllers.settle`. `now` gives Unix seconds."""

    def __init__(self, store: Store, controllers: Controllers, now: Callable[[], float]) -> None:
        self._controllers, self._now = controllers, now
        self._loop = asyncio.get_running_loop()
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.TimerHandle | None = None
        self._unsubscribe = store.subscribe(self._changed)
        self.settle()

    def settle(self) -> None:
        """Has the controllers do all that is due now."""
        self._cancel()
        now = self._now()
        try:
            wake = self._controllers.settle(now)
        except Exception:  # a bug in one controller must not end the server, which could then not even tell of it
            _LOG.exception("the controllers failed")
            wake = now + 1.0
        self._cancel()  # what they have just written needs no second look
        if wake is not None:
            self._later = self._loop.call_later(max(0.0, wake - now), self.settle)

    def close(self) -> None:
        """No more of it."""
        self._unsubscribe()
        self._cancel()

    def _cancel(self) -> None:
        for handle in (self._soon, self._later):
            if handle is not None:
                handle.cancel()
        self._soon = self._later = None

    def _changed(self, _: Event) -> None:
        if self._soon is None:
            self._soon = self._loop.call_soon(self.settle)
