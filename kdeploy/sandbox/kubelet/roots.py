"""Unpacked images: one folder a digest, made once, shared read-only by all pods that run the image."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kdeploy.sandbox.core.images import ImageInfo
from kdeploy.sandbox.core.images import Layer as ImageLayer
from kdeploy.sandbox.kubelet.unpack import Layer, Limits, UnpackError, freeze, remove_tree, unpack
from kdeploy.text import one_line

_COMPRESSED = {
    "application/vnd.oci.image.layer.v1.tar": False,
    "application/vnd.oci.image.layer.v1.tar+gzip": True,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": True,
    "application/vnd.docker.image.rootfs.diff.tar": False,
}
"""The media types of layers that can be unpacked; those of zstd and of foreign layers cannot."""

BlobPath = Callable[[str], Path | None]
"""The file of the blob with that digest."""


@dataclass(slots=True)
class Roots:
    """The unpacked images below `folder`."""

    folder: Path
    blob_path: BlobPath
    limits: Limits = field(default_factory=Limits)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def get(self, image: ImageInfo) -> Path:
        """The image's root, unpacked now if it was not before. Raises UnpackError."""
        layers = layers_of(image, self.blob_path)
        name = image.digest.replace(":", "-")
        root = self.folder / name
        async with self._locks.setdefault(name, asyncio.Lock()):
            if not root.exists():
                await asyncio.to_thread(self._make, layers, root)
        return root

    def _make(self, layers: list[Layer], root: Path) -> None:
        unfinished = root.with_name(f"{root.name}.{os.getpid()}.tmp")
        remove_tree(unfinished)
        try:
            unfinished.mkdir(mode=0o755, parents=True)
            unpack(layers, unfinished, self.limits)
            freeze(unfinished)
            unfinished.rename(root)
        except BaseException:
            remove_tree(unfinished)
            raise


def layers_of(image: ImageInfo, blob_path: BlobPath) -> list[Layer]:
    """The image's layers with what they unpack to. Raises UnpackError where they do not fit together."""
    diff_ids = (image.config.get("rootfs") or {}).get("diff_ids") or []
    if len(diff_ids) != len(image.layers):
        raise UnpackError(f"the image has {len(image.layers)} layers, its config names {len(diff_ids)}")
    return [_layer(layer, str(diff_id), blob_path) for layer, diff_id in zip(image.layers, diff_ids, strict=True)]


def _layer(layer: ImageLayer, diff_id: str, blob_path: BlobPath) -> Layer:
    compressed = _COMPRESSED.get(layer.media_type)
    if compressed is None:
        raise UnpackError(f"the sandbox unpacks no layers of type {one_line(layer.media_type, 100)}")
    blob = blob_path(layer.digest)
    if blob is None:
        raise UnpackError(f"the layer {layer.digest} is not in the registry any more")
    return Layer(blob=blob, diff_id=diff_id, compressed=compressed)
