"""The sandbox as one process on one event loop: the parts are joined here, started, and ended in their order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import ssl
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from kdeploy.errors import RefusedError
from kdeploy.model import Obj, Reason
from kdeploy.sandbox import certificate
from kdeploy.sandbox.access import Access
from kdeploy.sandbox.addresses import Network, can_have_addresses, claim_network
from kdeploy.sandbox.api.forward import Forwarder
from kdeploy.sandbox.api.server import application as api_application
from kdeploy.sandbox.background import Ports
from kdeploy.sandbox.core import nodes
from kdeploy.sandbox.core.changes import Tell
from kdeploy.sandbox.core.control import Controllers
from kdeploy.sandbox.core.images import ImageInfo, PullError
from kdeploy.sandbox.core.recorder import Recorder
from kdeploy.sandbox.core.resources import NAMESPACES, NODES
from kdeploy.sandbox.core.store import Store
from kdeploy.sandbox.kubelet.kubelet import Kubelet
from kdeploy.sandbox.kubelet.node import COMPONENT, Node
from kdeploy.sandbox.kubelet.prepare import is_process, python
from kdeploy.sandbox.kubelet.prober import Prober
from kdeploy.sandbox.kubelet.roots import Roots
from kdeploy.sandbox.peers import own_peers_only
from kdeploy.sandbox.registry.pull import image_info
from kdeploy.sandbox.registry.server import application as registry_application
from kdeploy.sandbox.registry.storage import Storage
from kdeploy.sandbox.service import ServiceProxy
from kdeploy.sandbox.settling import Settling
from kdeploy.sandbox.state import Folder, Served, kubeconfig, process_start, write_private
from kdeploy.secret import Secret

HOST = "127.0.0.1"
NODE = "sandbox"
NAMES = ("default", "demo")
"""The namespaces that there are from the beginning."""

_SHUTDOWN = 1.0
"""Seconds that open requests are left when the sandbox ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The cluster's logic on this loop. `network` is None where all pods are simulated."""

    store: Store
    controllers: Controllers
    settling: Settling
    recorder: Recorder
    network: Network | None


async def serve(
    folder: Folder, ports: Ports, ready: Callable[[Served], None], over: asyncio.Event, *, simulated: bool = False
) -> None:
    """Serves until `over` is set. `ready` is called when both servers answer. `simulated`: no pod is a process.

    The folder's lock is held by the caller; what the sandbox has put there is removed at the end. Raises RefusedError
    for a port that is taken.
    """
    async with AsyncExitStack() as stack:
        stack.callback(folder.clear, keep=("lock", "demo"))
        network = claim_network(str(folder.path)) if can_have_addresses() and not simulated else None
        if network is not None:
            stack.callback(network.close)
        registry_socket = stack.enter_context(_listening(ports.registry, "--registry-port"))
        api_socket = stack.enter_context(_listening(ports.api, "--api-port"))
        registry, storage = _address(registry_socket), Storage(folder.path / "registry")
        cluster = await _start_cluster(storage, registry, network, stack)
        kubelet = await _start_kubelet(folder, storage, cluster, stack)
        token, signed = Secret(secrets.token_urlsafe(32)), _certificate()
        forwarder = Forwarder()
        stack.push_async_callback(forwarder.close)
        api = api_application(
            cluster.store,
            after_write=cluster.settling.settle,
            token=token,
            pods=Access(controllers=cluster.controllers, kubelet=kubelet, forwarder=forwarder, now=time.time),
            clock=time.time,
        )
        await _start_server(api, api_socket, stack, tls=_tls(folder, signed))
        images = registry_application(storage)
        images.middlewares.insert(0, own_peers_only())
        await _start_server(images, registry_socket, stack)
        served = Served(
            pid=os.getpid(),
            started=process_start(os.getpid()),
            api=f"https://{HOST}:{api_socket.getsockname()[1]}",
            registry=registry,
            network=network.name if network else "",
        )
        write_private(folder.kubeconfig, kubeconfig(served.api, token, signed.certificate))
        folder.write(served)
        ready(served)
        await over.wait()


async def _start_cluster(storage: Storage, registry: str, network: Network | None, stack: AsyncExitStack) -> Cluster:
    store = Store(new_uid=lambda: str(uuid.uuid4()))
    now = time.time()
    for name in NAMES:
        store.create(NAMESPACES, {"metadata": {"name": name}, "spec": {"finalizers": ["kubernetes"]}}, now)
    store.create(NODES, nodes.made(NODE, now), now)
    names = (registry, registry.replace("localhost", HOST))

    def images(reference: str) -> ImageInfo | PullError:
        return image_info(storage, reference, registries=names)

    def runs_here(_: Obj, found: Sequence[ImageInfo]) -> bool:
        return network is not None and all(map(is_process, found))

    controllers = Controllers(store, images=images, is_process=runs_here)
    settling = Settling(store, controllers, time.time)
    stack.callback(settling.close)
    return Cluster(store=store, controllers=controllers, settling=settling, recorder=Recorder(store), network=network)


async def _start_kubelet(folder: Folder, storage: Storage, cluster: Cluster, stack: AsyncExitStack) -> Kubelet | None:
    """The kubelet of real pods and the service proxy, where there are addresses for them."""
    if cluster.network is None:
        return None

    def tell(
        pod: Obj,
        reason: str,
        message: str,
        type_: Literal["Normal", "Warning"] = "Normal",
        *,
        container: str = "",
        init: bool = False,
    ) -> None:
        told = Tell(pod, reason, message, COMPONENT, type=type_, container=container, init=init)
        cluster.recorder.tell(told, time.time())

    prober = Prober()
    stack.push_async_callback(prober.close)
    node = Node(
        store=cluster.store,
        images=lambda reference: image_info(storage, reference),
        roots=Roots(folder.path / "roots", storage.blob_path),
        prober=prober,
        now=time.time,
        tell=tell,
        folder=folder.path / "pods",
        interpreter=python(),
    )
    kubelet = Kubelet(node, cluster.network.pods)
    proxy = ServiceProxy(
        cluster.store,
        cluster.network.services,
        time.time,
        lambda service, reason, message: cluster.recorder.tell(
            Tell(service, reason, message, "service-proxy", type="Warning"), time.time()
        ),
    )
    serving = asyncio.create_task(proxy.run())
    stack.push_async_callback(_cancelled, serving)
    stack.push_async_callback(kubelet.close)
    return kubelet


async def _start_server(
    app: web.Application, listening: socket.socket, stack: AsyncExitStack, *, tls: ssl.SSLContext | None = None
) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, listening, ssl_context=tls).start()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _listening(port: int, flag: str) -> socket.socket:
    """A socket that listens on loopback; port 0 is any free one. Raises RefusedError."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise RefusedError(
            f"port {port} of {HOST} cannot be listened on: {error.strerror}",
            hint=f"name another one with {flag}, or leave it out for a free one",
            reason=Reason.CONFLICT,
        ) from error
    return listening


def _address(listening: socket.socket) -> str:
    """By the name that Docker and kdeploy speak plain HTTP to."""
    return f"localhost:{listening.getsockname()[1]}"


def _certificate() -> certificate.Certificate:
    return certificate.make([HOST], ["localhost"], time.time(), secrets.randbelow)


def _tls(folder: Folder, signed: certificate.Certificate) -> ssl.SSLContext:
    """OpenSSL reads keys from files only: this one is there for an instant."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    file = folder.path / "tls.pem"
    write_private(file, signed.certificate + signed.key.reveal())
    try:
        context.load_cert_chain(file)
    finally:
        file.unlink()
    return context
