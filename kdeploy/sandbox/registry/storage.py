"""Blobs, manifests and tags in a folder. Synchronous: a file or two for each call.

    blobs/sha256/ab/abcd...             contents by their digest, of manifests too, shared by all repositories
    repositories/NAME/_blobs/abcd...    empty: the repository has this blob
    repositories/NAME/_manifests/ab...  the repository has this manifest; its media type
    repositories/NAME/_tags/TAG         the tag's digest
    incoming/...                        what is being written

No part of a repository's name begins with an underscore, so none is taken for a folder of another's. Every file is
written beside the others and then renamed, so that a reader sees all of it or nothing, and only its user can read it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kdeploy.reference import is_tag
from kdeploy.sandbox.registry.errors import Code, Problem, RegistryError, refusal
from kdeploy.sandbox.registry.manifest import Contents, read_manifest
from kdeploy.sandbox.registry.names import check_digest, check_name, digest_of, hex_of, is_digest

_BLOBS, _MANIFESTS, _TAGS = "_blobs", "_manifests", "_tags"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A stored manifest or index: its bytes as they were pushed, and the media type that they were pushed as."""

    digest: str
    media_type: str
    content: bytes

    @property
    def contents(self) -> Contents:
        """What it names."""
        return read_manifest(self.media_type, self.content)


class Storage:
    """What a registry keeps below `root`, which is made where it is missing.

    A name or digest that is none raises RegistryError with NAME_INVALID or DIGEST_INVALID, in every method.
    """

    def __init__(self, root: Path) -> None:
        self.incoming = root / "incoming"
        self._blobs = root / "blobs" / "sha256"
        self._repositories = root / "repositories"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.incoming, self._blobs, self._repositories):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def resolve(self, repository: str, reference: str) -> str | None:
        """The digest of the manifest that a tag or digest names in the repository; None where there is none."""
        if ":" in reference:
            return reference if self._link(repository, _MANIFESTS, check_digest(reference)).is_file() else None
        if not is_tag(reference):
            return None
        text = _read(self._repository(repository) / _TAGS / reference).decode(errors="replace")
        return text if is_digest(text) else None

    def manifest(self, repository: str, digest: str) -> Manifest | None:
        """The manifest with this digest; None where the repository has it not."""
        media_type = _read(self._link(repository, _MANIFESTS, digest)).decode(errors="replace")
        if not media_type or not (path := self.blob_path(digest)):
            return None
        return Manifest(digest=digest, media_type=media_type, content=path.read_bytes())

    def blob_path(self, digest: str) -> Path | None:
        """The file with the content of this digest, whichever repository has it; None where there is none."""
        path = self._blob(digest)
        return path if path.is_file() else None

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether the blob was pushed to, or mounted into, this repository."""
        return self._link(repository, _BLOBS, digest).is_file()

    def tags(self, repository: str) -> list[str] | None:
        """The repository's tags in byte order; None where no manifest was ever pushed to it."""
        folder = self._repository(repository)
        if not (folder / _MANIFESTS).is_dir():
            return None
        return sorted(_names(folder / _TAGS))

    def repositories(self) -> list[str]:
        """The names of the repositories that have manifests, in byte order."""
        return sorted(self._walk(self._repositories))

    def take_in(self, repository: str, digest: str, path: Path) -> None:
        """Makes the file at `path` (below `incoming`, already known to have this digest) a blob of the repository."""
        link, target = self._link(repository, _BLOBS, digest), self._blob(digest)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        path.replace(target)
        self._write(link, b"")

    def mount(self, repository: str, digest: str, source: str) -> bool:
        """Lets the repository have a blob that `source` has; False where that has it not."""
        if not self.has_blob(source, digest):
            return False
        self._write(self._link(repository, _BLOBS, digest), b"")
        return True

    def put_manifest(self, repository: str, reference: str, media_type: str, content: bytes) -> str:
        """Stores a manifest under a tag or under its own digest; returns the digest.

        Raises RegistryError: what `read_manifest` raises; DIGEST_INVALID where `reference` is another digest;
        MANIFEST_BLOB_UNKNOWN, once for each, where the repository lacks what it names.
        """
        digest = digest_of(content)
        if ":" in reference and check_digest(reference) != digest:
            raise refusal(Code.DIGEST_INVALID, f"what was sent has {digest}")
        if ":" not in reference and not is_tag(reference):
            raise refusal(Code.MANIFEST_INVALID, reference, message="not a valid tag")
        self._check_parts(repository, read_manifest(media_type, content))
        blob = self._blob(digest)
        blob.parent.mkdir(mode=0o700, exist_ok=True)
        self._write(blob, content)
        self._write(self._link(repository, _MANIFESTS, digest), media_type.encode())
        if ":" not in reference:
            self._write(self._repository(repository) / _TAGS / reference, digest.encode())
        return digest

    def delete_manifest(self, repository: str, reference: str) -> None:
        """Forgets a tag, or a manifest with all its tags. Raises RegistryError with MANIFEST_UNKNOWN."""
        digest = self.resolve(repository, reference)
        if digest is None:
            raise refusal(Code.MANIFEST_UNKNOWN, reference)
        tags = self._repository(repository) / _TAGS
        if ":" not in reference:
            (tags / reference).unlink(missing_ok=True)
            return
        for tag in _names(tags):
            if _read(tags / tag) == digest.encode():
                (tags / tag).unlink(missing_ok=True)
        self._link(repository, _MANIFESTS, digest).unlink(missing_ok=True)

    def delete_blob(self, repository: str, digest: str) -> None:
        """Takes a blob from the repository; others keep it. Raises RegistryError with BLOB_UNKNOWN."""
        try:
            self._link(repository, _BLOBS, digest).unlink()
        except FileNotFoundError as error:
            raise refusal(Code.BLOB_UNKNOWN, digest) from error

    def _check_parts(self, repository: str, contents: Contents) -> None:
        missing = [part.digest for part in contents.blobs if not self.has_blob(repository, part.digest)]
        missing += [part.digest for part in contents.manifests if self.resolve(repository, part.digest) is None]
        if missing:
            raise RegistryError(*(Problem(code=Code.MANIFEST_BLOB_UNKNOWN, detail=digest) for digest in missing))

    def _walk(self, folder: Path) -> Iterator[str]:
        for name in _names(folder):
            if name == _MANIFESTS:
                yield folder.relative_to(self._repositories).as_posix()
            elif not name.startswith("_"):
                yield from self._walk(folder / name)

    def _repository(self, name: str) -> Path:
        return self._repositories / check_name(name)

    def _link(self, repository: str, kind: str, digest: str) -> Path:
        return self._repository(repository) / kind / hex_of(digest)

    def _blob(self, digest: str) -> Path:
        digits = hex_of(digest)
        return self._blobs / digits[:2] / digits

    def _write(self, target: Path, content: bytes) -> None:
        """Writes a small file whole; mkstemp makes it 0600."""
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self.incoming)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _read(path: Path) -> bytes:
    """A small file's content; empty where there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return b""


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
