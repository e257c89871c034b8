"""Which files of a build context are not those of the checked-out commit, as far as git can tell.

Only files that can reach the build count: those below the context that neither git nor .dockerignore leaves out, and
the Dockerfile and its ignore files themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from kdeploy.build.contents import Sent, ignore_files, sent
from kdeploy.build.git import Git
from kdeploy.errors import ConfigError
from kdeploy.text import one_line

_STATUS = ("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=none")


def changed_files(
    git: Git, top: str, context: str, dockerfile: str | None, beside: Iterable[str] = ()
) -> tuple[str, ...]:
    """Changed, deleted and untracked files, as paths relative to the context, sorted. `top`: the checkout's, with no
    link in it; `beside`: files that do not count. Raises ConfigError.
    """
    folder = os.path.realpath(context)  # as git sees it, which follows links
    places = ["."]
    if dockerfile and os.path.commonpath([folder, os.path.realpath(dockerfile)]) != folder:
        places += [os.path.realpath(path) for path in (dockerfile, ignore_files(context, dockerfile)[1])]
    finished = git(*_STATUS, "--", *places)
    if finished.code and len(places) > 1 and "outside repository" in finished.err:
        finished = git(*_STATUS, "--", ".")
    if finished.code:
        raise ConfigError(f"git status failed in {context}: {one_line(finished.err)}", hint="try git status there")
    others = {os.path.realpath(path) for path in beside}
    found = (f"{top}/{path}" for path in parse_status(finished.out))
    return tuple(sorted(_sent(sent(context, dockerfile), folder, (path for path in found if path not in others))))


def parse_status(output: bytes) -> list[str]:
    """The paths of `git status --porcelain=v1 -z`, from the checkout's top."""
    return [os.fsdecode(entry)[3:] for entry in output.split(b"\0") if len(entry) > 3]


def _sent(to_builder: Sent, folder: str, paths: Iterable[str]) -> Iterator[str]:
    """Those that go to the builder. git ends the path of a folder, a nested repository, with a slash."""
    for path in paths:
        name = os.path.relpath(path, folder)
        if to_builder.has(name) or (path.endswith("/") and to_builder.may_have_below(name)):
            yield name
