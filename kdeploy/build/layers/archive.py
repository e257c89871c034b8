"""A layer's archive: the same entries give the same bytes on every machine, in every version of Python.

The format is that of POSIX.1-2001 (pax): ustar headers, and records before those whose values do not fit. It is written
here, byte by byte, because tarfile's own choices may differ between versions. The archive is not compressed: the same
text has another deflate stream in each version of zlib, and a layer's digest names the bytes that are pushed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kdeploy.build.layers.entries import Entry
from kdeploy.errors import BuildError
from kdeploy.text import one_line

_BLOCK = 512
_CHUNK = 1 << 20
_NAME_BYTES, _LINK_BYTES = 100, 100
_MAX_ID = 0o7777777
_MAX_SIZE = 0o77777777777
_REGULAR, _LINK, _FOLDER, _RECORDS = b"0", b"2", b"5", b"x"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An archive: its digest, which is its diff id too, and its size in bytes."""

    digest: str
    size: int


def write_archive(entries: Iterable[Entry], file: BinaryIO, check: Callable[[], None] = lambda: None) -> Written:
    """Writes the entries in their order; `check` is called between pieces and may raise.

    Raises BuildError for a file that cannot be read, or that another program changes meanwhile.
    """
    digest, size = hashlib.sha256(), 0
    for piece in _pieces(entries):
        check()
        file.write(piece)
        digest.update(piece)
        size += len(piece)
    return Written(digest=f"sha256:{digest.hexdigest()}", size=size)


def _pieces(entries: Iterable[Entry]) -> Iterator[bytes]:
    for entry in entries:
        yield _header(entry)
        if entry.source:
            yield from _content(entry.source, entry.size)
            yield b"\0" * (-entry.size % _BLOCK)
    yield b"\0" * 2 * _BLOCK


def _content(source: Path, size: int) -> Iterator[bytes]:
    """The file's bytes, exactly as many as its header says. A link that took its place is not followed."""
    left = size
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123  (a descriptor, not a path)
            while left and (piece := file.read(min(left, _CHUNK))):
                left -= len(piece)
                yield piece
            is_changed = left > 0 or file.read(1) != b""
    except OSError as error:
        raise BuildError(
            f"{one_line(str(source))} cannot be read: {error.strerror}", hint="mend its permissions"
        ) from error
    if is_changed:
        raise BuildError(
            f"{one_line(str(source))} was changed while it was read", hint="build when nothing writes there"
        )


def _header(entry: Entry) -> bytes:
    """The ustar header, with the pax records that it needs before it."""
    name = os.fsencode(entry.path) + (b"/" if entry.is_folder else b"")
    target = os.fsencode(entry.target)
    kind = _FOLDER if entry.is_folder else _LINK if entry.target else _REGULAR
    records = dict(_records(entry, name, target))
    block = _ustar(
        name=name,
        kind=kind,
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size,
        mtime=entry.mtime,
        target=target,
    )
    return _extended(records) + block if records else block


def _records(entry: Entry, name: bytes, target: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(name) > _NAME_BYTES or not name.isascii():
        yield b"path", name
    if len(target) > _LINK_BYTES or not target.isascii():
        yield b"linkpath", target
    numbers = (("uid", entry.uid, _MAX_ID), ("gid", entry.gid, _MAX_ID), ("size", entry.size, _MAX_SIZE))
    for key, value, most in numbers:
        if value > most:
            yield key.encode(), b"%d" % value
    for key, text in entry.xattrs.items():
        yield os.fsencode(key), os.fsencode(text)


def _extended(records: Mapping[bytes, bytes]) -> bytes:
    body = b"".join(_record(key, value) for key, value in sorted(records.items()))
    header = _ustar(name=b"PaxHeaders/x", kind=_RECORDS, mode=0o644, size=len(body))
    return header + body + b"\0" * (-len(body) % _BLOCK)


def _record(key: bytes, value: bytes) -> bytes:
    """One line: "LENGTH KEY=VALUE", where the length counts its own digits and the newline."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _ustar(
    *,
    name: bytes,
    kind: bytes,
    mode: int,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    target: bytes = b"",
) -> bytes:
    """A header of 512 bytes. A number or name that does not fit is cut: a record says what it is."""
    block = b"".join(
        (
            name[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0"),
            _octal(mode & 0o7777, 8),
            _octal(min(uid, _MAX_ID), 8),
            _octal(min(gid, _MAX_ID), 8),
            _octal(size if size <= _MAX_SIZE else 0, 12),
            _octal(mtime, 12),
            b" " * 8,
            kind,
            target[:_LINK_BYTES].ljust(_LINK_BYTES, b"\0"),
            b"ustar\x0000",
            b"\0" * 64,  # the names of user and group
            _octal(0, 8) * 2,
            b"\0" * 167,
        )
    )
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _octal(number: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, number)
