"""Proxied requests to pods that are processes: what goes there, what comes back, and Go's words for what does not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from aiohttp import web

from kdeploy.sandbox.api import forward
from kdeploy.sandbox.api.forward import Forwarder
from kdeploy.sandbox.api.pod_access import ProxyRequest, UnreachableError
from tests.contract.sandbox.serving import serving


async def app(request: web.Request) -> web.StreamResponse:
    """Tells what it was asked, in the way that the path says."""
    if request.path == "/redirect":
        raise web.HTTPFound("/elsewhere")
    if request.path == "/pieces":
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b"a", b"b", b"c"):
            await response.write(piece)
        return response
    if request.path == "/cut":
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"begun")
        assert request.transport is not None
        request.transport.close()
        return response
    if request.path == "/hang":
        await asyncio.sleep(60)
    if request.path == "/nothing":
        assert request.transport is not None
        request.transport.close()
    names = ",".join(sorted(name.lower() for name in request.headers))
    body = f"{request.method} {request.raw_path} {names} {await request.text()}"
    return web.Response(status=207, text=body, headers={"X-App": "yes", "Keep-Alive": "timeout=5"})


@pytest.fixture
def port() -> Iterator[int]:
    def make() -> web.Application:
        made = web.Application()
        made.router.add_route("*", "/{path:.*}", app)
        return made

    with serving(make) as port:
        yield port


def send(port: int, path: str = "/", method: str = "GET", body: bytes = b"", ip: str = "127.0.0.1") -> Any:
    """Status, headers by their names in lower case, and body."""

    async def sending() -> Any:
        forwarder = Forwarder()
        headers = [("X-Mine", "1"), ("Accept-Encoding", "gzip")]
        request = ProxyRequest(method=method, scheme="http", path=path, headers=headers, body=body)
        try:
            answer = await forwarder.send(ip, port, request)
            pairs = answer.headers if isinstance(answer.headers, list) else list(dict(answer.headers).items())
            return answer.status, {k.lower(): v for k, v in pairs}, b"".join([piece async for piece in answer.body])
        finally:
            await forwarder.close()

    return asyncio.run(sending())


def test_the_request_arrives_as_it_is_and_so_does_the_answer(port: int) -> None:
    status, headers, body = send(port, "/a%2Fb//c?x=%20y&z", "POST", b"body")
    assert (status, headers["x-app"]) == (207, "yes")
    assert body == b"POST /a%2Fb//c?x=%20y&z accept-encoding,connection,content-length,host,x-mine body"
    assert not {"keep-alive", "connection", "transfer-encoding"} & set(headers)


def test_a_redirect_is_not_followed(port: int) -> None:
    status, headers, _ = send(port, "/redirect")
    assert (status, headers["location"]) == (302, "/elsewhere")


def test_a_body_comes_piece_by_piece(port: int) -> None:
    assert send(port, "/pieces")[2] == b"abc"


def refused(*arguments: Any, **named: Any) -> str:
    with pytest.raises(UnreachableError) as why:
        send(*arguments, **named)
    return str(why.value)


def test_what_goes_wrong_is_said_in_gos_words(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        free = closed.getsockname()[1]
    assert refused(free) == f"dial tcp 127.0.0.1:{free}: connect: connection refused"
    assert refused(port, "/nothing") == "EOF"
    assert refused(port, "/cut") != ""
    monkeypatch.setattr(forward, "_ANSWER_WITHIN", 0.2)
    assert refused(port, "/hang") == f"dial tcp 127.0.0.1:{port}: i/o timeout"


def test_an_answer_that_is_no_http_is_said_so() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]

        async def both() -> str:
            loop = asyncio.get_running_loop()
            answering = loop.run_in_executor(None, _speak_nonsense, listener)
            forwarder = Forwarder()
            try:
                request = ProxyRequest(method="GET", scheme="http", path="/", headers=[], body=b"")
                await forwarder.send("127.0.0.1", port, request)
            except UnreachableError as error:
                return str(error)
            finally:
                await answering
                await forwarder.close()
            return "an answer"

        assert asyncio.run(both()).startswith("net/http: ")


def _speak_nonsense(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with closing(connection):
        connection.recv(1000)
        connection.sendall(b"SSH-2.0-nonsense\r\n\r\n")
