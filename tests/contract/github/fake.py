"""GitHub's deployments as its documentation describes them: the real one cannot be reached from a test."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghs_0123456789abcdef"


@dataclass(eq=False)
class Made:
    sha: str
    environment: str
    statuses: list[dict[str, Any]] = field(default_factory=list)

    @property
    def states(self) -> list[str]:
        return [each["state"] for each in self.statuses]


@dataclass
class Github:
    """`refuses`: the status of every answer, where it is not the right one. `is_silent`: it never answers."""

    url: str = ""
    refuses: int | None = None
    is_silent: bool = False
    made: list[Made] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, method: str, target: str, body: dict[str, Any]) -> tuple[int, Any]:
        path, query = urlsplit(target).path, {key: one[0] for key, one in parse_qs(urlsplit(target).query).items()}
        if self.refuses:
            return self.refuses, {"message": "Resource not accessible by integration ::error::x"}
        if (method, path) == ("POST", "/repos/acme/web/deployments"):
            assert body["required_contexts"] == []
            assert body["auto_merge"] is False
            self.made.append(Made(sha=body["ref"], environment=body["environment"]))
            return 201, {"id": len(self.made)}
        if (method, path) == ("GET", "/repos/acme/web/deployments"):
            wanted = (query["sha"], query["environment"])
            found = [n for n, each in enumerate(self.made, 1) if (each.sha, each.environment) == wanted]
            return 200, [{"id": number} for number in reversed(found)][: int(query["per_page"])]
        head, number, tail = (
            path.rpartition("/statuses")[0].rpartition("/")[0],
            path.split("/")[-2],
            path.split("/")[-1],
        )
        assert (head, tail) == ("/repos/acme/web/deployments", "statuses")
        deployment = self.made[int(number) - 1]
        if method == "GET":
            assert len(deployment.statuses) <= int(query["per_page"])
            return 200, [{"id": n, **each} for n, each in enumerate(deployment.statuses)][::-1]
        self.set_status(deployment, body)
        return 201, {"id": 1}

    def set_status(self, deployment: Made, body: dict[str, Any]) -> None:
        deployment.statuses.append(body)
        if body["state"] == "success":
            for other in self.made[: self.made.index(deployment)]:  # "prior" ones only
                if other.environment == deployment.environment:
                    other.statuses += [{"state": "inactive"}] if other.states[-1:] == ["success"] else []

    def active(self) -> list[str]:
        """The commits that the environment's page shows as active."""
        return [each.sha for each in self.made if each.states[-1:] == ["success"]]


@contextmanager
def github(**how: Any) -> Iterator[Github]:
    fake = Github(**how)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.respond()

        def do_POST(self) -> None:
            self.respond()

        def respond(self) -> None:
            if fake.is_silent:
                fake.released.wait(30)
                return
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            code, answer = (
                fake.answer(self.command, self.path, body) if known else (401, {"message": "Bad credentials"})
            )
            content = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield fake
    finally:
        fake.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
