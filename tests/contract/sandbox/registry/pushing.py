"""Images for a registry, made of a few bytes, and the ways to push them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdeploy.sandbox.registry.manifest import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.contract.sandbox.serving import Client, Reply

ABSENT = "sha256:" + "0" * 64
CONFIG = b'{"architecture":"amd64","os":"linux","config":{"Labels":{"a":"b"}},"rootfs":{"type":"layers","diff_ids":[]}}'


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def described(content: bytes, media_type: str = "application/octet-stream", **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "size": len(content), "digest": digest_of(content), **more}


def manifest(
    layers: Sequence[bytes] = (), config: bytes = CONFIG, media_type: str = OCI_MANIFEST, **more: Any
) -> bytes:
    """An image's manifest; `more` replaces keys, and leaves out those that are None."""
    parts = {"config": described(config), "layers": [described(layer) for layer in layers]}
    return document(**({"schemaVersion": 2, "mediaType": media_type} | parts | more))


def index(*manifests: bytes, media_type: str = OCI_INDEX, architecture: str = "amd64", **more: Any) -> bytes:
    kind = OCI_MANIFEST if media_type == OCI_INDEX else DOCKER_MANIFEST
    platform = {"os": "linux", "architecture": architecture}
    entries = {"manifests": [described(each, kind, platform=platform) for each in manifests]}
    return document(**({"schemaVersion": 2, "mediaType": media_type} | entries | more))


def document(**keys: Any) -> bytes:
    return json.dumps({name: value for name, value in keys.items() if value is not None}).encode()


def with_digest(location: str, digest: str) -> str:
    return f"{location}{'&' if '?' in location else '?'}digest={digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pusher:
    """Pushes into one repository."""

    ask: Client
    repository: str = "team/web"

    def path(self, rest: str) -> str:
        return f"/v2/{self.repository}/{rest}"

    def start(self, *pieces: bytes) -> str:
        """The Location of a new upload that has these bytes already."""
        reply = self.ask("POST", self.path("blobs/uploads/"))
        for piece in pieces:
            reply = self.ask("PATCH", reply.headers["Location"], piece, {"Content-Type": "application/octet-stream"})
        assert reply.status == 202, reply
        return reply.headers["Location"]

    def chunk(self, location: str, body: bytes | Iterable[bytes], content_range: str | None = None) -> Reply:
        headers = {"Content-Type": "application/octet-stream"}
        return self.ask("PATCH", location, body, headers | ({"Content-Range": content_range} if content_range else {}))

    def finish(self, location: str, digest: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        return self.ask("PUT", with_digest(location, digest), body, headers)

    def blob(self, content: bytes) -> str:
        """Pushes a blob; its digest."""
        digest = digest_of(content)
        reply = self.finish(self.start(), digest, content)
        assert reply.status == 201, reply
        return digest

    def put(self, reference: str, content: bytes, media_type: str = OCI_MANIFEST) -> Reply:
        """Puts a manifest."""
        return self.ask("PUT", self.path(f"manifests/{reference}"), content, {"Content-Type": media_type})

    def image(self, tag: str, *layers: bytes, config: bytes = CONFIG) -> str:
        """Pushes a whole image; its digest."""
        for blob in (config, *layers):
            self.blob(blob)
        content = manifest(layers, config)
        reply = self.put(tag, content)
        assert reply.status == 201, reply
        return digest_of(content)
