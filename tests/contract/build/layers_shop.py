"""Registries on loopback for the layers builder: the sandbox's own, with what a real one may do in front of it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from kdeploy.build.credentials import DockerLogins
from kdeploy.build.layers.builder import LayersBuilder
from kdeploy.build.layers.oci import CONFIG_TYPE, MANIFEST_TYPE, Descriptor
from kdeploy.build.transport import Transport
from kdeploy.model import Image
from kdeploy.ports import BuildRequest
from kdeploy.sandbox.registry.server import application
from kdeploy.sandbox.registry.storage import Storage
from tests.contract.sandbox.serving import Client, serving

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
TAG = "v1"

Front = Callable[[web.Request, Handler], Any]
"""What stands before the registry: as aiohttp's middlewares."""


@dataclass(slots=True, kw_only=True)
class Registry:
    """A served registry. `asked` are the requests: method and path with its query, as they came."""

    port: int
    asked: list[str]

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def changes(self) -> list[str]:
        """The requests so far that change something, without the ids of uploads; and forgets all requests."""
        found = [line for line in self.asked if line.partition(" ")[0] not in ("HEAD", "GET")]
        self.asked.clear()
        return [line.partition("?")[0].partition("/uploads/")[0] for line in found]

    def get(self, path: str) -> bytes:
        answer = Client(port=self.port)("GET", f"/v2/{path}", headers={"Accept": f"{MANIFEST_TYPE}, {INDEX_TYPE}"})
        assert answer.status == 200, answer
        return answer.body

    def manifest(self, repository: str, wanted: str = TAG) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.get(f"{repository}/manifests/{wanted}"))
        return document

    def config(self, repository: str, wanted: str = TAG) -> dict[str, Any]:
        digest = self.manifest(repository, wanted)["config"]["digest"]
        document: dict[str, Any] = json.loads(self.get(f"{repository}/blobs/{digest}"))
        return document

    def push_blob(self, repository: str, content: bytes) -> str:
        ask, digest = Client(port=self.port), sha256(content)
        place = ask("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
        answer = ask("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", content)
        assert answer.status == 201, answer
        return digest

    def push_manifest(self, repository: str, tag: str, document: object, kind: str = MANIFEST_TYPE) -> str:
        content = json.dumps(document).encode()
        answer = Client(port=self.port)("PUT", f"/v2/{repository}/manifests/{tag}", content, {"Content-Type": kind})
        assert answer.status == 201, answer
        return sha256(content)

    def push_image(
        self,
        repository: str,
        tag: str,
        layers: Sequence[tuple[bytes, bytes]],
        config: Mapping[str, Any] | None = None,
        *,
        kind: str = "application/vnd.docker.image.rootfs.diff.tar.gzip",
        **about: Any,
    ) -> str:
        """An image of layers, each as it is stored and as it is unpacked."""
        described = [
            Descriptor(media_type=kind, digest=self.push_blob(repository, stored), size=len(stored)).document()
            for stored, _ in layers
        ]
        document = {
            "os": "linux",
            "architecture": "amd64",
            "config": config or {},
            "rootfs": {"type": "layers", "diff_ids": [sha256(plain) for _, plain in layers]},
            "history": [{"created_by": "base"} for _ in layers],
            **about,
        }
        content = json.dumps(document).encode()
        inner = Descriptor(media_type=CONFIG_TYPE, digest=self.push_blob(repository, content), size=len(content))
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": inner.document(), "layers": described}
        return self.push_manifest(repository, tag, manifest)


@contextmanager
def registry(folder: Path, *fronts: Front) -> Iterator[Registry]:
    """The sandbox's registry behind `fronts`, the first of which is asked first."""
    asked: list[str] = []

    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked.append(f"{request.method} {request.path_qs}")
        return await handler(request)

    def make() -> web.Application:
        made = application(Storage(folder))
        for front in reversed((note, *fronts)):
            made.middlewares.insert(0, _middleware(front))
        return made

    with serving(make) as port:
        yield Registry(port=port, asked=asked)


def _middleware(front: Front) -> Middleware:
    @web.middleware
    async def call(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer: web.StreamResponse = await front(request, handler)
        return answer

    return call


@dataclass(slots=True, kw_only=True)
class TokenDoor:
    """A token server and the check of its tokens, each good for one repository's actions and some uses.

    `password` is wanted for push; everybody may pull. `uses` is how often a token is taken.
    """

    password: str = "s3cret"
    uses: int = 1000
    scopes: list[list[str]] = field(default_factory=list)
    issued: dict[str, tuple[set[str], int]] = field(default_factory=dict)

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/token":
            return self._issue(request)
        needed = self._needed(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        granted, left = self.issued.get(token, (set(), 0))
        if not needed <= granted or not left:
            host, scopes = request.host, " ".join(sorted(self._scopes(needed)))
            challenge = f'Bearer realm="http://{host}/token",service="test",scope="{scopes}"'
            errors = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
            return web.json_response(errors, status=401, headers={"WWW-Authenticate": challenge})
        self.issued[token] = (granted, left - 1)
        return await handler(request)

    def _issue(self, request: web.Request) -> web.Response:
        scopes = request.query.getall("scope", [])
        self.scopes.append(scopes)
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        is_known = given and base64.b64decode(given).decode().partition(":")[2] == self.password
        granted = {
            f"{scope.split(':')[1]}:{action}"
            for scope in scopes
            for action in scope.split(":")[2].split(",")
            if action == "pull" or is_known
        }
        token = f"token-{len(self.issued)}"
        self.issued[token] = (granted, self.uses)
        return web.json_response({"token": token})

    @staticmethod
    def _needed(request: web.Request) -> set[str]:
        name = request.path.removeprefix("/v2/").partition("/blobs/")[0].partition("/manifests/")[0]
        needed = {f"{name}:pull"}
        if request.method not in ("GET", "HEAD"):
            needed.add(f"{name}:push")
        if source := request.query.get("from"):
            needed.add(f"{source}:pull")
        return needed

    @staticmethod
    def _scopes(needed: set[str]) -> set[str]:
        names = {each.partition(":")[0] for each in needed}
        return {
            f"repository:{name}:{','.join(a for a in ('pull', 'push') if f'{name}:{a}' in needed)}" for name in names
        }


def slow(method: str, seconds: float) -> Front:
    """Requests of this kind take so long."""

    async def front(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == method:
            await asyncio.sleep(seconds)
        return await handler(request)

    return front


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A build context and the builder, as a command wires it."""

    folder: Path
    auths: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    no_engine: str = ""

    def write(self, files: Mapping[str, str] | None = None, **more: str) -> None:
        """Files of the context by their paths; the Dockerfile is one of them."""
        for name, text in {**(files or {}), **more}.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def builder(self) -> LayersBuilder:
        auths = {name: {"auth": base64.b64encode(f"ann:{word}".encode()).decode()} for name, word in self.auths.items()}
        transport = Transport(DockerLogins(config={"auths": auths}), sleep=lambda _: None)
        return LayersBuilder(transport=transport, env=self.env, machine="x86_64", no_engine=self.no_engine)

    def request(self, repository: str, **more: Any) -> BuildRequest:
        fields: dict[str, Any] = {
            "context": str(self.folder),
            "dockerfile": str(self.folder / "Dockerfile"),
            "repository": repository,
            "tag": TAG,
            "commit": "a" * 40,
            "labels": {"org.opencontainers.image.revision": "a" * 40},
            "reusable": False,
            "args": {},
            "created": "2026-01-02T03:04:05+01:00",
        }
        return BuildRequest(**{**fields, **more})

    def build(self, repository: str, *, timeout: float = 30, **more: Any) -> Image:
        self.lines.clear()
        return self.builder().build_and_push(self.request(repository, **more), self.lines.append, timeout)


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def base_layer(*members: tuple[str, bytes, Any]) -> tuple[bytes, bytes]:
    """A gzipped layer and its plain text, of (name, type, mode or link target)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, more in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind == tarfile.SYMTYPE:
                info.linkname = more
            else:
                info.mode = more
            archive.addfile(info)
    return gzip.compress(buffer.getvalue(), mtime=0), buffer.getvalue()


BASE = (
    ("tmp", tarfile.DIRTYPE, 0o1777),
    ("usr/bin", tarfile.DIRTYPE, 0o755),
    ("bin", tarfile.SYMTYPE, "usr/bin"),
)
