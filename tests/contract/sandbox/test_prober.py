"""Probes that are really sent, and the words for what comes of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from kdeploy.sandbox.core.probe import Kind, Probe
from kdeploy.sandbox.kubelet.prober import Asked, Found, Prober

HOST = "127.0.0.1"


async def execute(words: list[str], timeout: float) -> tuple[int, bytes]:
    if words == ["slow"]:
        raise TimeoutError
    return int(words[1]), b"said \x1b[31m" + words[0].encode()


def probe(action: str, timeout: float = 1.0, **how: Any) -> Probe:
    return Probe(kind=Kind.READINESS, action=action, how=how, timeout=timeout)


async def answer(request: web.Request) -> web.StreamResponse:
    if request.path == "/slow":
        await asyncio.sleep(5)
    if request.path == "/away":
        raise web.HTTPFound("http://127.0.0.2:1/")
    if request.path == "/home":
        raise web.HTTPFound("/500")
    if request.path == "/agent":
        agent = request.headers["User-Agent"]
        return web.Response(status=200 if agent.startswith("kube-probe/") and request.headers["X-A"] == "1" else 400)
    return web.Response(status=int(request.path.strip("/")))


def ask(probe_: Probe, *, served: bool = True) -> Found:
    async def inner() -> Found:
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        port = runner.addresses[0][1]
        if not served:
            await runner.cleanup()
        prober = Prober()
        try:
            container = {"ports": [{"name": "http", "containerPort": port}]}
            return await prober.send(probe_, Asked(address=HOST, container=container, execute=execute))
        finally:
            await prober.close()
            await runner.cleanup()

    return asyncio.run(inner())


@pytest.mark.parametrize(
    ("path", "good", "message"),
    [
        ("/200", True, ""),
        ("399", True, ""),
        ("/404", False, "HTTP probe failed with statuscode: 404"),
        ("/500", False, "HTTP probe failed with statuscode: 500"),
        ("/home", False, "HTTP probe failed with statuscode: 500"),
        ("/away", True, ""),
    ],
)
def test_http_is_good_from_200_to_399(path: str, good: bool, message: str) -> None:
    assert ask(probe("httpGet", port="http", path=path)) == Found(good=good, message=message)


def test_http_carries_the_probes_headers_and_a_kubelets_name() -> None:
    headers = [{"name": "X-A", "value": "1"}]
    assert ask(probe("httpGet", port="http", path="/agent", httpHeaders=headers)).good


def test_http_that_is_late_or_refused_says_so_in_gos_words() -> None:
    late = ask(probe("httpGet", 0.2, port="http", path="/slow"))
    assert late.message.endswith("context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
    refused = ask(probe("httpGet", port="http", path="/x"), served=False).message
    assert refused.startswith('Get "http://127.0.0.1:')
    assert refused.endswith(": connect: connection refused")


def test_a_tcp_socket_is_good_where_somebody_listens() -> None:
    assert ask(probe("tcpSocket", port="http")) == Found(good=True)
    refused = ask(probe("tcpSocket", port="http"), served=False)
    assert not refused.good
    assert refused.message.endswith(": connect: connection refused")


def test_a_command_is_good_with_exit_code_0_and_its_output_is_cleaned() -> None:
    assert ask(probe("exec", command=["x", "0"])) == Found(good=True, message="said x")
    assert ask(probe("exec", command=["x", "3"])) == Found(good=False, message="said x")
    assert ask(probe("exec", command=["slow"])).message == 'command timed out: "slow" timed out after 1s'


@pytest.mark.parametrize("how", [{"port": 80, "host": "192.0.2.1"}, {"port": 80, "host": "example.com"}])
@pytest.mark.parametrize("action", ["httpGet", "tcpSocket"])
def test_only_this_machine_is_asked(action: str, how: dict[str, Any]) -> None:
    assert "loopback addresses only" in ask(probe(action, **how)).message


def test_what_cannot_be_asked_is_a_bad_result() -> None:
    assert ask(probe("grpc", port=1)).message == "the sandbox sends no grpc probes"
    assert "couldn't find port" in ask(probe("httpGet", port="nope")).message
