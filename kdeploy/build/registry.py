"""`ports.Registry`: reads of image registries by the OCI distribution specification.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md. Manifests of all four kinds are accepted: a
registry that holds one of a kind that was not named answers 404 for a tag that is there.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from kdeploy.bounded import bounded
from kdeploy.build.access import check_push
from kdeploy.build.answers import Answer
from kdeploy.build.credentials import advising
from kdeploy.build.transport import Transport
from kdeploy.clock import Deadline
from kdeploy.errors import KdeployError, RefusedError
from kdeploy.model import Image, Obj, Reason
from kdeploy.reference import Reference, parse
from kdeploy.text import one_line

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
PATIENCE = 30.0
"""Seconds for one question, where nobody says otherwise."""

_ENDING = 0.5
"""Seconds more for what has an end of its own, and then says better what was late."""

_ACCEPT = ", ".join(MANIFEST_TYPES)
_MANIFEST_LIMIT = 4 << 20
_CONFIG_LIMIT = 8 << 20
_MAX_PLATFORMS = 20
_ATTESTATION = "vnd.docker.reference.type"
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


T = TypeVar("T")


class DistributionRegistry:
    """Any registry that Docker can pull from. What takes a `timeout` ends within so many seconds.

    Raises RefusedError where the registry says no, or nothing in time.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def resolve(self, reference: str, timeout: float = PATIENCE) -> Image:
        """The image behind "repo:tag", "repo@digest" or both (then the digest counts); "repo" alone means "latest"."""
        image = parse(reference)
        digest = self.find(reference, timeout)
        if digest is None:
            raise RefusedError(
                f"there is no image {image} in the registry {image.domain}",
                hint="check the name and the tag, or build it with kdeploy build",
                reason=Reason.IMAGE_NOT_FOUND,
            )
        tag = image.tag if image.tag or image.digest else "latest"
        return Image(repository=image.repository, tag=tag, digest=digest)

    def find(self, reference: str, timeout: float = PATIENCE) -> str | None:
        """The manifest's digest; None where the registry says that it is absent."""
        image = parse(reference)
        return self._in_time(lambda deadline: self._find(image, deadline), image, timeout)

    def labels(self, repository: str, digest: str, timeout: float = PATIENCE) -> Mapping[str, str]:
        """The labels of the image's config; of a multi-platform image those of its first platform."""
        image = parse(repository)
        return self._in_time(lambda deadline: self._labels(image, digest, deadline), image, timeout)

    def check_push(self, repository: str, timeout: float = PATIENCE) -> None:
        """Raises RefusedError where a push to the repository would be refused; pushes nothing (see access.py)."""
        image = parse(repository)
        self._in_time(lambda deadline: check_push(self._transport, image, deadline), image, timeout)

    def _in_time(self, ask: Callable[[Deadline], T], image: Reference, timeout: float) -> T:
        with advising(self._transport.logins, image.domain):
            return _in_time(ask, image, timeout)

    def _find(self, image: Reference, deadline: Deadline) -> str | None:
        wanted = image.digest or image.tag or "latest"
        answer = self._transport.ask("HEAD", image, f"manifests/{wanted}", accept=_ACCEPT, deadline=deadline)
        if answer.is_absent:
            return None
        named = answer.headers.get("Docker-Content-Digest", "")
        if image.digest or _SHA256.fullmatch(named):
            return image.digest or named
        body = self._transport.ask(
            "GET", image, f"manifests/{wanted}", accept=_ACCEPT, limit=_MANIFEST_LIMIT, deadline=deadline
        )
        return None if body.is_absent else _sha256(body.body)

    def _labels(self, image: Reference, digest: str, deadline: Deadline) -> Mapping[str, str]:
        top = self.manifest(image, digest, deadline)
        children = _platform_digests(top)
        manifest = self.manifest(image, children[0], deadline) if children else top
        config = _text(manifest, "config", "digest")
        labels = _at(self.config(image, config, deadline), "config", "Labels") if config else None
        return {str(name): str(value) for name, value in labels.items()} if isinstance(labels, dict) else {}

    def manifest(self, image: Reference, digest: str, deadline: Deadline | None = None) -> Obj | None:
        """The manifest or index with this digest, checked against it; None where it is absent."""
        return self._json(image, "manifests", digest, _MANIFEST_LIMIT, deadline)

    def config(self, image: Reference, digest: str, deadline: Deadline | None = None) -> Obj | None:
        """An image's configuration, checked against its digest; None where it is absent."""
        return self._json(image, "blobs", digest, _CONFIG_LIMIT, deadline)

    def same_config(self, repository: str, one: str, other: str, timeout: float) -> bool | None:
        """Whether two digests are one image: the same manifest, one within the other's index, or the same config.

        A node may name a config's own digest. None where the registry does not tell, or not within `timeout` seconds:
        a deploy does not wait for evidence. Never raises RefusedError.
        """
        if one == other:
            return True
        try:
            image = parse(repository)
            ours, theirs = self._in_time(
                lambda deadline: (self._identities(image, one, deadline), self._identities(image, other, deadline)),
                image,
                timeout,
            )
        except KdeployError:
            return None
        if (ours | {one}) & (theirs | {other}):
            return True
        return False if ours and theirs else None

    def _identities(self, image: Reference, digest: str, deadline: Deadline) -> frozenset[str]:
        """The digests of the platforms' manifests and of their configs; empty where the manifest is absent."""
        top = self.manifest(image, digest, deadline)
        if top is None:
            return frozenset()
        children = _platform_digests(top)
        manifests = [self.manifest(image, child, deadline) for child in children] if children else [top]
        return frozenset([*children, *filter(None, (_text(each, "config", "digest") for each in manifests))])

    def _json(
        self, image: Reference, kind: str, digest: str, limit: int, deadline: Deadline | None
    ) -> dict[str, Any] | None:
        """A manifest or blob by its digest, checked against it; None where it is absent."""
        if not _SHA256.fullmatch(digest):
            raise _broken(image, f"it names the digest {one_line(digest, 80)!r}")
        accept = _ACCEPT if kind == "manifests" else "*/*"
        answer = self._transport.ask("GET", image, f"{kind}/{digest}", accept=accept, limit=limit, deadline=deadline)
        if answer.is_absent:
            return None
        return _checked_json(answer, image, digest)


def _in_time(ask: Callable[[Deadline], T], image: Reference, timeout: float) -> T:
    """What `ask` finds until its deadline. A credential helper ends by that; what knows no end is left behind."""
    deadline = Deadline(time.monotonic, timeout)
    try:
        return bounded(lambda: ask(deadline), timeout + _ENDING, "kdeploy-registry")
    except TimeoutError as error:
        raise RefusedError(
            f"the registry {image.domain} does not answer: no whole answer within {timeout:.1f} s",
            hint="check the name and the network, then try again",
            reason=Reason.IMAGE_PULL_FAILED,
        ) from error


def _checked_json(answer: Answer, image: Reference, digest: str) -> dict[str, Any]:
    if _sha256(answer.body) != digest:
        raise _broken(image, f"what it sent for {digest} has another digest")
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise _broken(image, f"{digest} is no JSON") from error
    if not isinstance(value, dict):
        raise _broken(image, f"{digest} is no JSON object")
    return value


def _platform_digests(index: Obj | None) -> list[str]:
    """The digests of an index's images; none for a single manifest.

    buildx adds attestations, which are entries too, for the platform unknown/unknown.
    """
    entries = _at(index, "manifests")
    return [
        digest
        for entry in (entries if isinstance(entries, list) else [])
        if _at(entry, "annotations", _ATTESTATION) is None and _at(entry, "platform", "os") != "unknown"
        if (digest := _text(entry, "digest"))
    ][:_MAX_PLATFORMS]


def _at(value: object, *names: str) -> Any:
    """What lies at a path of keys in JSON that somebody else wrote; None where the path ends early."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _text(value: object, *names: str) -> str:
    found = _at(value, *names)
    return found if isinstance(found, str) else ""


def _sha256(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _broken(image: Reference, why: str) -> RefusedError:
    return RefusedError(
        f"the registry {image.domain} gave a broken answer for {image.repository}: {why}",
        hint="push the image anew, or look at the proxy between here and the registry",
        reason=Reason.IMAGE_PULL_FAILED,
    )
