"""One layer in the making: what is put into an image, by path, with the folders above. Pure.

A layer names every folder on the way to a file, with the attributes that it has in the image: engines that unpack a
layer by itself would make it anew, and so /tmp would lose its sticky bit.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kdeploy.build.layers.owner import CONTENT_LIMIT, holds_accounts
from kdeploy.build.layers.tree import Attributes, File, Folder, Link, Tree

WHITEOUT = ".wh."


class PlaceError(ValueError):
    """A place in the image that cannot take what is put there; the text says why, as half a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a layer's archive. `source` is the file that it holds, with `size` bytes; `target` is a link's.

    With neither it is a folder. `mtime` in Unix seconds.
    """

    path: str
    mode: int
    uid: int
    gid: int
    mtime: int
    source: Path | None = None
    size: int = 0
    target: str = ""
    xattrs: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        """Whether it is neither a file nor a link."""
        return self.source is None and not self.target


@dataclass(slots=True, kw_only=True)
class Layer:
    """What one instruction puts into the image whose files are `tree`, which is changed along."""

    tree: Tree
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    put: dict[str, Entry] = field(default_factory=dict)

    def make_folders(self, path: str) -> None:
        """Makes the folders of `path` that are missing; there may be no link on the way. Raises PlaceError."""
        for above in [*_above(path), path] if path else ():
            node = self.tree.get(above)
            if node is None:
                self.put_folder(above, 0o755)
            elif not isinstance(node, Folder):
                raise PlaceError(f"/{above} is no folder in the image")

    def put_folder(self, path: str, mode: int) -> None:
        """Makes a folder, or gives one that is there these attributes. Raises PlaceError."""
        _check_name(path)
        node = self.tree.get(path)
        if node is not None and not isinstance(node, Folder):
            raise PlaceError(f"/{path} is in the image already, and no folder")
        attributes = Attributes(mode=mode, uid=self.uid, gid=self.gid, mtime=self.mtime)
        if node is None:
            self.tree.put(path, Folder(attributes))
        else:
            node.attributes = attributes
        self.put[path] = self._entry(path, mode)

    def put_file(self, path: str, source: Path, size: int, mode: int) -> None:
        """Raises PlaceError where there is a folder."""
        self._check(path)
        self.tree.put(path, File(_beginning(source) if holds_accounts(path) else None))
        self.put[path] = self._entry(path, mode, source=source, size=size)

    def put_link(self, path: str, target: str) -> None:
        """Raises PlaceError where there is a folder."""
        self._check(path)
        self.tree.put(path, Link(target))
        self.put[path] = self._entry(path, 0o777, target=target)

    def entries(self) -> list[Entry]:
        """All of the layer, the folders above included, in the order of their paths' bytes. Empty: there is none."""
        above = {folder for path in self.put for folder in _above(path)} - self.put.keys()
        return sorted([*self.put.values(), *map(self._existing, above)], key=lambda entry: os.fsencode(entry.path))

    def _check(self, path: str) -> None:
        _check_name(path)
        if isinstance(self.tree.get(path), Folder):
            raise PlaceError(f"/{path} is a folder in the image, and no file can take its place")

    def _existing(self, path: str) -> Entry:
        node = self.tree.get(path)
        attributes = node.attributes if isinstance(node, Folder) else Attributes()
        return Entry(
            path=path,
            mode=attributes.mode,
            uid=attributes.uid,
            gid=attributes.gid,
            mtime=attributes.mtime,
            xattrs=attributes.xattrs,
        )

    def _entry(self, path: str, mode: int, *, source: Path | None = None, size: int = 0, target: str = "") -> Entry:
        return Entry(
            path=path,
            mode=mode,
            uid=self.uid,
            gid=self.gid,
            mtime=self.mtime,
            source=source,
            size=size,
            target=target,
        )


def _check_name(path: str) -> None:
    if posixpath.basename(path).startswith(WHITEOUT):
        raise PlaceError(f"/{path}: in a layer, a name that begins with {WHITEOUT} means that a file is gone")


def _beginning(source: Path) -> bytes:
    with source.open("rb") as file:
        return file.read(CONTENT_LIMIT)


def _above(path: str) -> list[str]:
    """The folders on the way to `path`, from the top, without the root and without itself."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
