"""Logs and proxied requests over HTTP: the API server's way to the pods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count

from aiohttp import web
from multidict import CIMultiDict

from kdeploy.sandbox.api import logs, proxy, status
from kdeploy.sandbox.api.pod_access import PodAccess, ProxyRequest, UnreachableError
from kdeploy.sandbox.api.request import Asked
from kdeploy.sandbox.core.resources import PODS
from kdeploy.sandbox.core.store import Store

_LOOK_EACH = 2.0
"""Seconds between two looks whether the client of a silent stream is still there."""


class Pods:
    """Answers the subresources log and proxy. `clock` gives Unix seconds."""

    def __init__(self, store: Store, access: PodAccess, clock: Callable[[], float]) -> None:
        self._store = store
        self._access = access
        self._clock = clock
        self._turns = count()

    async def log(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        """The text of a container's log. Raises ApiError."""
        pod = self._store.get(PODS, asked.namespace or "", asked.name)
        if pod is None:
            raise status.not_found(PODS, asked.name)
        wanted = logs.options(asked, self._clock())
        container = logs.container_of(pod, asked.query.get("container", ""))
        if not pod["spec"].get("nodeName"):
            return web.Response(status=204)
        logs.check_has_log(pod, container, previous=wanted.previous)
        log = await self._access.log(pod, container, previous=wanted.previous, follow=wanted.follow)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        return await _sent(request, response, logs.text_of(log, wanted))

    async def proxy(self, request: web.Request, asked: Asked, body: bytes) -> web.StreamResponse:
        """What a pod answers to the request. Raises ApiError."""
        if not asked.rest and request.method in ("GET", "HEAD"):
            query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
            return web.Response(status=301, headers={"Location": f"{request.rel_url.raw_path}/{query}"})
        target = proxy.backend(asked, self._store.get, lambda found: found[next(self._turns) % len(found)])
        try:
            answer = await self._access.proxy(target.pod, target.port, _request(request, asked, target.scheme, body))
        except UnreachableError as error:
            raise proxy.unreachable(str(error)) from None
        headers = answer.headers.items() if hasattr(answer.headers, "items") else answer.headers
        passed = CIMultiDict(proxy.passed_on(headers, sent=False))
        return await _sent(request, web.StreamResponse(status=answer.status, headers=passed), answer.body)


def _request(request: web.Request, asked: Asked, scheme: str, body: bytes) -> ProxyRequest:
    """The request as the pod gets it, with who sent it and for which path (apimachinery, pkg/util/proxy)."""
    query = request.rel_url.raw_query_string
    forwarded = {
        "X-Forwarded-For": request.remote or "",
        "X-Forwarded-Host": request.host,
        "X-Forwarded-Proto": request.scheme,
        "X-Forwarded-Uri": request.rel_url.raw_path,
    }
    headers = proxy.passed_on(request.headers.items(), sent=True)
    return ProxyRequest(
        method=request.method,
        scheme=scheme,
        path=f"{asked.rest or '/'}{f'?{query}' if query else ''}",
        headers=[*headers, *forwarded.items()],
        body=body,
    )


async def _sent(request: web.Request, response: web.StreamResponse, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    """Sends the pieces as they come, as long as the client is there."""
    await response.prepare(request)
    try:
        async for piece in _while_connected(request, pieces):
            await response.write(piece)
    except UnreachableError:
        if request.transport is not None:
            request.transport.abort()  # the answer has begun: cut off is the only thing that it can still be
        return response
    await response.write_eof()
    return response


async def _while_connected(request: web.Request, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        following = asyncio.ensure_future(anext(pieces, None))
        try:
            while not (await asyncio.wait({following}, timeout=_LOOK_EACH))[0]:
                if is_gone(request):
                    return
        finally:
            following.cancel()
        piece = following.result()
        if piece is None:
            return
        yield piece


def is_gone(request: web.Request) -> bool:
    """Whether the client has closed the connection."""
    return request.transport is None or request.transport.is_closing()
