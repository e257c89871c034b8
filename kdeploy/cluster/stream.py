"""Watches one resource: goes on where a list ended, resumes where a connection ended, lists again where it must."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from urllib3.exceptions import HTTPError

from kdeploy.cluster.answers import decode
from kdeploy.cluster.failures import transport_failure
from kdeploy.cluster.store import Store
from kdeploy.cluster.transport import Purpose, Request, Transport, pause_after
from kdeploy.cluster.view import GoneError, View, listed
from kdeploy.errors import ClusterError, UnreachableError
from kdeploy.model import Permission
from kdeploy.ports import Changed, Clock, Notice, Reconnected

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

# etcd takes objects of 1.5 MiB; in JSON they are larger.
MAX_LINE = 16 * 1024 * 1024
_WATCH_SECONDS = 3600
_FIRST_ANSWER = 15.0
_LIST_SECONDS = 30.0
_FORBIDDEN_PAUSE = 30.0
# An API server that has just started knows no roles for a moment.
_FORBIDDEN_TRIES = 3
# A stream that lived this long was a good one: the next try need not wait longer than the first.
_GOOD_LIFE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A collection and the selector of what to list and watch in it."""

    path: str
    doing: Permission
    query: tuple[tuple[str, str], ...]

    def list_request(self, purpose: Purpose = Purpose.STORY) -> Request:
        """LIST, with no resourceVersion: the most recent state, read through etcd's quorum."""
        doing = replace(self.doing, verb="list")
        return Request(method="GET", path=self.path, doing=doing, query=self.query, purpose=purpose)

    def watch_request(self, version: str) -> Request:
        """WATCH from `version` on."""
        watch = (
            ("watch", "true"),
            ("resourceVersion", version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(_WATCH_SECONDS)),
        )
        return Request(
            method="GET", path=self.path, doing=replace(self.doing, verb="watch"), query=(*self.query, *watch)
        )


class Stream:
    """One resource's watch in a thread of its own. Tells `post` of changes, calls `heard` at every sign of life."""

    def __init__(
        self,
        resource: Resource,
        store: Store,
        transport: Transport,
        clock: Clock,
        post: Callable[[Notice], None],
        heard: Callable[[], None],
    ) -> None:
        self._resource = resource
        self._store = store
        self._transport = transport
        self._clock = clock
        self._post = post
        self._heard = heard
        self._relist = False
        self._opened = False
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._response: BaseHTTPResponse | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begins to watch from the store's version."""
        threading.Thread(target=self._run, name=f"kdeploy-watch-{self._resource.doing.resource}", daemon=True).start()

    def restart(self, *, relist: bool) -> None:
        """Drops the connection and opens another at once; lists again first where `relist` says so."""
        with self._lock:
            self._relist = self._relist or relist
            self._wake.set()
            self._cut()

    def close(self) -> None:
        """Ends the stream without waiting for its thread."""
        with self._lock:
            self._closed.set()
            self._wake.set()
            self._cut()

    def _cut(self) -> None:
        if self._response is not None:
            with contextlib.suppress(ValueError, RuntimeError, OSError):
                self._response.shutdown()  # the thread that reads wakes up; it closes

    def _run(self) -> None:
        attempt = 0
        while not self._closed.is_set():
            began = self._clock.now()
            error = self._once()
            if self._closed.is_set():
                return
            attempt = 0 if self._clock.now() - began >= _GOOD_LIFE else attempt
            pause = self._pause(error, attempt)
            attempt += 1
            if pause > 0:
                self._wake.wait(pause)

    def _once(self) -> ClusterError | None:
        """Lists if it must, then watches until the connection ends; the error that ended it, None for a plain end."""
        self._wake.clear()
        self._opened = False
        try:
            if self._relist:
                self._list()
            self._watch()
        except ClusterError as error:
            self._relist = self._relist or _must_list(error, opened=self._opened)
            return error
        return None

    def _pause(self, error: ClusterError | None, attempt: int) -> float:
        if error is not None and error.status == 403:
            self._post(Reconnected(f"{error.message}; {error.hint}"))
            if attempt >= _FORBIDDEN_TRIES:
                return _FORBIDDEN_PAUSE
        return pause_after(error or UnreachableError(""), attempt)

    def _list(self) -> None:
        body = self._transport.once(self._resource.list_request(), self._clock.now() + _LIST_SECONDS)
        view: View = listed(body)
        self._store.replace(view)
        self._relist = False
        self._heard()
        self._post(Changed())

    def _watch(self) -> None:
        request = self._resource.watch_request(self._store.version)
        response = self._transport.stream(request, _FIRST_ANSWER)
        try:
            with self._lock:
                if self._closed.is_set():
                    return
                self._response = response
            self._opened = True
            _allow_silence(response)
            self._heard()
            for line in self._lines(response, request.doing):
                if self._store.deliver(decode(line), request.doing):
                    self._post(Changed())
        finally:
            with self._lock:
                self._response = None
            response.close()

    def _lines(self, response: BaseHTTPResponse, doing: Permission) -> Iterator[bytes]:
        """The stream's lines, each as soon as it is whole; a last one without its end is dropped."""
        buffer = bytearray()
        try:
            while chunk := response.read1(64 * 1024):
                self._heard()
                buffer += chunk
                if b"\n" in chunk:
                    *lines, rest = bytes(buffer).split(b"\n")
                    buffer = bytearray(rest)
                    yield from filter(None, lines)
                if len(buffer) > MAX_LINE:
                    raise ClusterError(f"cannot {doing}: the stream sent a line of more than {MAX_LINE >> 20} MiB")
        except (HTTPError, OSError, ValueError) as error:
            cause = error if isinstance(error, HTTPError) else HTTPError(str(error))
            raise transport_failure(cause, doing, self._transport.session.server) from None


def _allow_silence(response: BaseHTTPResponse) -> None:
    """From the first answer on, the server may be silent as long as the watch lasts: others look for its life."""
    sock = getattr(response.connection, "sock", None)
    if sock is not None:
        sock.settimeout(_WATCH_SECONDS + 60)


def _must_list(error: ClusterError, *, opened: bool) -> bool:
    """Whether the watch cannot just resume: it expired, or what came cannot be trusted, or the server was away.

    A server that was restored from a backup knows less than our resourceVersion says, and would wait for it in silence.
    """
    if error.status is None:
        return not (opened and isinstance(error, UnreachableError))
    return isinstance(error, GoneError) or error.status == 410 or error.status >= 500
