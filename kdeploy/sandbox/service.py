"""The service proxy: what kube-proxy is to a node, by TCP listeners.

Each Service with a clusterIP has a loopback address of its own, and a listener there for each of its ports. A
connection goes to one of the ready endpoints, in turn; one that refuses is passed over for the next. An endpoint that
is taken away gets no new connection; those that are open go on until they end.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.addresses import NoAddressError, Pool
from kdeploy.sandbox.core.resources import ENDPOINTS, SERVICES
from kdeploy.sandbox.core.store import Event, Store
from kdeploy.sandbox.splice import Address, Front, Half

ADDRESS = "sandbox.kdeploy.dev/address"
"""The annotation of a Service that says where it really listens: "127.88.0.1:8080", several with their ports' names."""

_CONNECT = 2.0
"""Seconds for an endpoint to take a connection."""

Key = tuple[str, str]
Warn = Callable[[Obj, str, str], None]
"""Tells of something about an object: a Kubernetes event of type Warning with that reason and message."""


@dataclass(slots=True)
class _Listener:
    server: asyncio.Server
    address: Address


@dataclass(slots=True)
class _Served:
    """One Service that is listened for. `turn` counts the connections."""

    ip: str
    listeners: dict[str, _Listener] = field(default_factory=dict)
    turn: int = 0


class ServiceProxy:
    """Serves the store's Services. `now` gives Unix seconds."""

    def __init__(self, store: Store, pool: Pool, now: Callable[[], float], warn: Warn) -> None:
        self._store, self._pool, self._now, self._warn = store, pool, now, warn
        self._served: dict[Key, _Served] = {}
        self._endpoints: dict[Key, Mapping[str, tuple[Address, ...]]] = {}
        self._dirty: dict[Key, None] = {}
        self._woken = asyncio.Event()
        self._open: set[Half] = set()
        self._unsubscribe = store.subscribe(self._changed)
        for service in store.list(SERVICES):
            self._mark(_key(service))

    async def run(self) -> None:
        """Follows the store until it is cancelled, then lets go of every address and connection."""
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                while self._dirty:
                    key = next(iter(self._dirty))
                    del self._dirty[key]
                    await self._sync(key)
        finally:
            self._unsubscribe()
            for served in self._served.values():
                for listener in served.listeners.values():
                    listener.server.close()
            for half in tuple(self._open):
                half.break_off()

    def _changed(self, event: Event) -> None:
        if event.resource is ENDPOINTS:
            # Read at once: from here on a pod that is being ended gets no connection, before it is told to end.
            gone = event.type == "DELETED"
            self._endpoints[_key(event.obj)] = {} if gone else endpoints_of(event.obj)
        elif event.resource is SERVICES:
            self._mark(_key(event.obj))

    def _mark(self, key: Key) -> None:
        self._dirty[key] = None
        self._woken.set()

    async def _sync(self, key: Key) -> None:
        service = self._store.get(SERVICES, *key)
        served = self._served.get(key)
        if service is None or not _has_cluster_ip(service):
            if served:
                del self._served[key]
                await self._stop(served, set(served.listeners))
                self._pool.give_back(served.ip)
            return
        if served is None:
            try:
                served = self._served[key] = _Served(self._pool.take())
            except NoAddressError as error:
                self._warn(service, "NoAddress", str(error))
                return
        ports = {_port_key(port): port for port in service["spec"].get("ports") or ()}
        await self._stop(served, set(served.listeners) - set(ports))
        for name, port in ports.items():
            if name not in served.listeners:
                await self._listen(key, service, served, name, int(port["port"]), str(port.get("protocol") or "TCP"))
        self._tell_address(key, served)

    async def _listen(self, key: Key, service: Obj, served: _Served, name: str, port: int, protocol: str) -> None:
        if protocol != "TCP":
            self._warn(service, "UnsupportedProtocol", f"port {port}/{protocol}: the sandbox's services are TCP only")
            return

        def accept() -> Front:
            return Front(lambda: self._connect(key, name.partition("/")[0]), self._open)

        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(accept, served.ip, port, backlog=512)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EADDRINUSE):
                self._warn(service, "CannotListen", f"{served.ip}:{port}: {os.strerror(error.errno or 0)}")
                return
            server = await loop.create_server(accept, served.ip, 0, backlog=512)
            why = "needs root" if error.errno == errno.EACCES else "is taken on every address of this machine"
            free = server.sockets[0].getsockname()[1]
            self._warn(service, "OtherPort", f"port {port} {why}: {served.ip}:{free} stands for it")
        served.listeners[name] = _Listener(server, server.sockets[0].getsockname()[:2])

    async def _stop(self, served: _Served, names: set[str]) -> None:
        for name in names:
            served.listeners.pop(name).server.close()  # what is open goes on

    def _tell_address(self, key: Key, served: _Served) -> None:
        """Writes the Service's clusterIP, and the annotation."""
        service = self._store.get(SERVICES, *key)
        if service is None:
            return
        places = {name: f"{host}:{port}" for name, (host, port) in _addresses(served).items()}
        text = ", ".join(places.values() if len(places) == 1 else (f"{name}={at}" for name, at in places.items()))
        metadata: dict[str, Any] = dict(service["metadata"])
        metadata["annotations"] = {**(metadata.get("annotations") or {}), ADDRESS: text}
        spec = {**service["spec"], "clusterIP": served.ip, "clusterIPs": [served.ip]}
        self._store.replace(SERVICES, {**service, "metadata": metadata, "spec": spec}, self._now())

    async def _connect(self, key: Key, port: str) -> Half | None:
        """A connection to the next endpoint that takes one; None where none does."""
        served = self._served.get(key)
        candidates = self._endpoints.get(key, {}).get(port, ())
        if served is None or not candidates:
            return None
        served.turn += 1
        first = served.turn % len(candidates)
        loop = asyncio.get_running_loop()
        for host, number in (*candidates[first:], *candidates[:first]):
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT):
                    return (await loop.create_connection(Half, host, number))[1]
        return None


def endpoints_of(endpoints: Obj) -> Mapping[str, tuple[Address, ...]]:
    """The ready addresses of an Endpoints object by the name of the Service's port ("" for the only one)."""
    found: dict[str, list[Address]] = {}
    for subset in endpoints.get("subsets") or ():
        for port in subset.get("ports") or ():
            ready = [(str(one["ip"]), int(port["port"])) for one in subset.get("addresses") or ()]
            found.setdefault(port.get("name") or "", []).extend(ready)
    return {name: tuple(addresses) for name, addresses in found.items()}


def address_of(service: Obj) -> Sequence[str]:
    """Where a Service of the sandbox can be asked: "127.88.0.1:8080" for each of its ports; empty until it is known."""
    text = ((service.get("metadata") or {}).get("annotations") or {}).get(ADDRESS) or ""
    return tuple(part.rpartition("=")[2] for part in text.split(", ") if part)


def _addresses(served: _Served) -> dict[str, Address]:
    return {name.partition("/")[0]: listener.address for name, listener in served.listeners.items()}


def _has_cluster_ip(service: Obj) -> bool:
    spec = service["spec"]
    return bool(spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None")


def _port_key(port: Obj) -> str:
    """What a listener is known by: it changes with everything that a listener depends on."""
    return f"{port.get('name') or ''}/{port['port']}/{port.get('protocol') or 'TCP'}"


def _key(obj: Obj) -> Key:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]
