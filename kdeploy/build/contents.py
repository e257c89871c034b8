"""What a builder gets of a build context, and a hash of it that two contexts share only if they are alike.

The hash decides whether an image is reused. What git says of the files is not enough: it tells nothing of what a
submodule ignores or lacks, of sparse and "assumed unchanged" files, of Git LFS pointers in the place of files, of modes
but one bit, and of empty folders. `.git` is left out everywhere: it differs from clone to clone.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdeploy.build.dockerignore import Rule, is_ignored, parse_dockerignore
from kdeploy.errors import ConfigError

_CHUNK = 1 << 20
_GIT = ".git"
_MODE = 0o7105
"""What counts of a mode: may its owner execute it, may others read and execute it, and the special bits. Who may write
is the checkout's umask's doing, and an image of the same commit is the same on machines of different ones.
"""
Check = Callable[[], object]
"""Called between the pieces of what is read, as nobody knows how much there is; may raise TimeoutError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What goes to the builder, by paths relative to the context. `always`: whatever the rules say."""

    rules: Sequence[Rule] = ()
    always: frozenset[str] = frozenset()

    def has(self, path: str) -> bool:
        """Whether the builder gets a file, or all of a folder but what is left out below it."""
        return path in self.always or not is_ignored(path, self.rules)

    def may_have_below(self, folder: str) -> bool:
        """Whether it may get a part of a folder: an exception takes in again what is below one that is left out."""
        return self.has(folder) or any(rule.is_exception for rule in self.rules)


def sent(context: str, dockerfile: str | None) -> Sent:
    """By the context's .dockerignore; where the Dockerfile has an ignore file of its own, which not every builder
    heeds, all of it. Raises ConfigError where .dockerignore cannot be read.
    """
    ignore, own = ignore_files(context, dockerfile)
    if _is_file(own) or not _is_file(ignore):
        return Sent()
    try:
        rules = parse_dockerignore(ignore.read_text("utf-8", "replace"))
    except OSError as error:
        raise ConfigError(f"{ignore} cannot be read: {error.strerror}", hint="mend its permissions") from None
    named = os.path.relpath(dockerfile or Path(context, "Dockerfile"), context)
    return Sent(rules=rules, always=frozenset({ignore.name, named}))


def ignore_files(context: str, dockerfile: str | None) -> tuple[Path, Path]:
    """The context's .dockerignore and the Dockerfile's own, whether they are there or not."""
    return Path(context, ".dockerignore"), Path(f"{dockerfile or Path(context, 'Dockerfile')}.dockerignore")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def context_hash(context: str, dockerfile: str | None, *, check: Check = lambda: None) -> str:
    """A text that names all that the builder gets: names, kinds, modes, contents.

    Raises ConfigError where a rule cannot be read, or the time is over.
    """
    folder, own = os.path.realpath(context), ignore_files(context, dockerfile)[1]
    whole = _hash(folder, _below(folder, sent(context, dockerfile)), check)
    if not _is_file(own):
        return whole
    return f"{whole} {_hash(os.path.realpath(own.parent), [os.path.realpath(own)], check, names=False)}"


def files_hash(folder: str, paths: Iterable[str], check: Check = lambda: None) -> str:
    """A SHA-256 in hex of those files, and of all below those that are folders. Raises ConfigError as above."""
    return _hash(folder, (part for path in paths for part in (path, *_below(folder, Sent(), path))), check)


def _hash(folder: str, paths: Iterable[str], check: Check, *, names: bool = True) -> str:
    digest = hashlib.sha256()
    try:
        for path in paths:
            check()
            name = os.fsencode(path) if names else b""
            digest.update(b"%s\0%s\n" % (name, _content(Path(folder, path), check).encode()))
    except TimeoutError as error:
        raise ConfigError(
            f"the files of {folder} could not be read in time",
            hint="leave out by .dockerignore what the build does not need, or raise --build-timeout",
        ) from error
    return digest.hexdigest()


def _below(folder: str, sent: Sent, start: str = "") -> Iterator[str]:
    """What is below `start`, folders before what is in them, in one order on every machine."""
    left = [start]
    while left:
        here = left.pop()
        for name, is_folder in _entries(f"{folder}/{here}"):
            path = f"{here}/{name}" if here else name
            if name == _GIT:
                continue
            if sent.has(path):
                yield path
            if is_folder and sent.may_have_below(path):
                left.append(path)


def _entries(folder: str) -> list[tuple[str, bool]]:
    try:
        with os.scandir(folder) as found:
            entries = [(one.name, one.is_dir(follow_symlinks=False)) for one in found]
    except OSError:  # no folder, or one that cannot be read: the builder says so
        return []
    return sorted(entries, key=lambda entry: os.fsencode(entry[0]))


def _content(path: Path, check: Check) -> str:
    """The kind and mode, and for a file a hash of what it holds, for a link where it leads."""
    try:
        mode = path.lstat().st_mode
        shown = f"{stat.S_IFMT(mode) | (mode & _MODE):o}"
        if stat.S_ISLNK(mode):
            return f"{shown} {hashlib.sha256(os.fsencode(path.readlink())).hexdigest()}"
        if not stat.S_ISREG(mode):
            return shown
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                check()
                digest.update(chunk)
        return f"{shown} {digest.hexdigest()}"
    except OSError as error:
        return f"error {error.errno}"
