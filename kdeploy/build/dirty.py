"""Which files of a build context are not those of the checked-out commit, and a hash of what they hold.

Only files that can reach the build count: those below the context that neither git nor .dockerignore leaves out, and
the Dockerfile and .dockerignore themselves.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from kdeploy.build.dockerignore import is_ignored, parse_dockerignore
from kdeploy.build.git import Git
from kdeploy.errors import ConfigError
from kdeploy.text import one_line

_CHUNK = 1 << 20


def changed_files(git: Git, context: str, dockerfile: str | None) -> tuple[str, ...]:
    """The changed, deleted and untracked files, as paths relative to the context, sorted. Raises ConfigError."""
    places = ["."]
    if dockerfile and Path(context).resolve() not in Path(dockerfile).resolve().parents:
        places.append(str(Path(dockerfile).resolve()))
    finished = git("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", *places)
    if finished.code and len(places) > 1 and "outside repository" in finished.err:
        finished = git("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", ".")
    if finished.code:
        raise ConfigError(f"git status failed in {context}: {one_line(finished.err)}", hint="try git status there")
    top = git.text("rev-parse", "--show-cdup")
    base = Path(context, top)
    paths = (os.path.relpath(base / entry[3:], context) for entry in parse_status(finished.out))
    return tuple(sorted(_sent_to_builder(context, dockerfile, paths)))


def ignored_files(git: Git, context: str, dockerfile: str | None) -> tuple[str, ...]:
    """The files and folders that git ignores and the build gets all the same, as paths relative to the context."""
    finished = git("status", "--porcelain=v1", "-z", "--ignored=matching", "--untracked-files=all", "--", ".")
    base = Path(context, git.text("rev-parse", "--show-cdup"))
    entries = (os.fsdecode(entry[3:]) for entry in finished.out.split(b"\0") if entry.startswith(b"!! "))
    return tuple(sorted(_sent_to_builder(context, dockerfile, (os.path.relpath(base / e, context) for e in entries))))


def parse_status(output: bytes) -> Iterator[str]:
    """The entries of `git status --porcelain=v1 -z`: two letters, a space, a path from the top of the checkout."""
    return (os.fsdecode(entry) for entry in output.split(b"\0") if len(entry) > 3)


def content_hash(context: str, paths: Sequence[str]) -> str:
    """8 hex digits that name the paths and all that they hold: the same changes give the same hash."""
    return whole_hash(context, paths)[:8]


def whole_hash(context: str, paths: Sequence[str]) -> str:
    """The same as a whole SHA-256 in hex."""
    digest = hashlib.sha256()
    for path in paths:
        for piece in _pieces(Path(context, path)):
            digest.update(b"%d:" % len(piece) + piece)
        digest.update(os.fsencode(path) + b"\0")
    return digest.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    """What is at `path`: its kind and content; for a folder (a submodule, a nested repository) all below it."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            yield b"link"
            yield os.fsencode(path.readlink())
        elif stat.S_ISDIR(mode):
            for below in sorted(path.iterdir()):
                if below.name != ".git":
                    yield os.fsencode(below.name)
                    yield from _pieces(below)
        elif stat.S_ISREG(mode):
            yield b"program" if mode & stat.S_IXUSR else b"file"
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
    except OSError as error:
        yield f"error {error.errno}".encode()


def _sent_to_builder(context: str, dockerfile: str | None, paths: Iterator[str]) -> Iterator[str]:
    """Drops what .dockerignore keeps from the builder; a Dockerfile with an ignore file of its own drops nothing."""
    ignore = Path(context, ".dockerignore")
    own = Path(f"{dockerfile or Path(context, 'Dockerfile')}.dockerignore")
    if own.exists() or not ignore.is_file():
        yield from paths
        return
    rules = parse_dockerignore(ignore.read_text("utf-8", "replace"))
    always = {".dockerignore", os.path.relpath(dockerfile or Path(context, "Dockerfile"), context)}
    yield from (path for path in paths if path in always or not is_ignored(path, rules))
