"""The registry over HTTP: `application(storage)` is the whole of it, for any aiohttp runner."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from kdeploy.sandbox.registry.blobs import Blobs
from kdeploy.sandbox.registry.errors import Code, RegistryError, refusal
from kdeploy.sandbox.registry.manifests import Manifests
from kdeploy.sandbox.registry.storage import Storage
from kdeploy.sandbox.registry.uploads import Uploads
from kdeploy.secret import Secret

_LOG = logging.getLogger(__name__)
_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
_PURGE_INTERVAL = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large things may be, in bytes, and how long (seconds) an upload lives to which nobody adds."""

    manifest: int = 4 << 20
    blob: int = 16 << 30
    upload_lifetime: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The one user who may use the registry, by HTTP's Basic scheme."""

    name: str
    password: Secret


def application(storage: Storage, *, limits: Limits | None = None, account: Account | None = None) -> web.Application:
    """The registry over what `storage` keeps. Without an `account` it is open to all who reach its address."""
    limits = limits or Limits()
    uploads = Uploads(storage, lifetime=limits.upload_lifetime)
    app = web.Application(middlewares=[_answer_errors, _refuse_pages, *([_require(account)] if account else [])])
    app.add_routes([web.get("/v2/", _base), web.get("/v2", _base)])
    app.add_routes(Blobs(storage=storage, uploads=uploads, limit=limits.blob).routes())
    app.add_routes(Manifests(storage=storage, limit=limits.manifest).routes())
    app.on_response_prepare.append(_tell_version)

    async def purging(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(_purge(uploads))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app.cleanup_ctx.append(purging)
    return app


async def _base(_: web.Request) -> web.Response:
    return web.json_response({})


async def _tell_version(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_VERSION)


async def _purge(uploads: Uploads) -> None:
    while True:
        uploads.purge(time.time())
        await asyncio.sleep(_PURGE_INTERVAL)


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal as the specification's JSON. A bug is left to aiohttp: a bare 500, a traceback in the log."""
    try:
        return await handler(request)
    except RegistryError as error:
        return _answer(error)
    except web.HTTPMethodNotAllowed as error:
        return _answer(refusal(Code.UNSUPPORTED, headers={"Allow": error.headers["Allow"]}))
    except web.HTTPNotFound:
        return _answer(refusal(Code.UNSUPPORTED, request.path, message="there is no such endpoint", status=404))
    except ConnectionError:  # the client went away in the middle of what it sent: nobody reads this
        return _answer(refusal(Code.BLOB_UPLOAD_INVALID, message="the connection ended", status=400))
    except OSError as error:
        _LOG.error("%s %s: %s", request.method, request.path, error)
        return _answer(refusal(Code.UNKNOWN, message=f"the registry's folder: {error.strerror or error}"))


@web.middleware
async def _refuse_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page in a browser of this machine reaches loopback too. It tells its Origin, which no registry client does."""
    if "Origin" in request.headers:
        raise refusal(Code.DENIED, request.headers["Origin"], message="this registry is not for pages in a browser")
    return await handler(request)


def _answer(error: RegistryError) -> web.Response:
    return web.Response(
        status=error.status,
        body=error.body,
        headers=error.headers,
        content_type="application/json",
        charset="utf-8",
    )


def _require(account: Account) -> Middleware:
    pair = f"{account.name}:{account.password.reveal()}".encode()
    wanted = b"Basic " + b64encode(pair)
    challenge = {"WWW-Authenticate": 'Basic realm="kdeploy sandbox", charset="UTF-8"'}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode(errors="replace")
        if not hmac.compare_digest(given, wanted):
            raise refusal(Code.UNAUTHORIZED, headers=challenge)
        return await handler(request)

    return check
