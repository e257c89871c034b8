"""The base image: its manifest, its configuration, and what is in its layers. All of it is checked against digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import requests
import urllib3

from kdeploy.build.answers import RETRIED, TransientError, retry_after, unauthorized
from kdeploy.build.layers.cache import Cache
from kdeploy.build.layers.oci import Base, Descriptor, ImageError, is_index, pick, read_base, read_layers
from kdeploy.build.layers.platforms import Platform
from kdeploy.build.layers.scan import Record, ScanError, put_on, scan
from kdeploy.build.layers.tree import Tree, TreeError
from kdeploy.build.registry import DistributionRegistry
from kdeploy.build.transport import Request, Transport
from kdeploy.errors import RefusedError
from kdeploy.model import Obj, Reason
from kdeploy.reference import Reference
from kdeploy.text import one_line

_CHUNK = 1 << 16
_PATIENCE = 60.0
_DRAIN = 1 << 20


class BlobStream:
    """A blob as it comes from a registry, never more of it in memory than a piece; it is checked at its last byte.

    Raises RefusedError for another content than the descriptor's, TransientError where the connection breaks.
    """

    def __init__(
        self, response: requests.Response, image: Reference, descriptor: Descriptor, check: Callable[[], None]
    ) -> None:
        self._raw = response.raw
        self._image = image
        self._descriptor = descriptor
        self._check = check
        self._digest = hashlib.sha256()
        self._done = 0

    def __len__(self) -> int:
        """The bytes that the manifest tells of."""
        return self._descriptor.size

    def __iter__(self) -> Iterator[bytes]:
        """The rest of it, in pieces."""
        while piece := self.read(_CHUNK):
            yield piece

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        self._check()
        try:
            piece: bytes = self._raw.read(size, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise TransientError(
                f"the connection to {self._image.domain} broke: {one_line(str(error), 160)}"
            ) from error
        self._digest.update(piece)
        self._done += len(piece)
        wanted = self._descriptor.size
        if self._done > wanted or (not piece and self._done < wanted):
            raise self._broken(f"it sent {self._done} bytes of {wanted}")
        if self._done == wanted and f"sha256:{self._digest.hexdigest()}" != self._descriptor.digest:
            raise self._broken("what it sent has another digest")
        return piece

    def _broken(self, why: str) -> RefusedError:
        return RefusedError(
            f"the registry {self._image.domain} gave a broken answer for the layer {self._descriptor.digest}: {why}",
            hint="push the base image anew, or look at the proxy between here and the registry",
            reason=Reason.IMAGE_PULL_FAILED,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Puller:
    """Reads one base image. `check` is called now and then, and may raise to end the work."""

    transport: Transport
    image: Reference
    check: Callable[[], None]

    def base(self, platform: Platform) -> Base:
        """The image for a platform. Raises RefusedError."""
        registry = DistributionRegistry(self.transport)
        top = registry.resolve(str(self.image)).digest
        try:
            manifest = self._there(registry.manifest(self.image, top), top)
            if is_index(manifest):
                chosen = pick(manifest, platform)
                manifest = self._there(registry.manifest(self.image, chosen), chosen)
            layers = read_layers(manifest)
            config = manifest.get("config")
            digest = str(config.get("digest")) if isinstance(config, dict) else ""
            return read_base(self._there(registry.config(self.image, digest), digest), layers, top)
        except ImageError as error:
            raise self._refused(str(error)) from None

    def tree(self, base: Base, cache: Cache, say: Callable[[Descriptor], None]) -> Tree:
        """What is in the image's layers; those that the cache does not know are read, and told to `say` before."""
        tree = Tree()
        for layer in base.layers:
            records = cache.get(layer.digest)
            if records is None:
                say(layer)
                records = self._read(layer)
                cache.put(layer.digest, records)
            try:
                put_on(tree, records)
            except TreeError as error:
                raise self._refused(str(error)) from None
        return tree

    @contextmanager
    def open(self, layer: Descriptor) -> Iterator[BlobStream]:
        """A layer as a stream."""
        request = Request(
            method="GET", image=self.image, path=f"blobs/{layer.digest}", headers={"Accept-Encoding": "identity"}
        )
        with self.transport.exchange(request) as response:
            if response.status_code in RETRIED:
                raise TransientError(f"{self.image.domain}: HTTP {response.status_code}", retry_after(response))
            if response.status_code in (401, 403):
                raise unauthorized(self.image)
            if response.status_code != 200:
                raise self._refused(f"it answered HTTP {response.status_code} for the layer {layer.digest}")
            yield BlobStream(response, self.image, layer, self.check)

    def _read(self, layer: Descriptor) -> list[Record]:
        try:
            return self.transport.retrying(partial(self._scan, layer), patience=_PATIENCE)
        except TransientError as error:
            raise self._refused(f"its layer {layer.digest} could not be read: {error}") from error

    def _scan(self, layer: Descriptor) -> list[Record]:
        with self.open(layer) as stream:
            try:
                records = scan(stream)
            except ScanError as error:
                raise self._refused(f"its layer {layer.digest} cannot be read: {error}") from None
            while stream.read(_DRAIN):  # what follows the archive is part of the digest
                pass
            return records

    def _there(self, document: Obj | None, digest: str) -> Obj:
        if document is None:
            raise self._refused(f"{digest} is missing")
        return document

    def _refused(self, why: str) -> RefusedError:
        return RefusedError(
            f"the image {self.image} cannot be used: {why}",
            hint="take another image, or build with an engine: --builder buildx",
            reason=Reason.IMAGE_PULL_FAILED,
        )
