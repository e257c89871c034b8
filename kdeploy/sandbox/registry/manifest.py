"""What a manifest says, and whether it may be put into a registry at all. Pure.

Image manifests and indexes, in OCI's and in Docker's form:
https://github.com/opencontainers/image-spec/blob/main/manifest.md and image-index.md,
https://distribution.github.io/distribution/spec/manifest-v2-2/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdeploy.sandbox.registry.errors import Code, RegistryError, refusal
from kdeploy.sandbox.registry.names import check_digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = frozenset({OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST})

_INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
_DOCKER = frozenset({DOCKER_MANIFEST, DOCKER_LIST})
_ELSEWHERE = ("application/vnd.docker.image.rootfs.foreign.", "application/vnd.oci.image.layer.nondistributable.")
_MAX_SIZE = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a manifest says of one of its parts. `platform` is an index entry's: {"os", "architecture", "variant"}.

    `is_elsewhere`: a layer that clients take from its own address, and that a registry need not hold.
    """

    digest: str
    size: int
    media_type: str
    platform: Mapping[str, str] | None = None
    is_elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The parts of a manifest: an index has `manifests` only, an image has `config` and `layers` (lowest first)."""

    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """What the registry must hold as blobs."""
        parts = [self.config] if self.config else []
        return (*parts, *(layer for layer in self.layers if not layer.is_elsewhere))


def read_manifest(media_type: str, content: bytes) -> Contents:
    """The parts of a manifest of one of the four `MANIFEST_TYPES`.

    Raises RegistryError: MANIFEST_INVALID; DIGEST_INVALID where it names something by no digest.
    """
    if media_type not in MANIFEST_TYPES:
        raise _invalid(f"its Content-Type is {media_type!r}, not one of {', '.join(sorted(MANIFEST_TYPES))}")
    document = _parse(content)
    _check_kind(document, media_type)
    if media_type in _INDEXES:
        return Contents(manifests=_descriptors(document, "manifests"))
    return Contents(config=_descriptor(document.get("config"), "config"), layers=_descriptors(document, "layers"))


def _parse(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"it is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise _invalid("it is no JSON object")
    return document


def _check_kind(document: Mapping[str, Any], media_type: str) -> None:
    """One document is never read as two kinds: https://github.com/advisories/GHSA-77vh-xpmg-72qh."""
    told = document.get("mediaType")
    if told != media_type and not (told is None and media_type not in _DOCKER):
        raise _invalid(f"its mediaType is {told!r}, but it was sent as {media_type}")
    if document.get("schemaVersion") != 2:
        raise _invalid(f"its schemaVersion is {document.get('schemaVersion')!r}, not 2")
    foreign = ("config", "layers") if media_type in _INDEXES else ("manifests",)
    if found := [name for name in foreign if document.get(name) is not None]:
        raise _invalid(f"a {media_type} has no {found[0]!r}")


def _descriptors(document: Mapping[str, Any], name: str) -> tuple[Descriptor, ...]:
    entries = document.get(name)
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise _invalid(f"{name!r} is no list")
    return tuple(_descriptor(entry, f"{name}[{number}]") for number, entry in enumerate(entries))


def _descriptor(entry: object, place: str) -> Descriptor:
    if not isinstance(entry, dict):
        raise _invalid(f"{place!r} is no descriptor")
    digest, size, media_type = entry.get("digest"), entry.get("size"), entry.get("mediaType", "")
    if not isinstance(digest, str):
        raise _invalid(f"{place!r} has no digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < _MAX_SIZE:
        raise _invalid(f"{place!r} has no size")
    if not isinstance(media_type, str):
        raise _invalid(f"the mediaType of {place!r} is no text")
    return Descriptor(
        digest=check_digest(digest),
        size=size,
        media_type=media_type,
        platform=_platform(entry.get("platform")),
        is_elsewhere=media_type.startswith(_ELSEWHERE) and bool(entry.get("urls")),
    )


def _platform(value: object) -> Mapping[str, str] | None:
    if not isinstance(value, dict):
        return None
    return {key: text for key, text in value.items() if isinstance(text, str)}


def _invalid(why: str) -> RegistryError:
    return refusal(Code.MANIFEST_INVALID, why)
