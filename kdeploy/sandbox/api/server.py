"""The Kubernetes API over HTTP: one handler, which finds out what is asked, has it done, and writes the answer."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from kdeploy.model import Obj
from kdeploy.sandbox.api import discovery, openapi, protobuf, status
from kdeploy.sandbox.api.accept import Form, wanted
from kdeploy.sandbox.api.discovery import AGGREGATED
from kdeploy.sandbox.api.lists import check_list, check_watch, event, many, one
from kdeploy.sandbox.api.objects import Objects, sent_kind
from kdeploy.sandbox.api.patch import ACCEPTED
from kdeploy.sandbox.api.pod_access import PodAccess
from kdeploy.sandbox.api.pods import Pods, is_gone
from kdeploy.sandbox.api.protobuf import ProtobufError
from kdeploy.sandbox.api.request import UNSUPPORTED, Asked, parse
from kdeploy.sandbox.api.watch import Watches, stream
from kdeploy.sandbox.core.errors import StoreError
from kdeploy.sandbox.core.store import Store
from kdeploy.secret import Secret
from kdeploy.text import one_line

MOST_BYTES = 3 * 1024 * 1024
"""Of a request's body: k8s.io/apiserver/pkg/server/config.go, MaxRequestBodyBytes."""

_OPEN = ("/healthz", "/readyz", "/livez", "/version")
_JSON = "application/json"

encode = msgspec.json.Encoder().encode
log = logging.getLogger(__name__)


def application(
    store: Store,
    *,
    after_write: Callable[[], None],
    token: Secret,
    pods: PodAccess,
    clock: Callable[[], float],
) -> web.Application:
    """The API of a store's cluster, for whoever has the token.

    `after_write` is called after each change of the store, before its answer is sent; `pods` leads to the pods that run
    here; `clock` gives Unix seconds. Everything runs on the loop that serves it, as must whatever else uses the store.
    """
    server = _Server(store, after_write=after_write, token=token, pods=pods, clock=clock)
    app = web.Application(client_max_size=MOST_BYTES)
    app.router.add_route("*", "/{path:.*}", server.handle)
    app.on_shutdown.append(server.stop)
    return app


class _Server:
    def __init__(
        self,
        store: Store,
        *,
        after_write: Callable[[], None],
        token: Secret,
        pods: PodAccess,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._clock = clock
        self._token = token
        self._objects = Objects(store, clock, after_write)
        self._watches = Watches(store)
        self._pods = Pods(store, pods, clock)

    async def stop(self, _: web.Application) -> None:
        """Ends the watches, which would keep the server from ending."""
        self._watches.end()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers a request of any kind; what goes wrong is a Status."""
        try:
            return await self._answer(request)
        except status.ApiError as error:
            return _json(error.status, error.code, error.headers.items())
        except StoreError as error:
            told = status.of_store(error)
            return _json(told.status, told.code)
        except (ConnectionError, asyncio.CancelledError, web.HTTPException):
            raise
        except Exception:
            log.exception("%s %s", request.method, request.rel_url.raw_path)
            told = status.internal("the sandbox has met a bug; its log has the details")
            return _json(told.status, told.code)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if path.startswith(_OPEN):
            return _open(path)
        scheme, _, given = request.headers.get("Authorization", "").strip().partition(" ")
        sent = given.strip().encode(errors="surrogateescape")  # the bytes that aiohttp has read, text or not
        if scheme.lower() != "bearer" or not hmac.compare_digest(sent, self._token.reveal().encode()):
            raise status.unauthorized()
        if (known := _document(request, path)) is not None:
            return known
        if not path.startswith(("/api/", "/apis/")):
            return web.Response(status=404, text="404 page not found\n")
        query = {key: request.query.getone(key) for key in request.query}
        return await self._resource(request, parse(request.method, path, query))

    async def _resource(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        if asked.subresource in UNSUPPORTED:
            raise _unsupported(asked)
        if asked.verb == "proxy":
            return await self._pods.proxy(request, asked, await _body(request))
        if asked.subresource == "log":
            return await self._pods.log(request, asked)
        form = wanted(request.headers.get("Accept", ""))
        if asked.verb == "watch":
            return await self._watch(request, asked, form)
        if asked.verb == "list":
            check_list(asked, self._store.version)
            found = self._objects.selected(asked)[1]
            return _json(many(form, asked, found, self._store.version, self._clock()))
        media_type, sent = _media_type(request), await _body(request)
        answer = self._objects.answer(asked, media_type, _decoded(asked, media_type, sent))
        body = one(form, asked, answer.body, self._clock())
        warnings = [("Warning", f"299 - {json.dumps(told)}") for told in answer.warnings]
        return _json(body, answer.status, warnings)

    async def _watch(self, request: web.Request, asked: Asked, form: Form) -> web.StreamResponse:
        check_watch(asked)
        selector, present = self._objects.selected(asked)
        watch = self._watches.open(asked, selector, present, lambda: _abort(request))
        response, first = web.StreamResponse(headers={"Content-Type": _JSON}), True
        loop = asyncio.get_running_loop()
        try:
            await response.prepare(request)
            async for told in stream(self._watches, watch, asked, loop.time, lambda: is_gone(request)):
                lines = []
                for each in told:
                    lines.append(encode(event(form, asked, each, self._clock(), first=first)) + b"\n")
                    first = False
                await response.write(b"".join(lines))
            await response.write_eof()
        except ConnectionError:
            pass  # the client has gone, or was cut off
        finally:
            self._watches.close(watch)
        return response


def _json(body: Obj, code: int = 200, headers: Iterable[tuple[str, str]] = ()) -> web.Response:
    every = CIMultiDict([("Content-Type", _JSON), ("Cache-Control", "no-cache, private"), *headers])
    return web.Response(status=code, body=encode(body), headers=every)


def _open(path: str) -> web.Response:
    """What anybody may ask: whether the server lives, and which version it is."""
    if path == "/version":
        return _json(discovery.version())
    return web.Response(text="ok")


def _document(request: web.Request, path: str) -> web.Response | None:
    """The answer to a path of discovery or OpenAPI, None where it is none. Raises ApiError 404, 405, 406."""
    if path == openapi.V2 and request.method in ("GET", "HEAD"):
        return web.Response(headers={"Content-Type": openapi.V2_MEDIA})
    if path.startswith("/openapi/"):
        known = openapi.document(path)
    elif path.count("/") > 4:
        known = None
    else:
        aggregated = path.strip("/") in ("api", "apis") and wanted(request.headers.get("Accept", "")) is Form.DISCOVERY
        known = discovery.document(path, request.host, aggregated=aggregated)
    if known is None:
        return None
    if request.method not in ("GET", "HEAD"):
        raise status.not_allowed()
    response = _json(known)
    if known.get("kind") == AGGREGATED:
        response.headers["Content-Type"] = f"{_JSON};g=apidiscovery.k8s.io;v=v2;as={AGGREGATED}"
    return response


def _unsupported(asked: Asked) -> status.ApiError:
    said = f"the sandbox has no {asked.resource.plural}/{asked.subresource}"
    return status.failure(405, "MethodNotAllowed", said, status.about(asked.resource, asked.name))


def _media_type(request: web.Request) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise status.too_large(MOST_BYTES) from None


def _decoded(asked: Asked, media_type: str, sent: bytes) -> Any:
    """The body's JSON; None where a deletion has none. Raises ApiError 400, 415."""
    if asked.verb in ("get", "delete", "deletecollection") and not sent:
        return None
    accepted = ACCEPTED if asked.verb == "patch" else ("", _JSON, protobuf.MEDIA_TYPE)
    if media_type not in accepted:
        raise status.unsupported_media_type([one for one in accepted if one])
    kind = "DeleteOptions" if asked.verb in ("delete", "deletecollection") else sent_kind(asked)[0]
    try:
        return protobuf.decode(sent, kind) if media_type == protobuf.MEDIA_TYPE else msgspec.json.decode(sent)
    except (ProtobufError, msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        said = f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind"
        form = "" if media_type == protobuf.MEDIA_TYPE else "json parse error: "
        raise status.bad_request(f"{said}; {form}{one_line(str(error), 200)}") from None


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
