"""The API server in raw JSON, and the ideal watcher: it notes the moment at which each event arrives, nothing more."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.cluster.cluster import Cluster

AGENT = "bench"
JSON, MERGE_PATCH = "application/json", "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The administrator's way to the API server; every request opens its own connection."""

    server: str
    tls: ssl.SSLContext

    @classmethod
    def of(cls, cluster: Cluster) -> Api:
        """The API server of a cluster of the rig's own."""
        tls = ssl.create_default_context(cafile=str(cluster.authority))
        keys = cluster.authority.parent
        tls.load_cert_chain(keys / "admin.crt", keys / "admin.key")
        return cls(server=cluster.server, tls=tls)

    def ask(self, method: str, path: str, body: Any = None, kind: str = JSON) -> Any:
        """One request; None for 404 and 409, which tell that something is not or already there."""
        with contextlib.closing(self.connect()) as connection:
            answer = self.send(connection, method, path, body, kind)
            text = answer.read()
        if answer.status in (404, 409):
            return None
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status}: {text[:300]!r}")
        return json.loads(text)

    def connect(self) -> HTTPSConnection:
        """A connection that is not open yet."""
        place = urlsplit(self.server)
        return HTTPSConnection(place.hostname or "", place.port, context=self.tls, timeout=300)

    def send(
        self, connection: HTTPSConnection, method: str, path: str, body: Any = None, kind: str = JSON
    ) -> HTTPResponse:
        """Sends one request; the answer may be read line by line."""
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, path, content, {"Content-Type": kind, "Accept": JSON, "User-Agent": AGENT})
        return connection.getresponse()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One watch event: when it arrived (`time.time()`), its type, and the object."""

    at: float
    type: str
    object: Mapping[str, Any]


class Watch:
    """Watches one collection from now on, in a thread that only reads lines; they are parsed when asked for."""

    def __init__(self, api: Api, path: str, query: Mapping[str, str]) -> None:
        listed = api.ask("GET", f"{path}?{urlencode(query)}")
        self.version: str = listed["metadata"]["resourceVersion"]
        self._lines: list[tuple[float, bytes]] = []
        self._connection = api.connect()
        watch = {**query, "watch": "true", "resourceVersion": self.version, "timeoutSeconds": "280"}
        self._answer = api.send(self._connection, "GET", f"{path}?{urlencode(watch)}")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def seen(self) -> tuple[Seen, ...]:
        """The events so far."""
        parsed = ((at, json.loads(line)) for at, line in tuple(self._lines))
        return tuple(Seen(at=at, type=event["type"], object=event["object"]) for at, event in parsed)

    def close(self) -> None:
        """Ends the watch."""
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(2)
        self._thread.join(5)
        self._connection.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError, HTTPException, ValueError):
            while line := self._answer.readline():
                self._lines.append((time.time(), line))


@contextlib.contextmanager
def watching(api: Api, path: str, query: Mapping[str, str]) -> Iterator[Watch]:
    """A watch that ends with the block."""
    watch = Watch(api, path, query)
    try:
        yield watch
    finally:
        watch.close()
