"""Finds dead streams: a connection that was lost in silence looks just like a cluster where nothing happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from kdeploy.cluster.answers import decode
from kdeploy.cluster.store import Store
from kdeploy.cluster.stream import Stream
from kdeploy.cluster.transport import Request, Transport
from kdeploy.cluster.view import by_uid, version
from kdeploy.errors import ClusterError, UnreachableError
from kdeploy.model import Obj
from kdeploy.ports import Changed, Clock, Notice, Reconnected

_ANSWER_WITHIN = 2.0
# How long the stream may take to bring what a read has already shown.
_GRACE = 1.0


class Watchdog:
    """When all streams have been silent for `silence` seconds, reads the workload once, and again after as long.

    A state that the streams do not bring means that they are dead: they are restarted. An API server that does not
    answer is told once, and once when it is back; the streams then list again, so that nothing is missed.
    """

    def __init__(
        self,
        request: Request,
        store: Store,
        transport: Transport,
        clock: Clock,
        post: Callable[[Notice], None],
        silence: float,
    ) -> None:
        self._request = request
        self._store = store
        self._transport = transport
        self._clock = clock
        self._post = post
        self._silence = silence
        self._heard_at = clock.now()
        self._streams: Sequence[Stream] = ()
        self._away = False
        self._closed = threading.Event()

    def heard(self) -> None:
        """A stream gave a sign of life."""
        self._heard_at = self._clock.now()

    def start(self, streams: Sequence[Stream]) -> None:
        """Begins to listen."""
        self._streams = streams
        threading.Thread(target=self._run, name="kdeploy-watchdog", daemon=True).start()

    def close(self) -> None:
        """Ends without waiting."""
        self._closed.set()

    def _run(self) -> None:
        due = self._clock.now() + self._silence
        while not self._closed.wait(max(0.0, due - self._clock.now())):
            due = self._heard_at + self._silence
            if self._clock.now() < due:
                continue
            try:
                self._look()
            except UnreachableError as error:
                self._gone(error)
            except ClusterError:
                pass  # no permission, expired credentials: the streams meet these themselves
            due = self._clock.now() + self._silence

    def _look(self) -> None:
        with self._store.reading() as learn:
            read = self._read()
            if self._away:
                self._away = False
                self._restart(relist=True)
                self._post(Reconnected("the API server answers again"))
                return
            if not self._differs(read) or self._closed.wait(_GRACE):
                return
            if learn(read):
                self._restart(relist=False)
                self._post(Changed())

    def _read(self) -> dict[str, Obj]:
        """The workload as it is now, by uid; empty where it is gone."""
        answer = self._transport.exchange(self._request, _ANSWER_WITHIN)
        if answer.status == 404:
            return {}
        if answer.status != 200:
            raise _unhelpful(answer.status)
        return by_uid([decode(answer.body)])

    def _differs(self, read: dict[str, Obj]) -> bool:
        return {version(one) for one in read.values()} != {version(one) for one in self._store.objects()}

    def _gone(self, error: ClusterError) -> None:
        if not self._away:
            self._away = True
            self._post(Reconnected(f"the API server does not answer: {error.message}"))

    def _restart(self, *, relist: bool) -> None:
        for stream in self._streams:
            stream.restart(relist=relist)


def _unhelpful(status: int) -> ClusterError:
    kind = UnreachableError if status == 429 or status >= 500 else ClusterError
    return kind(f"HTTP {status}", status=status)
