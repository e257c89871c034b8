"""The endpoints of blobs and of their uploads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from kdeploy.sandbox.registry.errors import Code, RegistryError, refusal
from kdeploy.sandbox.registry.names import byte_range, check_digest, check_name, chunk_range, is_digest
from kdeploy.sandbox.registry.storage import Storage
from kdeploy.sandbox.registry.uploads import Upload, Uploads

_PIECE = 1 << 20
"""Bytes that are hashed and written at once, in a thread: 2 ms of it."""

_SMALL = 64 << 10
"""Bytes up to which a thread would cost more than the work."""


class _File(web.FileResponse):
    """A file whose Range is read by RFC 9110: aiohttp refuses each that it does not know, and sends all for "-0"."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Sends the head, and of the file what is wanted."""
        headers = request.headers.copy()
        wanted = headers.popall("Range", [])
        if wanted and (known := byte_range(",".join(wanted))):
            headers["Range"] = known
        return await super().prepare(request.clone(headers=headers) if wanted else request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blobs:
    """See the module. `limit`: the most bytes of a blob."""

    storage: Storage
    uploads: Uploads
    limit: int

    def routes(self) -> Iterable[web.RouteDef]:
        """What is answered here."""
        name = "/v2/{name:.+}/blobs"
        return [
            web.post(f"{name}/uploads{{slash:/?}}", self.start),
            web.get(f"{name}/uploads/{{id}}", self.status),
            web.patch(f"{name}/uploads/{{id}}", self.patch),
            web.put(f"{name}/uploads/{{id}}", self.finish),
            web.delete(f"{name}/uploads/{{id}}", self.cancel),
            web.get(f"{name}/{{digest}}", self.get),
            web.delete(f"{name}/{{digest}}", self.delete),
        ]

    async def get(self, request: web.Request) -> web.StreamResponse:
        """GET and HEAD of a blob, with a Range of bytes; sent by the kernel from its file."""
        repository, digest = check_name(request.match_info["name"]), check_digest(request.match_info["digest"])
        path = self.storage.blob_path(digest) if self.storage.has_blob(repository, digest) else None
        if path is None:
            raise refusal(Code.BLOB_UNKNOWN, digest)
        headers = {"Docker-Content-Digest": digest, "Content-Type": "application/octet-stream"}
        return _File(path, headers=headers)

    async def delete(self, request: web.Request) -> web.Response:
        """Takes the blob from this repository."""
        self.storage.delete_blob(request.match_info["name"], request.match_info["digest"])
        return web.Response(status=202)

    async def start(self, request: web.Request) -> web.Response:
        """POST: mounts a blob that another repository has, or takes a whole one, or begins an upload."""
        repository, digest = check_name(request.match_info["name"]), request.query.get("digest")
        if self._mount(repository, request):
            return _created(repository, request.query["mount"])
        if digest is not None:
            check_digest(digest)
        upload = self.uploads.start(repository)
        if digest is None:
            return _state(upload, 202)
        try:
            return await self._complete(request, upload, digest)
        except BaseException:
            self.uploads.cancel(upload)
            raise

    async def status(self, request: web.Request) -> web.Response:
        """How far an upload has come."""
        return _state(self._upload(request), 204)

    async def patch(self, request: web.Request) -> web.Response:
        """Adds a chunk, or a stream of unknown length, to an upload."""
        with self.uploads.writing(self._upload(request)) as upload:
            await self._receive(request, upload)
            self.uploads.find(upload.repository, upload.id)
            return _state(upload, 202)

    async def finish(self, request: web.Request) -> web.Response:
        """PUT: adds the last bytes, if any, and makes the upload a blob if its digest is the named one."""
        upload = self._upload(request)
        return await self._complete(request, upload, check_digest(request.query.get("digest", "")))

    async def cancel(self, request: web.Request) -> web.Response:
        """Forgets an upload."""
        self.uploads.cancel(self._upload(request))
        return web.Response(status=204)

    def _upload(self, request: web.Request) -> Upload:
        return self.uploads.find(check_name(request.match_info["name"]), request.match_info["id"])

    def _mount(self, repository: str, request: web.Request) -> bool:
        """Whether the blob could be mounted; whatever is wrong with the wish, the client uploads instead."""
        digest, source = request.query.get("mount", ""), request.query.get("from", "")
        try:
            return bool(source) and is_digest(digest) and self.storage.mount(repository, digest, source)
        except RegistryError:
            return False

    async def _complete(self, request: web.Request, upload: Upload, digest: str) -> web.Response:
        with self.uploads.writing(upload):
            await self._receive(request, upload)
            self.uploads.finish(upload, digest)
        return _created(upload.repository, digest)

    async def _receive(self, request: web.Request, upload: Upload) -> None:
        """Takes a request's body into the upload, never more than a piece of it in memory.

        Raises RegistryError: BLOB_UPLOAD_INVALID (416) out of order; SIZE_INVALID, which is 413 past the limit.
        """
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise refusal(Code.UNSUPPORTED, message="a blob is sent as it is, without Content-Encoding", status=415)
        wanted = _check_range(request, upload)
        begin, piece = upload.size, bytearray()
        if begin + (request.content_length or 0) > self.limit:
            raise _too_large(self.limit)
        async for chunk in request.content.iter_any():
            piece += chunk
            if upload.size + len(piece) > self.limit:
                raise _too_large(self.limit)
            if len(piece) >= _PIECE:
                await asyncio.to_thread(upload.append, piece)
                piece = bytearray()
        if len(piece) > _SMALL:
            await asyncio.to_thread(upload.append, piece)
        elif piece:
            upload.append(piece)
        if wanted is not None and upload.size - begin != wanted:
            raise refusal(Code.SIZE_INVALID, f"Content-Range told {wanted} bytes, {upload.size - begin} came")


def _check_range(request: web.Request, upload: Upload) -> int | None:
    """The length that Content-Range tells, None where there is none; a chunk begins where the last one ended."""
    text = request.headers.get("Content-Range")
    if text is None:
        return None
    chunk = chunk_range(text)
    if chunk is None or chunk[0] != upload.size or chunk[1] < chunk[0]:
        headers = {"Range": upload.range, "Location": _location(upload)}
        message = f"the next chunk begins at byte {upload.size}"
        raise refusal(Code.BLOB_UPLOAD_INVALID, f"Content-Range: {text}", message=message, headers=headers)
    return chunk[1] - chunk[0] + 1


def _too_large(limit: int) -> RegistryError:
    return refusal(Code.SIZE_INVALID, message=f"a blob may have {limit} bytes at most", status=413)


def _location(upload: Upload) -> str:
    return f"/v2/{upload.repository}/blobs/uploads/{upload.id}"


def _state(upload: Upload, status: int) -> web.Response:
    headers = {"Location": _location(upload), "Range": upload.range, "Docker-Upload-UUID": upload.id}
    return web.Response(status=status, headers=headers)


def _created(repository: str, digest: str) -> web.Response:
    headers = {"Location": f"/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": digest}
    return web.Response(status=201, headers=headers)
