"""What is in a base image's layer: names, folders' attributes, links, accounts; read as a stream, nothing is unpacked.

The format: https://github.com/opencontainers/image-spec/blob/main/layer.md. A layer was written by somebody else: its
entries stay within the root, and what they may take of memory is limited.
"""

from __future__ import annotations

import gzip
import importlib
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, cast

from kdeploy.build.layers.owner import CONTENT_LIMIT, holds_accounts
from kdeploy.build.layers.tree import Attributes, File, Folder, Link, Tree

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_XATTR = "SCHILY.xattr."
_MAX_ENTRIES = 1_000_000
_MAX_TEXT = 256 << 20
_MAX_HEADERS = 4 << 20
_MAX_PATH = 4096
_CHUNK = 1 << 20
_LAST_ID = 2**32 - 2
_LAST_TIME = 8**11 - 1


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at its end."""
        ...


class ScanError(ValueError):
    """A layer that cannot be read; the text is half a sentence."""


class Gone(Enum):
    """What a layer takes away of those below it: a file or folder, or all that is in a folder."""

    PATH = "path"
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of a layer."""

    path: str
    what: Attributes | Link | File | Gone


def scan(stream: Readable) -> list[Record]:
    """All of a layer's entries, whichever way it is compressed. Raises ScanError, and what the stream raises."""
    try:
        return list(_records(_Forward(_decompressed(_Peeked(stream)))))
    except TimeoutError:
        raise
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError, RecursionError) as error:
        raise ScanError(str(error) or type(error).__name__) from error


def put_on(tree: Tree, records: Iterable[Record]) -> None:
    """Lays a layer over the files of those below: what it takes away goes first. Raises TreeError."""
    known = list(records)
    for record in known:
        if record.what is Gone.PATH:
            tree.remove(_real(tree, record.path))
        elif record.what is Gone.CONTENT:
            folder = tree.get(tree.resolve(record.path))
            if isinstance(folder, Folder):
                folder.children.clear()
    for record in known:
        if isinstance(record.what, Gone) or not record.path:
            continue
        path = _real(tree, record.path)
        there = tree.get(path)
        if not isinstance(record.what, Attributes):
            tree.put(path, record.what)
        elif isinstance(there, Folder):
            there.attributes = record.what
        else:
            tree.put(path, Folder(record.what))


def _real(tree: Tree, path: str) -> str:
    """The path with the links above it followed, and not itself."""
    above, _, name = path.rpartition("/")
    real = tree.resolve(above)
    return f"{real}/{name}" if real else name


def _records(file: _Forward) -> Iterator[Record]:
    text = entries = 0
    with tarfile.open(fileobj=cast("Any", file), mode="r:") as archive:
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # else it keeps every one
            file.begin_headers()
            if _size(archive.pax_headers or {}) > _MAX_HEADERS:  # those for all entries, which add up
                raise ScanError("its headers are larger than those of an image")
            path = posixpath.normpath(f"/{member.name}").lstrip("/")
            record = _record(path, member, archive)
            entries += 1
            text += len(path) + len(member.linkname) + _kept(record)
            if len(path) > _MAX_PATH or entries > _MAX_ENTRIES or text > _MAX_TEXT:
                raise ScanError("it has more and longer names than an image has")
            yield record


def _record(path: str, member: tarfile.TarInfo, archive: tarfile.TarFile) -> Record:
    above, _, name = path.rpartition("/")
    if name == _OPAQUE:
        return Record(above, Gone.CONTENT)
    if name.startswith(_WHITEOUT):
        return Record(posixpath.join(above, name.removeprefix(_WHITEOUT)), Gone.PATH)
    if member.isdir():
        return Record(path, _attributes(member))
    if member.issym():
        return Record(path, Link(member.linkname))
    if member.isreg() and holds_accounts(path) and member.size <= CONTENT_LIMIT:
        content = archive.extractfile(member)
        return Record(path, File(content.read() if content else None))
    return Record(path, File())


def _kept(record: Record) -> int:
    """How much a record holds beside its names."""
    if isinstance(record.what, Attributes):
        return _size(record.what.xattrs)
    return len(record.what.content or b"") if isinstance(record.what, File) else 0


def _size(headers: Mapping[str, str]) -> int:
    return sum(len(key) + len(value) for key, value in headers.items())


def _attributes(member: tarfile.TarInfo) -> Attributes:
    return Attributes(
        mode=member.mode & 0o7777,
        uid=min(max(member.uid, 0), _LAST_ID),
        gid=min(max(member.gid, 0), _LAST_ID),
        mtime=int(min(max(member.mtime, 0), _LAST_TIME)),
        xattrs={key: value for key, value in member.pax_headers.items() if key.startswith(_XATTR)},
    )


def _decompressed(stream: _Peeked) -> Readable:
    """By the first bytes, as Docker does: what a manifest says of the compression is often wrong."""
    if stream.head.startswith(b"\x1f\x8b"):
        unpacked: Readable = gzip.GzipFile(fileobj=cast("Any", stream))
        return unpacked
    if stream.head.startswith(b"\x28\xb5\x2f\xfd"):
        try:
            zstandard = importlib.import_module("compression.zstd")
        except ImportError:
            raise ScanError("it is compressed by Zstandard, which Python reads from 3.14 on") from None
        opened: Readable = zstandard.ZstdFile(stream)
        return opened
    return stream


class _Peeked:
    """A stream whose first bytes are known."""

    def __init__(self, stream: Readable) -> None:
        self.head = stream.read(4)
        self._left = self.head
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        """What was looked at comes first."""
        if self._left:
            found, self._left = self._left[: max(size, 1)], self._left[max(size, 1) :]
            return found
        return self._stream.read(size if size >= 0 else _CHUNK)


class _Forward:
    """A file for tarfile that goes forward only: what is passed over is never held, and headers have a limit."""

    def __init__(self, stream: Readable) -> None:
        self._read: Callable[[int], bytes] = stream.read
        self._at = 0
        self._in_headers = 0

    def begin_headers(self) -> None:
        """A new entry begins."""
        self._in_headers = 0

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """Exactly `size` bytes, fewer only at the end. Raises ScanError for more than one entry's headers have."""
        self._in_headers += size
        if size < 0 or self._in_headers > _MAX_HEADERS:
            raise ScanError("an entry's headers are larger than those of a file")
        pieces = b""
        while len(pieces) < size and (piece := self._read(size - len(pieces))):
            pieces += piece
        self._at += len(pieces)
        return pieces

    def seek(self, position: int, _whence: int = 0, /) -> int:
        """Passes over what lies between."""
        if position < self._at:
            raise ScanError("it cannot be read in one go")
        while self._at < position and (piece := self._read(min(_CHUNK, position - self._at))):
            self._at += len(piece)
        return self._at
