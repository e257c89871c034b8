"""Which files of a build context are not those of the checked-out commit, and a hash of what they hold.

Only files that can reach the build count: those below the context that neither git nor .dockerignore leaves out, and
the Dockerfile and .dockerignore themselves.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdeploy.build.dockerignore import is_ignored, parse_dockerignore
from kdeploy.build.git import Git
from kdeploy.errors import ConfigError
from kdeploy.text import one_line

_CHUNK = 1 << 20
Check = Callable[[], object]
_STATUS = ("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--ignored=traditional")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unversioned:
    """What goes into the build and is not the commit's, as paths relative to the context, sorted. `changed`: changed,
    deleted and untracked files. `ignored`: those that git ignores and .dockerignore does not, file by file, since an
    exception of .dockerignore may stand below a folder that it leaves out.
    """

    changed: tuple[str, ...]
    ignored: tuple[str, ...]


def unversioned(git: Git, context: str, dockerfile: str | None) -> Unversioned:
    """Asks git once. Raises ConfigError."""
    places = ["."]
    if dockerfile and Path(context).resolve() not in Path(dockerfile).resolve().parents:
        places.append(str(Path(dockerfile).resolve()))
    finished = git(*_STATUS, "--", *places)
    if finished.code and len(places) > 1 and "outside repository" in finished.err:
        finished = git(*_STATUS, "--", ".")
    if finished.code:
        raise ConfigError(f"git status failed in {context}: {one_line(finished.err)}", hint="try git status there")
    base = Path(context, git.text("rev-parse", "--show-cdup"))
    entries = parse_status(finished.out)

    def sent(is_ignored: bool) -> tuple[str, ...]:
        paths = (os.path.relpath(base / path, context) for code, path in entries if (code == "!!") is is_ignored)
        return tuple(sorted(_sent_to_builder(context, dockerfile, paths)))

    return Unversioned(changed=sent(False), ignored=sent(True))


def parse_status(output: bytes) -> list[tuple[str, str]]:
    """The entries of `git status --porcelain=v1 -z`: two letters, and after a space a path from the checkout's top."""
    entries = (os.fsdecode(entry) for entry in output.split(b"\0") if len(entry) > 3)
    return [(entry[:2], entry[3:]) for entry in entries]


def content_hash(context: str, paths: Sequence[str], check: Check = lambda: None) -> str:
    """A SHA-256 in hex that names the paths and all that they hold: the same files give the same hash.

    `check` is called between the pieces, and may raise TimeoutError: nobody knows how much there is. Raises ConfigError
    then.
    """
    digest = hashlib.sha256()
    for path in paths:
        for piece in _pieces(Path(context, path)):
            _in_time(check, context)
            digest.update(b"%d:" % len(piece) + piece)
        digest.update(os.fsencode(path) + b"\0")
    return digest.hexdigest()


def _in_time(check: Check, context: str) -> None:
    try:
        check()
    except TimeoutError as error:
        raise ConfigError(
            f"the files of {context} that are in no commit could not be read in time",
            hint="leave out by .dockerignore what the build does not need, or raise --build-timeout",
        ) from error


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
