"""A URL's answers, over a real socket."""

from __future__ import annotations

import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest

from kdeploy.clock import Deadline
from kdeploy.model import HttpCheck
from kdeploy.verify.answer import Found
from kdeploy.verify.url import UrlAsker
from tests.contract.verify.peers import Handler, Serve, answers, drips, hangs_after, read_head, says

SECRET = "hunter2"
CERTIFICATE = Path(__file__).parent.parent / "cluster" / "loopback.pem"


def ask(
    url: str,
    *,
    timeout: float = 5.0,
    status: int = 200,
    asker: UrlAsker | None = None,
    headers: Mapping[str, str] | None = None,
) -> Found:
    check = HttpCheck(name="health", url=url, timeout=timeout, status=status, headers=headers or {})
    return (asker or UrlAsker({})).ask(check, Deadline(time.monotonic, timeout))


@pytest.mark.parametrize(("sent", "wanted", "ok"), [(200, 200, True), (204, 204, True), (500, 200, False)])
def test_the_status_decides(serve: Serve, sent: int, wanted: int, ok: bool) -> None:
    assert ask(f"http://127.0.0.1:{serve(answers(sent))}/health", status=wanted).ok is ok


def test_path_query_and_headers_arrive(serve: Serve) -> None:
    heads: list[str] = []
    port = serve(answers(200, heads=heads))
    ask(f"http://127.0.0.1:{port}/health?deep=1", headers={"Host": "shop.example", "X-Key": SECRET})
    assert heads[0].startswith("GET /health?deep=1 HTTP/1.1\r\n")
    assert "\r\nHost: shop.example\r\n" in heads[0]
    assert f"\r\nX-Key: {SECRET}\r\n" in heads[0]
    assert "\r\nUser-Agent: kdeploy/" in heads[0]


def test_user_and_password_become_a_header_and_no_message(serve: Serve) -> None:
    heads: list[str] = []
    found = ask(f"http://me:{SECRET}@127.0.0.1:{serve(answers(500, heads=heads))}/")
    assert f"Authorization: Basic {b64encode(f'me:{SECRET}'.encode()).decode()}" in heads[0]
    assert SECRET not in found.message


def test_a_redirect_is_an_answer_and_not_followed(serve: Serve) -> None:
    heads: list[str] = []
    port = serve(answers(301, b"", "Location: /elsewhere", heads=heads))
    found = ask(f"http://127.0.0.1:{port}/")
    assert (found.ok, found.message) == (False, f"GET http://127.0.0.1:{port}/ answered 301 instead of 200")
    assert len(heads) == 1


def test_a_huge_body_is_not_read_to_its_end(serve: Serve) -> None:
    def floods(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    assert ask(f"http://127.0.0.1:{serve(floods)}/").ok is True


@pytest.mark.parametrize(
    "handler",
    [
        hangs_after(),
        hangs_after(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        drips(b"X-Header: value\r\n", 0.02),
        drips(b"\r\n" + b"x" * 1000, 0.02),
    ],
    ids=["silent", "half a body", "a header byte by byte", "a body byte by byte"],
)
def test_a_slow_answer_is_a_bad_sample_when_the_timeout_is_over(serve: Serve, handler: Handler) -> None:
    port = serve(handler)
    started = time.monotonic()
    found = ask(f"http://127.0.0.1:{port}/h", timeout=0.1)
    assert time.monotonic() - started < 1.0
    assert (found.ok, found.message) == (False, f"GET http://127.0.0.1:{port}/h gave no full answer within 0.1s")


def test_a_refused_connection_is_a_bad_sample(free_port: int) -> None:
    found = ask(f"http://127.0.0.1:{free_port}/")
    assert (found.ok, found.message) == (False, f"GET http://127.0.0.1:{free_port}/: connection refused")


@pytest.mark.parametrize("said", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200])
def test_what_is_no_http_is_a_bad_sample(serve: Serve, said: bytes) -> None:
    found = ask(f"http://127.0.0.1:{serve(says(said))}/")
    assert found.ok is False
    assert "no HTTP answer" in found.message


def test_plain_http_behind_an_https_url_is_a_bad_sample(serve: Serve) -> None:
    assert ask(f"https://127.0.0.1:{serve(says(b'HTTP/1.1 200 OK'))}/", timeout=0.2).ok is False


@pytest.mark.parametrize("url", ["ftp://shop.example/", "http://", "http://[::1", "http://127.0.0.1:99999/", "/health"])
def test_a_url_that_cannot_be_asked_is_a_bad_sample(url: str) -> None:
    assert ask(url).ok is False


def test_a_header_that_cannot_be_sent_is_not_shown(serve: Serve) -> None:
    found = ask(f"http://127.0.0.1:{serve(answers(200))}/", headers={"Key": f"{SECRET}\r\nInjected: yes"})
    assert found.ok is False
    assert SECRET not in found.message


def test_a_certificate_of_an_unknown_authority_is_a_bad_sample(serve: Serve) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)

    def speaks_tls(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    found = ask(f"https://127.0.0.1:{serve(speaks_tls)}/")
    assert found.ok is False
    assert "its certificate does not verify" in found.message


def test_an_http_url_goes_through_the_proxy_as_a_whole(serve: Serve) -> None:
    heads: list[str] = []
    asker = UrlAsker({"http": f"http://me:{SECRET}@127.0.0.1:{serve(answers(200, heads=heads))}"})
    assert ask("http://shop.example:81/health?a=b", asker=asker).ok is True
    assert heads[0].startswith("GET http://shop.example:81/health?a=b HTTP/1.1\r\n")
    assert "\r\nHost: shop.example:81\r\n" in heads[0]
    assert "\r\nProxy-Authorization: Basic " in heads[0]


def test_an_https_url_goes_through_a_tunnel(serve: Serve) -> None:
    heads: list[str] = []
    asker = UrlAsker({"https": f"127.0.0.1:{serve(answers(403, heads=heads))}"})
    found = ask("https://shop.example/health", asker=asker)
    assert heads[0].startswith("CONNECT shop.example:443 HTTP/1.")
    assert (found.ok, "403" in found.message) == (False, True)


def test_no_proxy_names_what_is_asked_directly(serve: Serve, free_port: int) -> None:
    asker = UrlAsker({"http": f"http://127.0.0.1:{free_port}", "no": "elsewhere"})
    assert ask(f"http://127.0.0.1:{serve(answers(200))}/", asker=asker).ok is True
