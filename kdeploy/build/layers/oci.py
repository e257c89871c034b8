"""The documents of an image: which one of an index fits, what a base image is, and the new image's own. Pure.

https://github.com/opencontainers/image-spec, and the fields that Docker adds to the configuration
(https://github.com/moby/docker-image-spec). What comes from a registry was written by somebody else: fields of other
types than they should have are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kdeploy.build.layers.draft import Draft
from kdeploy.build.layers.platforms import Platform, candidates, normalize
from kdeploy.model import Obj
from kdeploy.text import one_line

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_LAYER_TYPES = {
    LAYER_TYPE: LAYER_TYPE,
    f"{LAYER_TYPE}+gzip": f"{LAYER_TYPE}+gzip",
    f"{LAYER_TYPE}+zstd": f"{LAYER_TYPE}+zstd",
    "application/vnd.docker.image.rootfs.diff.tar": LAYER_TYPE,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{LAYER_TYPE}+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": f"{LAYER_TYPE}+zstd",
}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_LAYERS = 500
_TEXTS, _LISTS, _MAPS = "texts", "lists", "maps"
_CONFIG_FIELDS: Mapping[str, type | str] = {
    "User": str,
    "WorkingDir": str,
    "StopSignal": str,
    "Env": _LISTS,
    "Entrypoint": _LISTS,
    "Cmd": _LISTS,
    "Shell": _LISTS,
    "Labels": _TEXTS,
    "ExposedPorts": _MAPS,
    "Volumes": _MAPS,
    "Healthcheck": dict,
    "StopTimeout": int,
}


class ImageError(ValueError):
    """A document that no image has; the text is half a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """One blob: `size` in bytes."""

    media_type: str
    digest: str
    size: int

    def document(self) -> dict[str, Any]:
        """As a manifest has it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What an image is made upon: its "config", cleaned; `about`: fields beside that; `triggers`: its ONBUILD.

    `digest` is what its name means now: an image's, or an index's; "" for no image.
    """

    platform: Platform
    digest: str = ""
    about: Mapping[str, Any]
    config: Mapping[str, Any]
    triggers: tuple[str, ...] = ()
    layers: tuple[Descriptor, ...] = ()
    diff_ids: tuple[str, ...] = ()
    history: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One instruction of the new image: what the history says of it, and its layer, if it has one."""

    text: str
    layer: Descriptor | None = None


def scratch(platform: Platform) -> Base:
    """No image at all."""
    return Base(platform=platform, about={}, config={"WorkingDir": "/"})


def is_index(document: Obj) -> bool:
    """Whether it lists images instead of being one."""
    return isinstance(document.get("manifests"), list)


def pick(index: Obj, wanted: Platform) -> str:
    """The digest of the index's image for `wanted`, or for what runs there too. Raises ImageError."""
    found: dict[Platform, str] = {}
    for entry in index["manifests"]:
        platform = entry.get("platform") if isinstance(entry, dict) else None
        if not isinstance(platform, dict) or not _is_digest(entry.get("digest")):
            continue
        name = _platform_of(platform)
        if name.os != "unknown":
            found.setdefault(name, entry["digest"])
    for candidate in candidates(wanted):
        if candidate in found:
            return found[candidate]
    known = one_line(", ".join(sorted(map(str, found)))) or "none"
    raise ImageError(f"it has no image for {wanted}; there are: {known}")


def read_layers(manifest: Obj) -> tuple[Descriptor, ...]:
    """The layers of an image, under the names that OCI has for them. Raises ImageError."""
    layers = manifest.get("layers")
    if not isinstance(layers, list) or len(layers) > _MAX_LAYERS:
        raise ImageError("its manifest lists no layers")
    return tuple(_descriptor(layer) for layer in layers)


def read_base(config: Obj, layers: tuple[Descriptor, ...], digest: str) -> Base:
    """A base image from its configuration. Raises ImageError."""
    rootfs = config.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(diff_ids, list) or len(diff_ids) != len(layers) or not all(map(_is_digest, diff_ids)):
        raise ImageError("its configuration and its manifest do not have the same layers")
    inner = config.get("config")
    inner = inner if isinstance(inner, dict) else {}
    history = config.get("history")
    return Base(
        platform=_platform_of(config),
        digest=digest,
        about={key: config[key] for key in ("author", "os.version", "os.features") if config.get(key)},
        config={name: value for name, value in inner.items() if _fits(value, _CONFIG_FIELDS.get(name))},
        triggers=tuple(inner["OnBuild"]) if _fits(inner.get("OnBuild"), _LISTS) else (),
        layers=layers,
        diff_ids=tuple(diff_ids),
        history=tuple(entry for entry in history if isinstance(entry, dict)) if isinstance(history, list) else (),
    )


def make_config(base: Base, draft: Draft, changes: Sequence[Change], labels: Mapping[str, str], *, epoch: int) -> bytes:
    """The new image's configuration; `epoch` is when it was made, in Unix seconds. Equal values give equal bytes."""
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = {**draft.config, "Labels": {**(draft.config.get("Labels") or {}), **labels}}
    about = {**base.about, **({"author": draft.author} if draft.author else {})}
    platform = {"os": base.platform.os, "architecture": base.platform.architecture}
    document = {
        **about,
        **platform,
        **({"variant": base.platform.variant} if base.platform.variant else {}),
        "created": created,
        "config": {name: value for name, value in config.items() if value not in (None, "", [], {})},
        "rootfs": {"type": "layers", "diff_ids": [*base.diff_ids, *(layer.digest for layer in _new(changes))]},
        "history": [*base.history, *(_history(change, created) for change in changes)],
    }
    return _canonical(document)


def make_manifest(base: Base, changes: Sequence[Change], config: Descriptor) -> bytes:
    """The new image's manifest."""
    layers = [layer.document() for layer in (*base.layers, *_new(changes))]
    return _canonical({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config.document(), "layers": layers})


def _new(changes: Sequence[Change]) -> list[Descriptor]:
    return [change.layer for change in changes if change.layer]


def _history(change: Change, created: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"created": created, "created_by": change.text, "comment": "kdeploy.layers.v1"}
    return entry if change.layer else {**entry, "empty_layer": True}


def _descriptor(layer: object) -> Descriptor:
    """One layer of a base image. Those that may not be distributed are Windows's."""
    fields = layer if isinstance(layer, dict) else {}
    kind, digest, size = fields.get("mediaType"), fields.get("digest"), fields.get("size")
    media_type = _LAYER_TYPES.get(kind) if isinstance(kind, str) else None
    if media_type is None:
        raise ImageError(f"it has a layer of an unknown kind: {one_line(str(kind), 100)}")
    if not _is_digest(digest) or not isinstance(size, int) or size < 0:
        raise ImageError("its manifest describes a layer without digest and size")
    return Descriptor(media_type=media_type, digest=str(digest), size=size)


def _platform_of(fields: Obj) -> Platform:
    os, architecture, variant = (str(fields.get(key) or "") for key in ("os", "architecture", "variant"))
    return normalize(os or "linux", architecture, variant)


def _fits(value: object, kind: type | str | None) -> bool:
    if kind == _LISTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind == _TEXTS:
        return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())
    if kind == _MAPS:
        return isinstance(value, dict)
    return isinstance(kind, type) and isinstance(value, kind)


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
