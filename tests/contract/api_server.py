"""An API server in this process: real sockets on loopback, objects in memory, and faults on demand.

It keeps resourceVersions, serves LIST, GET, WATCH, JSON PATCH and DELETE as Kubernetes does, and records what it was
asked. A request is named "VERB resource" ("LIST pods", "WATCH deployments", "PROXY pods"); `answer` puts prepared
replies before the real ones.
"""

from __future__ import annotations

import copy
import json
import queue
import socket
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Obj = dict[str, Any]
_ROOTS = dict.fromkeys(("deployments", "replicasets", "statefulsets", "controllerrevisions"), "apps/v1")
_KINDS = {
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "statefulsets": "StatefulSet",
    "controllerrevisions": "ControllerRevision",
    "pods": "Pod",
    "events": "Event",
    "namespaces": "Namespace",
}
END, DROP = object(), object()


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request as it came. `name` is "VERB resource"."""

    name: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A prepared answer. `stream` pieces are sent as chunks; `hang` waits until the server closes, saying nothing."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: tuple[bytes | object, ...] | None = None
    hang: bool = False


def status_body(code: int, reason: str, message: str, **details: Any) -> Obj:
    """A Kubernetes Status."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }


def failed(code: int, reason: str, message: str, **headers: str) -> Reply:
    """A Status answer with its own code. Header names are written with underscores: Retry_After="1"."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=code, body=status_body(code, reason, message), headers=named)


class ApiServer:
    """See the module. `token`, when set, is the only bearer token that is let in. `connections`: opened so far."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self.token: str | None = None
        self.allowed = True
        self.rules: list[Obj] = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        self._certificate = certificate
        self._version = 100
        self._objects: dict[str, dict[str, Obj]] = defaultdict(dict)
        self._history: list[tuple[int, str, Obj]] = []
        self._watches: list[tuple[str, queue.SimpleQueue[Any]]] = []
        self._prepared: dict[str, deque[Reply]] = defaultdict(deque)
        self._always: dict[str, Reply] = {}
        self._muted = False
        self.meeting: threading.Barrier | None = None
        self._connections: set[socket.socket] = set()
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._listen(0)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._certificate else 'http'}://127.0.0.1:{self.port}"

    def put(self, plural: str, obj: Mapping[str, Any]) -> Obj:
        """Creates or replaces an object, as somebody else would, and tells the watches."""
        with self._lock:
            new = copy.deepcopy(dict(obj))
            metadata = new.setdefault("metadata", {})
            old = self._objects[plural].get(metadata["name"])
            metadata.setdefault("uid", f"uid-{plural}-{metadata['name']}")
            metadata.setdefault("namespace", "shop")
            self._stamp(plural, new)
            self._objects[plural][metadata["name"]] = new
            self._tell(plural, "MODIFIED" if old else "ADDED", new)
            return new

    def get(self, plural: str, name: str) -> Obj:
        """A copy of the object as it is."""
        with self._lock:
            return copy.deepcopy(self._objects[plural][name])

    def remove(self, plural: str, name: str) -> None:
        """Deletes an object and tells the watches."""
        with self._lock:
            gone = copy.deepcopy(self._objects[plural].pop(name))
            self._stamp(plural, gone)
            self._tell(plural, "DELETED", gone)

    def bookmark(self, plural: str) -> str:
        """Sends a bookmark of a newer resourceVersion to the watches of a resource; returns it."""
        with self._lock:
            self._version += 1
            mark = {"kind": _KINDS[plural], "metadata": {"resourceVersion": str(self._version)}}
            self._send(plural, {"type": "BOOKMARK", "object": mark})
            return str(self._version)

    def answer(self, name: str, *replies: Reply) -> None:
        """The next requests of that name get these replies, in order."""
        self._prepared[name].extend(replies)

    def always(self, name: str, reply: Reply | None) -> None:
        """Every request of that name gets this reply; None ends that."""
        if reply is None:
            self._always.pop(name, None)
        else:
            self._always[name] = reply

    @contextmanager
    def lists_together(self, count: int) -> Iterator[None]:
        """Meanwhile a LIST is answered only when so many are under way: each needs a connection of its own."""
        self.meeting = threading.Barrier(count, timeout=10)
        yield
        self.meeting = None

    def end_watches(self, *, how: object = END) -> None:
        """Ends all watches: END as a server does at its timeout, DROP in the middle of a line."""
        with self._lock:
            watches, self._watches = self._watches, []
        for _, told in watches:
            told.put(how)

    def mute_watches(self) -> None:
        """The open watches stay open and are told nothing any more: a connection that is dead without a word."""
        with self._lock:
            self._watches = []

    def watching(self) -> int:
        """How many watches are open and told of changes."""
        return len(self._watches)

    def names(self) -> list[str]:
        """The names of the requests so far, in order."""
        return [one.name for one in list(self.seen)]

    def of(self, name: str) -> list[Seen]:
        """The requests of that name so far."""
        return [one for one in list(self.seen) if one.name == name]

    def stop(self) -> None:
        """Closes the port and every connection: the server is dead."""
        self._ended.set()
        self.end_watches(how=DROP)
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def start_again(self) -> None:
        """Listens again on the same port, with the objects as they are."""
        self._ended = threading.Event()
        self._listen(self.port)

    def _listen(self, port: int) -> None:
        self._server = _Server(("127.0.0.1", port), self)
        if self._certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def _stamp(self, plural: str, obj: Obj) -> None:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        obj.setdefault("kind", _KINDS[plural])
        obj.setdefault("apiVersion", _ROOTS.get(plural, "v1"))

    def _tell(self, plural: str, kind: str, obj: Obj) -> None:
        event = {"type": kind, "object": copy.deepcopy(obj)}
        self._history.append((self._version, plural, event))
        self._send(plural, event)

    def _send(self, plural: str, event: Obj) -> None:
        for watched, told in self._watches:
            if watched == plural:
                told.put(event)

    def reply_to(self, seen: Seen) -> Reply | None:
        """The prepared reply, if there is one."""
        prepared = self._prepared[seen.name]
        if prepared:
            return prepared.popleft()
        if seen.name in self._always:
            return self._always[seen.name]
        if self.token is not None and seen.headers.get("authorization") != f"Bearer {self.token}":
            return failed(401, "Unauthorized", "Unauthorized")
        return None

    def respond(self, seen: Seen, plural: str, name: str, sub: str) -> Reply:
        """What the real thing would answer."""
        with self._lock:
            if plural == "selfsubjectrulesreviews":
                status: Obj = {"resourceRules": self.rules, "incomplete": False}
                return Reply(status=201, body={"kind": "SelfSubjectRulesReview", "status": status})
            if plural == "selfsubjectaccessreviews":
                return Reply(status=201, body={"kind": "SelfSubjectAccessReview", "status": {"allowed": self.allowed}})
            if sub == "log":
                return Reply(body="one\ntwo\n")
            if not name:
                return self._list(plural, seen)
            obj = self._objects[plural].get(name)
            if obj is None:
                return failed(404, "NotFound", f'{plural} "{name}" not found')
            if seen.method == "PATCH":
                return self._patch(plural, obj, seen)
            if seen.method == "DELETE":
                return self._delete(plural, obj, seen)
            return Reply(body=copy.deepcopy(obj))

    def _list(self, plural: str, seen: Seen) -> Reply:
        wanted = dict(part.split("=", 1) for part in seen.query.get("fieldSelector", "").split(",") if part)
        found = [
            {key: value for key, value in copy.deepcopy(obj).items() if key not in ("kind", "apiVersion")}
            for obj in self._objects[plural].values()
            if obj["metadata"]["name"] == wanted.get("metadata.name", obj["metadata"]["name"])
        ]
        metadata = {"resourceVersion": str(self._version)}
        kind = {"kind": _KINDS[plural] + "List", "apiVersion": _ROOTS.get(plural, "v1")}
        return Reply(body={**kind, "metadata": metadata, "items": found})

    def _patch(self, plural: str, obj: Obj, seen: Seen) -> Reply:
        new = copy.deepcopy(obj)
        for operation in seen.body:
            if not _apply(new, operation):
                message = "the server rejected our request due to an error in our request"
                return failed(422, "Invalid", message)
        return Reply(body=new if "dryRun" in seen.query else self.put(plural, new))

    def _delete(self, plural: str, obj: Obj, seen: Seen) -> Reply:
        if seen.body["preconditions"]["uid"] != obj["metadata"]["uid"]:
            return failed(409, "Conflict", "the UID in the precondition does not match")
        self.remove(plural, obj["metadata"]["name"])
        return Reply(body=obj)

    @contextmanager
    def watch(self, plural: str, version: str) -> Iterator[queue.SimpleQueue[Any]]:
        """A queue of what a watch from `version` on is told."""
        told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with self._lock:
            for at, of, event in self._history:
                if of == plural and at > int(version):
                    told.put(event)
            self._watches.append((plural, told))
        try:
            yield told
        finally:
            with self._lock:
                self._watches = [one for one in self._watches if one[1] is not told]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], owner: ApiServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection."""
        accepted = super().get_request()
        self.owner.connections += 1
        return accepted

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away, and TLS that they refuse, are no news here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.owner._connections.add(self.connection)

    def finish(self) -> None:
        self.server.owner._connections.discard(self.connection)
        super().finish()

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        owner = self.server.owner
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        plural, name, sub = _parsed(parts.path)
        verb = self.command
        if verb == "GET":
            verb = "PROXY" if sub == "proxy" else "WATCH" if "watch" in query else "GET" if name else "LIST"
        headers = {key.lower(): value for key, value in self.headers.items()}
        seen = Seen(
            name=f"{verb} {plural}",
            method=self.command,
            path=self.path,
            query=query,
            headers=headers,
            body=json.loads(raw) if raw else None,
        )
        owner.seen.append(seen)
        if verb == "LIST" and owner.meeting is not None:
            owner.meeting.wait()
        reply = owner.reply_to(seen)
        if reply is None and verb == "WATCH":
            self._watch(plural, query["resourceVersion"])
        else:
            self._send(reply or owner.respond(seen, plural, name, sub))

    def do_POST(self) -> None:
        self.do_GET()

    def do_PATCH(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def _send(self, reply: Reply) -> None:
        if reply.hang:
            self.server.owner._ended.wait(30)
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.stream is not None:
            self._chunks(iter(reply.stream))
            return
        data = reply.body if isinstance(reply.body, bytes) else _encoded(reply.body)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _watch(self, plural: str, version: str) -> None:
        self.send_response(200)
        with self.server.owner.watch(plural, version) as told:
            self._chunks(iter(told.get, None))

    def _chunks(self, pieces: Iterator[Any]) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            if piece is END:
                break
            if piece is DROP:
                half = b'{"type":"MODIFIED","object":{"metadata":{"na'
                self.wfile.write(b"%x\r\n%s" % (len(half) + 100, half))
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            data = piece if isinstance(piece, bytes) else json.dumps(piece).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")


def _encoded(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _parsed(path: str) -> tuple[str, str, str]:
    """Resource, name and subresource of an API path."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if len(rest) > 2 and rest[0] == "namespaces":
        rest = rest[2:]
    rest += [""] * 3
    return rest[0], rest[1].split(":")[0], rest[2]


def _apply(document: Any, operation: Obj) -> bool:
    """One JSON Patch operation, as evanphx/json-patch in the API server has it; false where it fails."""
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    holder = document
    for part in way:
        holder = holder[int(part)] if isinstance(holder, list) else holder.get(part)
        if holder is None:
            return False
    key: Any = int(last) if isinstance(holder, list) else last
    if operation["op"] == "test":
        found = holder[key] if isinstance(holder, list) else holder.get(key)
        return bool(found == operation["value"])
    if operation["op"] == "remove":
        return holder.pop(key, None) is not None
    holder[key] = operation["value"]
    return True


@contextmanager
def running(certificate: Path | None = None) -> Iterator[ApiServer]:
    """A server for the length of a `with`."""
    server = ApiServer(certificate)
    try:
        yield server
    finally:
        if not server._ended.is_set():
            server.stop()


def eventually(true: Callable[[], object], within: float = 3.0) -> None:
    """Waits until `true()` holds; fails after `within` seconds."""
    waited = threading.Event()
    for _ in range(int(within / 0.005)):
        if true():
            return
        waited.wait(0.005)
    raise AssertionError("it never came to hold")
