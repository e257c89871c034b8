"""Images put straight into a storage."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kdeploy.sandbox.registry.manifest import OCI_INDEX, OCI_MANIFEST
from kdeploy.sandbox.registry.names import digest_of
from kdeploy.sandbox.registry.storage import Storage
from kdeploy.sandbox.registry.uploads import Uploads

ABSENT = "sha256:" + "0" * 64
REPOSITORY = "team/web"


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def part(content: bytes, media_type: str = "application/octet-stream", **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "size": len(content), "digest": digest_of(content), **more}


def config(*layers: bytes, architecture: str = "amd64", **inner: Any) -> bytes:
    rootfs = {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]}
    return encoded({"architecture": architecture, "os": "linux", "config": inner, "rootfs": rootfs})


def manifest(config: bytes, layers: Sequence[bytes] = (), **more: Any) -> dict[str, Any]:
    parts = {"config": part(config), "layers": [part(layer) for layer in layers]}
    return {"schemaVersion": 2, "mediaType": OCI_MANIFEST} | parts | more


def put_blob(storage: Storage, content: bytes, repository: str = REPOSITORY) -> str:
    uploads = Uploads(storage)
    upload = uploads.start(repository)
    upload.append(content)
    uploads.finish(upload, digest_of(content))
    return digest_of(content)


def put_image(
    storage: Storage, tag: str, *layers: bytes, of: bytes | None = None, document: Mapping[str, Any] | None = None
) -> str:
    """An image with these layers and this config; `document` replaces its manifest."""
    of = config(*layers) if of is None else of
    for blob in (of, *layers):
        put_blob(storage, blob)
    return storage.put_manifest(REPOSITORY, tag, OCI_MANIFEST, encoded(document or manifest(of, layers)))


def put_index(storage: Storage, tag: str, *entries: Mapping[str, Any]) -> str:
    content = encoded({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(entries)})
    return storage.put_manifest(REPOSITORY, tag, OCI_INDEX, content)


def entry(storage: Storage, digest: str, **platform: str) -> dict[str, Any]:
    stored = storage.manifest(REPOSITORY, digest)
    assert stored is not None
    told = {"platform": {"os": "linux"} | platform} if platform else {}
    return {"mediaType": stored.media_type, "size": len(stored.content), "digest": digest} | told
