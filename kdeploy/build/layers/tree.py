"""The files of an image as far as they decide where others go: folders with their attributes, links, names. Pure.

Every path here is relative to the image's root, without a slash at either end; "" is the root. Links are followed
within the root, as in a chroot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_MAX_LINKS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """Of a folder. `mtime` in Unix seconds; `xattrs` as tar has them, by their SCHILY.xattr names."""

    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    xattrs: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Folder:
    """A folder and what is in it, by name."""

    attributes: Attributes = field(default_factory=Attributes)
    children: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True, slots=True)
class File:
    """Anything else. `content` is known of the few files that are read: /etc/passwd and /etc/group."""

    content: bytes | None = None


Node = Folder | Link | File


class TreeError(ValueError):
    """A path that leads nowhere; the text says why, as half a sentence."""


@dataclass(slots=True)
class Tree:
    """All files of an image, changed in place as layers are put on."""

    root: Folder = field(default_factory=Folder)

    def get(self, path: str) -> Node | None:
        """What is at `path`: a link itself, not what it leads to; None for nothing, or where the way is no folder."""
        node: Node | None = self.root
        for name in _names(path):
            node = node.children.get(name) if isinstance(node, Folder) else None
        return node

    def put(self, path: str, node: Node) -> None:
        """Puts `node` in place of whatever is there; folders above that are missing are made."""
        *above, name = _names(path)
        folder = self.root
        for each in above:
            below = folder.children.get(each)
            if not isinstance(below, Folder):
                below = folder.children[each] = Folder()
            folder = below
        folder.children[name] = node

    def remove(self, path: str) -> None:
        """Takes away `path` and all below it, if there is such a thing."""
        above, _, name = path.rpartition("/")
        folder = self.get(above)
        if isinstance(folder, Folder):
            folder.children.pop(name, None)

    def resolve(self, path: str) -> str:
        """Where `path` really is, every link followed, the last one too; names that are missing stay as they are.

        Raises TreeError where links lead in circles.
        """
        done: list[str] = []
        left = list(_names(path))[::-1]
        links = 0
        while left:
            name = left.pop()
            if name == "..":
                del done[-1:]
                continue
            node = self.get("/".join((*done, name)))
            if not isinstance(node, Link):
                done.append(name)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise TreeError(f"/{path} leads in circles")
            if node.target.startswith("/"):
                done = []
            left += list(_names(node.target))[::-1]
        return "/".join(done)


def _names(path: str) -> Iterator[str]:
    return (name for name in path.split("/") if name not in ("", "."))
