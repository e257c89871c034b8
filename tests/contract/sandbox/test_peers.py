"""The registry is for its own user and root: the kernel says who is at the other end."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import pytest
from aiohttp import ClientSession, web

from kdeploy.sandbox import peers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says who it is")


def test_the_kernel_knows_whose_socket_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            assert peers.owner_by_diag(client.getsockname(), accepted.getsockname()) == os.getuid()
            assert peers.owner_by_diag(("127.0.0.1", 1), accepted.getsockname()) is None


def test_a_socket_of_ipv6_that_speaks_ipv4_is_found_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET6) as client:
        host, port = server.getsockname()
        try:
            client.connect((f"::ffff:{host}", port))
        except OSError:
            pytest.skip("this machine has no IPv6")
        accepted, peer = server.accept()
        with accepted:
            assert peers._may(peer, accepted.getsockname())


@pytest.mark.parametrize(("owner", "status"), [(os.getuid(), 200), (0, 200), (54321, 403), (None, 403)])
def test_other_users_are_refused(monkeypatch: pytest.MonkeyPatch, owner: int | None, status: int) -> None:
    monkeypatch.setattr(peers, "owner_by_diag", lambda *_: owner)

    async def ask() -> int:
        app = web.Application(middlewares=[peers.own_peers_only()])
        app.router.add_get("/", _ok)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with ClientSession() as session, session.get(f"http://127.0.0.1:{runner.addresses[0][1]}/") as found:
                return found.status
        finally:
            await runner.cleanup()

    assert asyncio.run(ask()) == status


async def _ok(_: web.Request) -> web.Response:
    return web.Response()
