"""The classic builder against an engine of canned answers over real HTTP: the SDK reads chunks from the socket."""

import base64
import io
import json
import tarfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import docker
import pytest

from kdeploy.build.classic import ClassicBuilder
from kdeploy.build.select import connect, engine_info
from kdeploy.errors import BuildError
from kdeploy.model import Image, Reason
from kdeploy.ports import BuildRequest

DIGEST = "sha256:" + "1" * 64
IMAGE = Image(repository="reg.example/acme/web", tag="v1", digest=DIGEST)
PUSHED = {"aux": {"Tag": "v1", "Digest": DIGEST, "Size": 1}}


@dataclass
class Engine:
    """Answers `build` and `push` with messages, one a chunk; a build ends after `silence`, a push after seconds."""

    build: list[dict[str, Any]] = field(default_factory=list)
    push: list[dict[str, Any]] = field(default_factory=lambda: [PUSHED])
    status: int = 200
    silence: threading.Event | None = None
    slow_push: float = 0.0
    asked: list[tuple[str, dict[str, list[str]], dict[str, str], bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                engine.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.silence:
            self.silence.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.server.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        self.asked.append((parts.path, parse_qs(parts.query), dict(handler.headers), read_body(handler)))
        if self.status != 200:
            body = json.dumps({"message": "no space left on device"}).encode()
            handler.send_response(self.status)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
            return
        is_build = parts.path.endswith("/build")
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for message in self.build if is_build else self.push:
            write_chunk(handler, json.dumps(message).encode() + b"\r\n")
        if is_build and self.silence:
            self.silence.wait(10)
        elif not is_build:
            time.sleep(self.slow_push)
        write_chunk(handler, b"")


def write_chunk(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
    handler.wfile.flush()


def read_body(handler: BaseHTTPRequestHandler) -> bytes:
    if length := handler.headers.get("Content-Length"):
        return handler.rfile.read(int(length))
    body = b""
    while size := int(handler.rfile.readline(), 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildRequest:
    config = tmp_path / "docker"
    config.mkdir()
    auth = base64.b64encode(b"ann:s3cret").decode()
    (config / "config.json").write_text(json.dumps({"auths": {"reg.example": {"auth": auth}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    context = tmp_path / "src"
    context.mkdir()
    for name, text in {"Dockerfile": "FROM scratch\n", "kept": "1", "left": "2", ".dockerignore": "left\n"}.items():
        (context / name).write_text(text)
    return BuildRequest(
        context=str(context),
        dockerfile=str(context / "Dockerfile"),
        repository="reg.example/acme/web",
        tag="v1",
        commit="a" * 40,
        labels={"a": "b"},
        reusable=False,
        args={"VERSION": "1"},
    )


@pytest.fixture
def seen() -> list[str]:
    return []


def build(engine: Engine, request: BuildRequest, seen: list[str], timeout: float = 10) -> Image:
    client = docker.APIClient(base_url=engine.address, version="1.41")
    try:
        return ClassicBuilder(client=client, find=lambda *_: None).build_and_push(request, seen.append, timeout)
    finally:
        client.close()


def test_an_image_is_built_tagged_and_pushed(source: BuildRequest, seen: list[str]) -> None:
    progress = {"status": "Pushing", "id": "x", "progress": "[=> ]"}
    lines: list[dict[str, Any]] = [{"stream": "Step 1/1 : FROM scratch\n"}, {"stream": "\n"}]
    with Engine(build=lines, push=[progress, {"status": "Pushed", "id": "x"}, PUSHED]) as engine:
        assert build(engine, source, seen) == IMAGE
    assert seen == ["Step 1/1 : FROM scratch", "x: Pushed"]
    (_, built, _, context), (path, pushed, headers, _) = engine.asked
    assert built["t"] == ["reg.example/acme/web:v1"]
    assert json.loads(built["labels"][0]) == {"a": "b"}
    assert json.loads(built["buildargs"][0]) == {"VERSION": "1"}
    assert path.endswith("/images/reg.example/acme/web/push")
    assert pushed == {"tag": ["v1"]}
    assert json.loads(base64.urlsafe_b64decode(headers["X-Registry-Auth"]))["username"] == "ann"
    with tarfile.open(fileobj=io.BytesIO(context)) as tar:
        assert sorted(tar.getnames()) == [".dockerignore", "Dockerfile", "kept"]


def test_a_push_may_be_silent_for_longer_than_the_sdk_waits(source: BuildRequest, seen: list[str]) -> None:
    with Engine(push=[PUSHED], slow_push=0.3) as engine:
        client = docker.APIClient(base_url=engine.address, version="1.41")
        client.timeout = 0.1  # type: ignore[assignment]
        assert ClassicBuilder(client=client, find=lambda *_: None).build_and_push(source, seen.append, 10) == IMAGE
        client.close()


def test_a_build_that_fails_is_not_pushed(source: BuildRequest, seen: list[str]) -> None:
    failed: list[dict[str, Any]] = [{"stream": "noise\n"}, {"error": "returned a non-zero code: 1", "errorDetail": {}}]
    with Engine(build=failed) as engine, pytest.raises(BuildError, match="non-zero code: 1") as caught:
        build(engine, source, seen)
    assert caught.value.tail == ("noise", "ERROR: returned a non-zero code: 1")
    assert len(engine.asked) == 1


def test_a_push_that_is_denied_says_so(source: BuildRequest, seen: list[str]) -> None:
    denied = [{"error": "denied: requested access to the resource is denied"}]
    with Engine(push=denied) as engine, pytest.raises(BuildError) as caught:
        build(engine, source, seen)
    assert caught.value.reason is Reason.PUSH_DENIED
    assert "docker login reg.example" in caught.value.hint


def test_a_push_without_a_digest_is_looked_up_or_an_error(source: BuildRequest, seen: list[str]) -> None:
    with (
        Engine(push=[{"aux": {"Digest": "nonsense"}}]) as engine,
        pytest.raises(BuildError, match="not in the registry"),
    ):
        build(engine, source, seen)


def test_an_error_of_the_engine_is_a_failed_build(source: BuildRequest, seen: list[str]) -> None:
    with Engine(status=500) as engine, pytest.raises(BuildError, match="no space left on device"):
        build(engine, source, seen)


def test_an_engine_that_falls_silent_is_left_at_the_deadline(source: BuildRequest, seen: list[str]) -> None:
    start = time.monotonic()
    with Engine(build=[{"stream": "working\n"}], silence=threading.Event()) as engine:
        with pytest.raises(BuildError, match="did not finish") as caught:
            build(engine, source, seen, timeout=0.3)
        assert time.monotonic() - start < 2
    assert caught.value.tail == ("working",)


@pytest.mark.parametrize("host", ["nonsense://x", "tcp://127.0.0.1:1"])
def test_an_address_without_an_engine_gives_no_client(host: str) -> None:
    assert connect({"DOCKER_HOST": host}) is None


def test_no_engine_tells_nothing() -> None:
    assert engine_info(None) == {}
