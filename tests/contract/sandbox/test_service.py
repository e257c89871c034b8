"""The service proxy on loopback: connections in turn, past those that refuse, and none lost when endpoints change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kdeploy.model import Obj
from kdeploy.sandbox.addresses import Network, can_have_addresses, claim_network
from kdeploy.sandbox.core.resources import ENDPOINTS, SERVICES
from kdeploy.sandbox.core.store import Store
from kdeploy.sandbox.service import ServiceProxy, address_of

pytestmark = pytest.mark.skipif(not can_have_addresses(), reason="this machine has one loopback address only")

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Scene:
    """A store with a proxy, and pods that are servers on addresses of their own."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.count = 0
        self.store = Store(new_uid=self.uid)
        self.warnings: list[tuple[str, str]] = []
        self.servers: list[asyncio.Server] = []
        self.proxy = ServiceProxy(
            self.store, network.services, time.time, lambda _, reason, message: self.warnings.append((reason, message))
        )

    def uid(self) -> str:
        self.count += 1
        return f"uid-{self.count}"

    def service(self, *ports: dict[str, Any], **spec: Any) -> None:
        found = self.store.get(SERVICES, "shop", "web")
        obj = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": list(ports), **spec}}
        if found is None:
            self.store.create(SERVICES, obj, 0)
        else:
            self.store.replace(SERVICES, {**found, "spec": {**found["spec"], "ports": list(ports)}}, 0)

    def endpoints(self, *addresses: str, port: int = 8080, name: str = "") -> None:
        subsets = [{"addresses": [{"ip": ip} for ip in addresses], "ports": [{"name": name, "port": port}]}]
        obj: Obj = {"metadata": {"name": "web", "namespace": "shop"}, "subsets": subsets if addresses else []}
        if self.store.get(ENDPOINTS, "shop", "web"):
            self.store.replace(ENDPOINTS, obj, 0)
        else:
            self.store.create(ENDPOINTS, obj, 0)

    async def address(self) -> tuple[str, int]:
        """Where the service listens."""
        while True:
            found = self.store.get(SERVICES, "shop", "web")
            if found and address_of(found):
                host, _, port = address_of(found)[0].rpartition(":")
                return host, int(port)
            await asyncio.sleep(0.005)

    async def pod(self, name: str, answer: Answer | None = None) -> str:
        async def say_name(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(name.encode())
            writer.close()

        ip = self.network.pods.take()
        self.servers.append(await asyncio.start_server(answer or say_name, ip, 8080))
        return ip

    async def ask(self) -> str:
        reader, writer = await asyncio.open_connection(*await self.address())
        async with asyncio.timeout(3):
            text = (await reader.read()).decode()
        writer.close()
        return text


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    network = claim_network("test")
    assert network
    there = Scene(network)
    running = asyncio.create_task(there.proxy.run())
    try:
        async with asyncio.timeout(10):
            yield there
    finally:
        for server in there.servers:
            server.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        network.close()


PORT = {"port": 8080}


def run(test: Callable[[], Any]) -> Callable[[], None]:
    def inner() -> None:
        asyncio.run(test())

    inner.__name__ = test.__name__
    return inner


@run
async def test_connections_go_to_the_endpoints_in_turn() -> None:
    async with scene() as there:
        pods = [await there.pod(name) for name in "abc"]
        there.service(PORT)
        there.endpoints(*pods)
        assert sorted([await there.ask() for _ in range(6)]) == list("aabbcc")
        service = there.store.get(SERVICES, "shop", "web")
        assert service
        assert service["spec"]["clusterIP"] == (await there.address())[0]
        assert (await there.address())[1] == 8080


@run
async def test_an_endpoint_that_refuses_is_passed_over() -> None:
    async with scene() as there:
        ip = await there.pod("a")
        there.service(PORT)
        there.endpoints(there.network.pods.take(), ip, there.network.pods.take())
        assert [await there.ask() for _ in range(5)] == ["a"] * 5


@run
async def test_an_endpoint_that_is_taken_away_gets_no_new_connection_and_keeps_its_old_ones() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.write(b"end")
        writer.close()

    async with scene() as there:
        old = await there.pod("old", echo)
        new = await there.pod("new")
        there.service(PORT)
        there.endpoints(old)
        reader, writer = await asyncio.open_connection(*await there.address())
        writer.write(b"1")
        assert await reader.read(1) == b"1"
        there.endpoints(new)
        assert [await there.ask() for _ in range(3)] == ["new"] * 3
        writer.write(b"2")
        assert await reader.read(1) == b"2"
        writer.write_eof()
        assert await reader.read() == b"end"
        writer.close()


@run
async def test_a_service_without_endpoints_answers_nothing_and_ends_the_connection() -> None:
    async with scene() as there:
        there.service(PORT)
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                await there.ask()
            there.endpoints()


@run
async def test_a_service_that_is_deleted_gives_its_address_back() -> None:
    async with scene() as there:
        there.service(PORT)
        address = await there.address()
        there.store.delete(SERVICES, "shop", "web", 0)
        await asyncio.sleep(0.05)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)


@run
async def test_a_changed_port_is_listened_for_and_the_old_one_is_not() -> None:
    async with scene() as there:
        ip = await there.pod("a")
        there.endpoints(ip)
        there.service(PORT)
        host, _ = await there.address()
        there.service({"port": 9090})
        while (await there.address())[1] != 9090:
            await asyncio.sleep(0.005)
        assert await there.ask() == "a"
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, 8080)


@run
async def test_each_port_has_the_endpoints_of_its_name() -> None:
    async with scene() as there:
        ip = await there.pod("a")
        there.service({"name": "admin", "port": 9000}, {"name": "http", "port": 8080})
        there.endpoints(ip, name="http")
        host, _ = await there.address()
        reader, writer = await asyncio.open_connection(host, 8080)
        assert await reader.read() == b"a"
        writer.close()
        with pytest.raises(ConnectionResetError):
            await there.ask()


@run
async def test_a_port_that_is_taken_is_replaced_by_a_free_one_and_that_is_said() -> None:
    async with scene() as there:
        blocker = await asyncio.start_server(lambda *_: None, "0.0.0.0", 0)
        port = blocker.sockets[0].getsockname()[1]
        ip = await there.pod("a")
        there.service({"port": port})
        there.endpoints(ip)
        assert await there.ask() == "a"
        assert (await there.address())[1] != port
        assert [reason for reason, _ in there.warnings] == ["OtherPort"]
        blocker.close()


@run
async def test_other_protocols_and_headless_services_are_not_served() -> None:
    async with scene() as there:
        there.service({"port": 53, "protocol": "UDP"})
        while not there.warnings:
            await asyncio.sleep(0.005)
        assert there.warnings[0][0] == "UnsupportedProtocol"
        there.store.delete(SERVICES, "shop", "web", 0)
        there.service(PORT, clusterIP="None")
        await asyncio.sleep(0.05)
        service = there.store.get(SERVICES, "shop", "web")
        assert service
        assert service["spec"]["clusterIP"] == "None"
