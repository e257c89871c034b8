"""The build context as a builder sees it: what .dockerignore leaves, in one order, and nothing from outside."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from kdeploy.build.dockerignore import Rule, compile_component, is_ignored, parse_dockerignore
from kdeploy.build.layers.lines import LIMIT
from kdeploy.errors import BuildError
from kdeploy.text import one_line

_MAX_LINKS = 40
_WILD = re.compile(r"(?:[^\\]|\\.)*?[*?[]")
_GIT = ".git"


class Kind(Enum):
    """What is copied."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing of the context. `path` is relative to the context, "" for itself.

    `name` is what a COPY of it is called: a link that is followed keeps its own name. `mode` is 0o644 or 0o755, as git
    has it; `target` is a link's.
    """

    path: str
    name: str
    kind: Kind
    mode: int = 0o644
    size: int = 0
    target: str = ""


class SourceError(ValueError):
    """A source that is not to be had; the text says why, as half a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A folder on this machine, and the rules of what a builder gets of it."""

    folder: Path
    rules: Sequence[Rule] = ()

    def find(self, source: str) -> list[Item]:
        """What a source of COPY means, in the order of names: wildcards may mean nothing. Raises SourceError.

        A source that is a link is followed, links below it are not. The path may not lead out of the context, and an
        absolute one starts from it.
        """
        parts = _confined(source)
        plain = next((at for at, part in enumerate(parts) if _WILD.match(part)), len(parts))
        start = self._followed("/".join(parts[:plain]))
        if plain == len(parts):
            name = posixpath.basename("/".join(parts))
            return [self._item(start, name=name, source=source)]
        found = [start]
        for at, part in enumerate(parts[plain:], plain):
            is_last = at == len(parts) - 1
            found = [path for folder in found for path in self._matching(folder, part, folders_only=not is_last)]
        return [
            self._item(self._followed(path), name=posixpath.basename(path), source=path)
            for path in found
            if self._is_sent(path)
        ]

    def children(self, folder: Item) -> Iterator[Item]:
        """What is in a folder and goes to a builder, sorted by the bytes of the names."""
        for name in self._names(folder.path):
            path = f"{folder.path}/{name}" if folder.path else name
            if (item := self._look(path, name)) and self._is_sent(path, item):
                yield item

    def path(self, item: Item) -> Path:
        """Where it is on this machine."""
        return self.folder / item.path

    def _item(self, path: str, *, name: str, source: str) -> Item:
        item = self._look(path, name)
        if item is None:
            raise SourceError(f"{source} is not in the build context")
        if path and not self._is_sent(path, item):
            raise SourceError(f"{source} {self._why_left_out(path)}")
        return item

    def _look(self, path: str, name: str) -> Item | None:
        """What is there; None for nothing, and for sockets, pipes and devices, which no image holds."""
        place = self.folder / path
        try:
            state = place.lstat()
            if stat.S_ISREG(state.st_mode):
                mode = 0o755 if state.st_mode & stat.S_IXUSR else 0o644
                return Item(path=path, name=name, kind=Kind.FILE, mode=mode, size=state.st_size)
            if stat.S_ISDIR(state.st_mode):
                return Item(path=path, name=name, kind=Kind.FOLDER, mode=0o755)
            if stat.S_ISLNK(state.st_mode):
                target = os.readlink(place)  # noqa: PTH115  (a Path would tidy it up)
                return Item(path=path, name=name, kind=Kind.LINK, mode=0o777, target=target)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}") from None
        return None

    def _names(self, path: str) -> list[str]:
        try:
            return sorted(os.listdir(self.folder / path), key=os.fsencode)  # noqa: PTH208  (names alone, sorted at once)
        except OSError as error:
            raise SourceError(f"{path or '.'} cannot be read: {error.strerror}") from None

    def _matching(self, folder: str, pattern: str, *, folders_only: bool) -> Iterator[str]:
        try:
            matches = compile_component(pattern).fullmatch
        except re.error:
            return
        item = self._look(folder, "")
        for name in self._names(folder) if item and item.kind is Kind.FOLDER else ():
            path = f"{folder}/{name}" if folder else name
            if matches(name) and not (folders_only and not self._is_folder(path)):
                yield path

    def _is_folder(self, path: str) -> bool:
        item = self._look(path, "")
        return item is not None and item.kind is Kind.FOLDER

    def _is_sent(self, path: str, item: Item | None = None) -> bool:
        """Whether a builder gets it; a folder that is left out comes along with what an exception takes in again."""
        if _GIT in path.split("/"):
            return False
        if not is_ignored(path, self.rules):
            return True
        item = item or self._look(path, "")
        if item is None or item.kind is not Kind.FOLDER or not any(rule.is_exception for rule in self.rules):
            return False
        return next(self.children(item), None) is not None

    def _why_left_out(self, path: str) -> str:
        if _GIT in path.split("/"):
            return "is left out: what is in .git differs from clone to clone"
        return "is left out by .dockerignore"

    def _followed(self, path: str) -> str:
        """Where `path` leads to with all links followed; none may lead out of the context."""
        done: list[str] = []
        left = path.split("/")[::-1] if path else []
        links = 0
        while left:
            name = left.pop()
            if name == "..":
                if not done:
                    raise SourceError(f"{path} leads out of the build context by a link")
                done.pop()
                continue
            here = "/".join((*done, name))
            item = self._look(here, name)
            if item is None or item.kind is not Kind.LINK:
                done.append(name)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise SourceError(f"{path} leads in circles by links")
            if item.target.startswith("/"):
                raise SourceError(f"{path} leads out of the build context by a link to {one_line(item.target, 80)}")
            left += [part for part in item.target.split("/") if part not in ("", ".")][::-1]
        return "/".join(done)


def open_context(folder: str, dockerfile: str) -> Context:
    """The context with the rules of DOCKERFILE.dockerignore, else of its .dockerignore. Raises BuildError."""
    for file in (Path(f"{dockerfile}.dockerignore"), Path(folder, ".dockerignore")):
        try:
            with file.open("rb") as opened:
                content = opened.read(LIMIT + 1)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise BuildError(f"{file} cannot be read: {error.strerror}", hint="mend it or its permissions") from error
        if len(content) > LIMIT:
            raise BuildError(f"{file} is larger than {LIMIT} bytes", hint="is this the right file?")
        try:
            rules = parse_dockerignore(content.decode("utf-8", "replace"), strict=True)
        except ValueError as error:
            raise BuildError(f"{file}, {one_line(str(error))}", hint="mend the pattern") from None
        return Context(folder=Path(folder), rules=rules)
    return Context(folder=Path(folder))


def _confined(source: str) -> list[str]:
    """The names on the way to a source. Raises SourceError where it leads above the context."""
    parts: list[str] = []
    for part in source.split("/"):
        if part == "..":
            if not parts:
                raise SourceError(f"{source} lies outside of the build context")
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return parts
