"""What a kubelet in the same process asks: the image behind a reference, or why it cannot be pulled.

The order of the questions and the words for "no" are containerd's: core/remotes/docker/resolver.go,
core/images/image.go.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from kdeploy.errors import ConfigError
from kdeploy.reference import Reference, parse
from kdeploy.sandbox.core.images import (
    ImageInfo,
    Layer,
    PullError,
    failed,
    invalid_name,
    no_platform,
    not_found,
    unresolved,
)
from kdeploy.sandbox.registry.errors import RegistryError
from kdeploy.sandbox.registry.manifest import Contents, Descriptor
from kdeploy.sandbox.registry.storage import Manifest, Storage

_CONFIG_LIMIT = 8 << 20
_DEPTH = 4
_OS = "linux"
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "i686": "386"}


def image_info(
    storage: Storage, reference: str, *, registries: Collection[str] = (), architecture: str = ""
) -> ImageInfo | PullError:
    """The image that a pod's `image` names, of the platform linux/`architecture` (default: this machine's).

    `registries` are the names ("localhost:5000") under which `storage` is reached; an image of another registry cannot
    be had. None given: every name means this one.
    """
    try:
        image = parse(reference, what="the reference")
    except ConfigError as error:
        return invalid_name(reference, f"invalid reference format: {error.message}")
    full = _full_name(image)
    if registries and image.domain not in registries:
        return unresolved(full, f"failed to do request: the sandbox pulls from {', '.join(registries)} only")
    digest = storage.resolve(image.path, image.digest or image.tag or "latest")
    if digest is None:
        return not_found(full)
    try:
        return _Pull(storage, image.path, full, architecture or machine_architecture()).image(digest)
    except _PullFailedError as end:
        return end.why
    except RegistryError as error:
        return failed(full, str(error))


def machine_architecture() -> str:
    """The machine's own, as images name it: "amd64", "arm64"."""
    machine = platform.machine().lower()
    return _ARCHITECTURES.get(machine, machine)


class _PullFailedError(Exception):
    def __init__(self, why: PullError) -> None:
        super().__init__(why.message)
        self.why = why


class _Pull:
    def __init__(self, storage: Storage, repository: str, full: str, architecture: str) -> None:
        self._storage = storage
        self._repository = repository
        self._full = full
        self._architecture = architecture

    def image(self, digest: str) -> ImageInfo:
        contents = self._choose(digest, _DEPTH)
        if contents is None or contents.config is None:
            raise _PullFailedError(no_platform(self._full))
        config = self._config(contents.config)
        for layer in contents.layers:
            self._check(layer)
        if len(contents.layers) != len(_diff_ids(config)):
            told = f"{len(contents.layers)} != {len(_diff_ids(config))}"
            raise self._failed(f"number of layers and diffIDs don't match: {told}")
        return ImageInfo(
            digest=digest,
            labels=_labels(config),
            config=config,
            layers=tuple(Layer(digest=x.digest, size=x.size, media_type=x.media_type) for x in contents.layers),
        )

    def _choose(self, digest: str, depth: int) -> Contents | None:
        """The manifest itself, whatever its platform; of an index the first that is for the machine, or says nothing.

        An entry that says nothing is judged by its config. As with containerd, an image that was named without an
        index is pulled, and it is its program that cannot start.
        """
        contents = self._manifest(digest).contents
        if contents.config:
            return contents
        for entry in contents.manifests if depth else ():
            if entry.platform is None or self._fits(entry.platform):
                chosen = self._choose(entry.digest, depth - 1)
                if chosen and (entry.platform or (chosen.config and self._fits(self._config(chosen.config)))):
                    return chosen
        return None

    def _manifest(self, digest: str) -> Manifest:
        manifest = self._storage.manifest(self._repository, digest)
        if manifest is None:
            raise self._failed(f"failed to copy: content {digest}: not found", "NotFound")
        return manifest

    def _fits(self, wanted: Mapping[str, Any]) -> bool:
        """Whether an index entry's platform or a config is for this machine; what says nothing is for any."""
        return (wanted.get("os") or _OS, wanted.get("architecture") or self._architecture) == (_OS, self._architecture)

    def _check(self, part: Descriptor) -> Path:
        """The blob's file, if it is there and as long as the manifest says."""
        path = self._storage.blob_path(part.digest) if self._storage.has_blob(self._repository, part.digest) else None
        if path is None:
            what = f"content descriptor {part.digest} ({part.media_type})"
            why = f"failed to copy: httpReadSeeker: failed open: could not fetch {what} from remote: not found"
            raise self._failed(why, "NotFound")
        size = path.stat().st_size
        if size < part.size:
            raise self._failed("failed to read expected number of bytes: unexpected EOF")
        if size > part.size:
            name = f'"layer-{part.digest}"'
            why = f"failed commit on ref {name}: {name} failed size validation: {size} != {part.size}"
            raise self._failed(f"{why}: failed precondition", "FailedPrecondition")
        return path

    def _config(self, part: Descriptor) -> Mapping[str, Any]:
        path = self._check(part)
        if part.size > _CONFIG_LIMIT:
            raise self._failed(f"the config {part.digest} is larger than {_CONFIG_LIMIT} bytes")
        try:
            config = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise self._failed(f"unmarshal image config: {error}") from error
        if not isinstance(config, dict):
            raise self._failed("unmarshal image config: it is no JSON object")
        return config

    def _failed(self, why: str, code: str = "") -> _PullFailedError:
        return _PullFailedError(failed(self._full, why, code))


def _diff_ids(config: Mapping[str, Any]) -> list[Any]:
    rootfs = config.get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    return found if isinstance(found, list) else []


def _labels(config: Mapping[str, Any]) -> Mapping[str, str]:
    inner = config.get("config")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    return {str(name): str(value) for name, value in labels.items()} if isinstance(labels, dict) else {}


def _full_name(image: Reference) -> str:
    """As containerd writes it: with the domain, and with one of digest and tag, the digest first."""
    name = image.canonical_repository
    return f"{name}@{image.digest}" if image.digest else f"{name}:{image.tag or 'latest'}"
