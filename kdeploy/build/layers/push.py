"""To a registry: blobs that it lacks, then the manifest. It is asked first, and mounts what another repository has.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push. A blob goes in one piece, as containerd and
BuildKit send it: POST for a place, PUT with the content.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote, urljoin

import requests

from kdeploy.build.answers import RETRIED, TransientError, retry_after
from kdeploy.build.layers.oci import MANIFEST_TYPE, Descriptor
from kdeploy.build.transport import Body, Request, Result, Transport
from kdeploy.errors import RefusedError
from kdeploy.model import Reason
from kdeploy.reference import Reference
from kdeploy.text import file_size, one_line

_BLOB_TYPE = "application/octet-stream"
_STORING = 300.0
_PATIENCE = 120.0
_CHUNK = 1 << 16
_ERROR_BYTES = 8192


class How(StrEnum):
    """What became of a blob."""

    EXISTS = "exists"
    MOUNTED = "mounted"
    PUSHED = "pushed"


class PushError(Exception):
    """The registry did not take it; the text says what it answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """What is to be there. `open` gives the content, anew each time; `source` is an image that has it too."""

    descriptor: Descriptor
    open: Callable[[], AbstractContextManager[Body]]
    source: Reference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """An image as it is pushed: its manifest with the digest, and all that the manifest names."""

    manifest: bytes
    digest: str
    blobs: tuple[Blob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesBody:
    """What is in memory as a request's body."""

    content: bytes

    def __len__(self) -> int:
        """Its bytes."""
        return len(self.content)

    def __iter__(self) -> Iterator[bytes]:
        """All in one piece."""
        yield self.content

    @contextmanager
    def opened(self) -> Iterator[Body]:
        """Itself."""
        yield self


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBody:
    """A file as a request's body."""

    path: Path
    size: int
    check: Callable[[], None]

    def __len__(self) -> int:
        """Its bytes."""
        return self.size

    def __iter__(self) -> Iterator[bytes]:
        """The file in pieces."""
        with self.path.open("rb") as file:
            while piece := file.read(_CHUNK):
                self.check()
                yield piece

    @contextmanager
    def opened(self) -> Iterator[Body]:
        """Itself: nothing is open between its readings."""
        yield self


@dataclass(frozen=True, slots=True, kw_only=True)
class Pusher:
    """Pushes to `image`, a repository with a tag. `check` is called now and then, and may raise to end the work.

    Every method raises PushError where the registry says no or does not answer, RefusedError where TLS fails.
    """

    transport: Transport
    image: Reference
    check: Callable[[], None]

    def push(self, package: Package, line: Callable[[str], None]) -> None:
        """Pushes what the registry lacks of the image; `line` is told of each blob."""
        if self.has_manifest(package.digest):
            line(f"exists {self.image} {package.digest}")
            return
        for blob in package.blobs:
            how = self.push_blob(blob)
            line(f"{how} {blob.descriptor.digest} {file_size(blob.descriptor.size)}")
        self.push_manifest(package.manifest, package.digest)
        line(f"pushed {self.image} {package.digest}")

    def has_manifest(self, digest: str) -> bool:
        """Whether the tag names that manifest already."""
        request = self._request("HEAD", f"manifests/{self.image.tag}", accept=MANIFEST_TYPE)
        answer = self._retrying(lambda: self._status(request))
        return answer.ok and answer.headers.get("Docker-Content-Digest") == digest

    def push_blob(self, blob: Blob) -> How:
        """Sees to it that the blob is in the repository."""
        return self._retrying(lambda: self._push_blob(blob))

    def push_manifest(self, content: bytes, digest: str) -> None:
        """Gives the tag its manifest."""
        request = Request(
            method="PUT",
            image=self.image,
            path=f"manifests/{self.image.tag}",
            headers={"Content-Type": MANIFEST_TYPE},
            body=lambda: content,
            patience=_STORING,
        )
        answer = self._retrying(lambda: self._taken(request))
        stored = answer.headers.get("Docker-Content-Digest", digest)
        if stored != digest:
            raise PushError(f"it stored the manifest {digest} as {one_line(stored, 80)}")

    def _push_blob(self, blob: Blob) -> How:
        digest = blob.descriptor.digest
        if self._status(self._request("HEAD", f"blobs/{digest}")).ok:
            return How.EXISTS
        place = None
        source = blob.source
        if source and source.domain == self.image.domain and source.path != self.image.path:
            query = f"?mount={quote(digest)}&from={quote(source.path, safe='')}"
            answer = self._status(self._request("POST", f"blobs/uploads/{query}"))
            if answer.status_code == 201:
                return How.MOUNTED
            place = _place(answer) if answer.status_code == 202 else None
        place = place or self._begin()
        with ExitStack() as stack:
            request = Request(
                method="PUT",
                image=self.image,
                path=f"{place}{'&' if '?' in place else '?'}digest={quote(digest)}",
                headers={"Content-Type": _BLOB_TYPE},
                body=lambda: stack.enter_context(blob.open()),
                patience=_STORING,
            )
            self._taken(request)
        return How.PUSHED

    def _begin(self) -> str:
        place = _place(self._taken(self._request("POST", "blobs/uploads/")))
        if not place:
            raise PushError("it named no place to upload to")
        return place

    def _request(self, method: str, path: str, *, accept: str = "*/*") -> Request:
        return Request(method=method, image=self.image, path=path, headers={"Accept": accept})

    def _status(self, request: Request) -> requests.Response:
        """Whatever is answered. Raises TransientError for what a later try may mend."""
        self.check()
        with self.transport.exchange(request) as response:
            if response.status_code in RETRIED:
                raise TransientError(f"HTTP {response.status_code}", retry_after(response))
            return response

    def _taken(self, request: Request) -> requests.Response:
        """An answer that says yes."""
        self.check()
        with self.transport.exchange(request) as response:
            if response.status_code in RETRIED:
                raise TransientError(_said(response), retry_after(response))
            if not response.ok:
                raise PushError(_said(response))
            return response

    def _retrying(self, call: Callable[[], Result]) -> Result:
        try:
            return self.transport.retrying(call, patience=_PATIENCE)
        except TransientError as error:
            raise PushError(f"the registry {self.image.domain} does not answer: {error}") from error
        except RefusedError as error:
            if error.reason is Reason.IMAGE_UNAUTHORIZED:
                raise PushError(f"unauthorized: {error.message}") from error
            raise


def _place(answer: requests.Response) -> str:
    """The whole address that an answer names for the upload; "" for none."""
    location = answer.headers.get("Location", "")
    return urljoin(answer.url, location) if location else ""


def _said(response: requests.Response) -> str:
    """The status and the registry's own words, of which hostile ones are cut."""
    text = b""
    try:
        for piece in response.iter_content(_ERROR_BYTES):
            text += piece
            if len(text) >= _ERROR_BYTES:
                break
    except requests.RequestException:
        pass
    return one_line(f"HTTP {response.status_code} {_errors(text)}", 300)


def _errors(text: bytes) -> str:
    """The spec's error document: {"errors": [{"code": ..., "message": ...}]}; else the text itself."""
    try:
        errors = json.loads(text)["errors"]
        return "; ".join(f"{str(error['code']).lower()}: {error.get('message', '')}" for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return text.decode("utf-8", "replace")
