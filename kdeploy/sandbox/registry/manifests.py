"""The endpoints of manifests, of tags, and of the list of repositories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from kdeploy.sandbox.registry.errors import Code, RegistryError, refusal
from kdeploy.sandbox.registry.names import check_name, page_size
from kdeploy.sandbox.registry.storage import Manifest, Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """See the module. `limit`: the most bytes of a manifest."""

    storage: Storage
    limit: int

    def routes(self) -> Iterable[web.RouteDef]:
        """What is answered here."""
        one = "/v2/{name:.+}/manifests/{reference}"
        return [
            web.get("/v2/_catalog", self.catalog),
            web.get("/v2/{name:.+}/tags/list", self.tags),
            web.get(one, self.get),
            web.put(one, self.put),
            web.delete(one, self.delete),
        ]

    async def get(self, request: web.Request) -> web.Response:
        """GET and HEAD of a manifest by tag or digest."""
        name, reference = check_name(request.match_info["name"]), request.match_info["reference"]
        digest = self.storage.resolve(name, reference)
        manifest = self.storage.manifest(name, digest) if digest else None
        if manifest is None:
            raise refusal(Code.MANIFEST_UNKNOWN, reference)
        if not _accepts(request.headers.getall("Accept", ()), manifest.media_type):
            message = f"its media type is {manifest.media_type}, which the Accept header does not name"
            raise refusal(Code.MANIFEST_UNKNOWN, reference, message=message)
        return web.Response(body=manifest.content, headers=_headers(manifest))

    async def put(self, request: web.Request) -> web.Response:
        """Stores a manifest. The repository must have all that it names."""
        name, reference = check_name(request.match_info["name"]), request.match_info["reference"]
        content = await self._read(request)
        digest = self.storage.put_manifest(name, reference, request.content_type, content)
        headers = {"Location": f"/v2/{name}/manifests/{digest}", "Docker-Content-Digest": digest}
        return web.Response(status=201, headers=headers)

    async def delete(self, request: web.Request) -> web.Response:
        """Forgets a tag, or a manifest and its tags."""
        self.storage.delete_manifest(request.match_info["name"], request.match_info["reference"])
        return web.Response(status=202)

    async def tags(self, request: web.Request) -> web.Response:
        """A repository's tags in order, `n` after `last`, with a Link to the next page."""
        name = check_name(request.match_info["name"])
        tags = self.storage.tags(name)
        if tags is None:
            raise refusal(Code.NAME_UNKNOWN, name)
        page, headers = _page(tags, request)
        return web.json_response({"name": name, "tags": page}, headers=headers)

    async def catalog(self, request: web.Request) -> web.Response:
        """The names of all repositories, in the same pages."""
        page, headers = _page(self.storage.repositories(), request)
        return web.json_response({"repositories": page}, headers=headers)

    async def _read(self, request: web.Request) -> bytes:
        content = bytearray()
        if (request.content_length or 0) > self.limit:
            raise _too_large(self.limit)
        async for chunk in request.content.iter_any():
            content += chunk
            if len(content) > self.limit:
                raise _too_large(self.limit)
        return bytes(content)


def _accepts(values: Iterable[str], media_type: str) -> bool:
    """Whether an Accept header takes this type. No header takes anything; a named one is not weighed."""
    accepted = {part.partition(";")[0].strip().lower() for value in values for part in value.split(",")} - {""}
    return not accepted or bool(accepted & {media_type, "*/*", "application/*"})


def _headers(manifest: Manifest) -> Mapping[str, str]:
    return {"Content-Type": manifest.media_type, "Docker-Content-Digest": manifest.digest}


def _page(entries: Sequence[str], request: web.Request) -> tuple[Sequence[str], Mapping[str, str]]:
    """The entries of one page, and the headers that name the next one."""
    size, last = page_size(request.query.get("n")), request.query.get("last", "")
    rest = [entry for entry in entries if entry > last]
    if size is None or size >= len(rest):
        return rest, {}
    if size == 0:
        return [], {}
    query = urlencode({"n": size, "last": rest[size - 1]})
    return rest[:size], {"Link": f'<{request.path}?{query}>; rel="next"'}


def _too_large(limit: int) -> RegistryError:
    return refusal(Code.SIZE_INVALID, message=f"a manifest may have {limit} bytes at most", status=413)
