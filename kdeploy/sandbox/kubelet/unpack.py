"""Unpacks an image's layers into a folder, and nothing outside of it.

A layer is a tar by https://github.com/opencontainers/image-spec/blob/main/layer.md. It may come from anybody who can
push, so every entry is checked before it is written. (`tarfile` would check too, by PEP 706's filters, but not in the
Python 3.11.2 of Debian 12; it reads the archive, and what is written is written here.)

- A name is relative, without "..", and no folder on its way is a link.
- A link's target has ".." at its front only, and no more of them than there are folders above the link. From that it
  follows, link by link, that no chain of links leads out of the root.
- Devices, pipes, sparse files are refused. The sizes are capped while they are read, the ratio of a bomb as well.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from kdeploy.text import one_line

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
_LONGEST_RECORD = 1 << 20


class UnpackError(Exception):
    """A layer that is refused: what is wrong, in words for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that all layers of an image together may hold.

    `ratio`: bytes unpacked for each byte of the blobs, once more than `free` bytes were unpacked.
    """

    entries: int = 100_000
    size: int = 1 << 30
    ratio: int = 200
    free: int = 16 << 20
    depth: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer's blob. `diff_id` ("sha256:...") is the digest of the tar, as the image's config has it."""

    blob: Path
    diff_id: str
    compressed: bool


@dataclass(slots=True)
class _Spent:
    """What was unpacked so far, of all layers."""

    limits: Limits
    entries: int = 0
    size: int = 0
    packed: int = 0

    def entry(self) -> None:
        self.entries += 1
        if self.entries > self.limits.entries:
            raise UnpackError(f"the image has more than {self.limits.entries} entries")

    def read(self, count: int) -> None:
        self.size += count
        if self.size > self.limits.size:
            raise UnpackError(f"the image unpacks to more than {self.limits.size} bytes")
        if self.size > self.limits.free and self.size > self.packed * self.limits.ratio:
            raise UnpackError(f"the image unpacks to more than {self.limits.ratio} times its size")


def unpack(layers: Iterable[Layer], root: Path, limits: Limits | None = None) -> None:
    """Unpacks the layers, lowest first, into the empty folder `root`. Raises UnpackError; what was written stays."""
    spent = _Spent(limits or Limits())
    for layer in layers:
        spent.packed += layer.blob.stat().st_size
        with _refusals(), layer.blob.open("rb") as blob:
            _unpack_layer(_Tar(gzip.GzipFile(fileobj=blob) if layer.compressed else blob, spent), layer, root, spent)


class _Tar(io.RawIOBase):
    """The bytes of a layer's tar as they are read: counted, and hashed."""

    def __init__(self, source: gzip.GzipFile | io.BufferedReader, spent: _Spent) -> None:
        super().__init__()
        self._source, self._spent, self._hash = source, spent, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._spent.read(len(data))
        self._hash.update(data)
        return data

    def digest(self) -> str:
        """The digest of the whole tar; reads what is left of it."""
        while self.read():
            pass
        return f"sha256:{self._hash.hexdigest()}"


@contextmanager
def _refusals() -> Iterator[None]:
    """Every way in which a broken layer shows, as an UnpackError."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, OverflowError, RecursionError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        raise UnpackError(f"a layer cannot be unpacked: {one_line(why)}") from error


class _Header(tarfile.TarInfo):
    """A header whose long names and pax records, which `tarfile` reads whole, are of a size that is sane."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        """Called for each header; see "entry point" in Lib/tarfile.py."""
        if self.size > _LONGEST_RECORD and not (self.isreg() or self.issparse()):
            raise UnpackError(f"a layer is refused: it has a header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


def _unpack_layer(tar: _Tar, layer: Layer, root: Path, spent: _Spent) -> None:
    own: set[PurePosixPath] = set()
    with tarfile.open(fileobj=tar, mode="r|", bufsize=1 << 16, tarinfo=_Header) as archive:
        for member in archive:
            spent.entry()
            path = _path(member.name, spent.limits)
            if path.name.startswith(WHITEOUT):
                _white_out(path, root, own)
            elif path.parts:
                _extract(archive, member, path, root, spent)
                own.update((path, *path.parents))
    if tar.digest() != layer.diff_id:
        raise UnpackError(f"a layer is not the one that the image's config names: {one_line(layer.diff_id, 80)}")


def _path(name: str, limits: Limits) -> PurePosixPath:
    """The entry's place below the root."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise _refused(name, "it leads out of the root")
    if len(path.parts) > limits.depth:
        raise _refused(name, f"it is more than {limits.depth} folders deep")
    return path


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, path: PurePosixPath, root: Path, spent: _Spent) -> None:
    _check_parents(path, root)
    if member.issym():
        _check_symlink(member, path)
    elif member.islnk():
        _check_hard_link(member, root)
    elif not (member.isreg() or member.isdir()) or member.issparse():
        raise _refused(member.name, "it is neither a file, a folder nor a link")
    place = root / path
    if not (member.isdir() and _is_real_dir(place)):
        _remove(place)
    _make_folders(place.parent, spent)
    if member.isdir():
        place.mkdir(mode=0o755, exist_ok=True)
    elif member.issym():
        place.symlink_to(member.linkname)
    elif member.islnk():
        place.hardlink_to(root / member.linkname)
    else:
        _write(archive, member, place)


def _make_folders(place: Path, spent: _Spent) -> None:
    """Makes the folders that the layer does not name itself: each is an entry too."""
    missing = list(takewhile(lambda folder: not folder.exists(), (place, *place.parents)))
    for folder in reversed(missing):
        spent.entry()
        folder.mkdir(mode=0o755)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    """Writes a file that is not there: readable, executable where its owner may execute it, with its own time."""
    source = archive.extractfile(member)
    assert source is not None
    with source, place.open("xb") as target:
        shutil.copyfileobj(source, target)
    place.chmod(0o755 if member.mode & stat.S_IXUSR else 0o644)
    os.utime(place, (member.mtime, member.mtime))


def _check_parents(path: PurePosixPath, root: Path) -> None:
    for parent in path.parents:
        place = root / parent
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise _refused(str(path), f"{parent} is no folder")


def _check_symlink(member: tarfile.TarInfo, path: PurePosixPath) -> None:
    target = PurePosixPath(member.linkname)
    ups = next((i for i, part in enumerate(target.parts) if part != ".."), len(target.parts))
    if target.is_absolute() or ".." in target.parts[ups:] or ups >= len(path.parts) or not target.parts:
        raise _refused(member.name, f"it links out of the root, to {one_line(member.linkname, 100)}")


def _check_hard_link(member: tarfile.TarInfo, root: Path) -> None:
    target = PurePosixPath(member.linkname)
    if target.is_absolute() or ".." in target.parts:
        raise _refused(member.name, f"it links out of the root, to {one_line(member.linkname, 100)}")
    _check_parents(target, root)
    place = root / target
    if place.is_symlink() or not place.is_file():
        raise _refused(member.name, f"it links to {one_line(member.linkname, 100)}, which is no file")


def freeze(root: Path) -> None:
    """Takes the write permission from all that is unpacked: pods share it."""
    for folder, _, files in os.walk(root):
        for place in (Path(folder, name) for name in files):
            if not place.is_symlink():
                place.chmod(place.stat().st_mode & 0o555)
        Path(folder).chmod(0o555)


def remove_tree(root: Path) -> None:
    """Removes a folder that was frozen. One that is not there is no error."""
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(0o755)
    shutil.rmtree(root, ignore_errors=True)


def _white_out(path: PurePosixPath, root: Path, own: set[PurePosixPath]) -> None:
    """Removes what a lower layer brought: one entry, or all of a folder but what this layer has put there itself."""
    _check_parents(path, root)
    folder = root / path.parent
    if path.name == OPAQUE:
        for place in list(folder.iterdir()) if folder.is_dir() else []:
            _remove_but(place, path.parent / place.name, own)
        return
    name = path.name.removeprefix(WHITEOUT)
    if name in ("", ".", ".."):
        raise _refused(str(path), "it leads out of the root")
    _remove(folder / name)


def _remove_but(place: Path, path: PurePosixPath, own: set[PurePosixPath]) -> None:
    if path not in own:
        _remove(place)
    elif _is_real_dir(place):
        for inner in list(place.iterdir()):
            _remove_but(inner, path / inner.name, own)


def _remove(place: Path) -> None:
    if _is_real_dir(place):
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _is_real_dir(place: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(place).st_mode)
    except FileNotFoundError:
        return False


def _refused(name: str, why: str) -> UnpackError:
    return UnpackError(f"a layer is refused: {one_line(name, 200)}: {why}")
