"""What a container runs: its arguments, its environment, its folder. Made of the pod's spec and the image's config.

There is no chroot, so a program is looked for below the image's root first, as the image's own PATH says. `python` and
`python3` are the sandbox's interpreter where the image brings none; no other program of the machine is found.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kdeploy.model import Obj

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where an image that sets no PATH has its programs (containerd, oci/spec.go)."""

_PYTHON = frozenset({"python", "python3"})
_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")


class StartError(Exception):
    """The container cannot be started: what runc would say of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run: its file, its arguments (the name that it is called by first), environment and folder."""

    program: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    folder: str


def command_of(container: Obj, config: Obj, env: Mapping[str, str], root: Path, interpreter: str) -> Command:
    """What `container` (of a pod's spec) runs. Raises StartError.

    `config` is the image's configuration, `env` the pod's own variables, `root` the unpacked image. The pod's command
    replaces the image's entry point and its arguments; the pod's args alone replace only the latter.
    """
    image = config.get("config") or {}
    variables = {"PATH": DEFAULT_PATH, **dict(line.partition("=")[::2] for line in image.get("Env") or ()), **env}
    argv = [expand(word, env) for word in container.get("command") or ()] or list(image.get("Entrypoint") or ())
    if container.get("args"):
        argv += [expand(word, env) for word in container["args"]]
    elif not container.get("command"):
        argv += list(image.get("Cmd") or ())
    wanted = container.get("workingDir") or image.get("WorkingDir") or "/"
    folder = below(root, wanted)
    command = made(argv, variables, root, folder, interpreter)
    if not folder.is_dir():
        raise StartError(f"chdir to cwd ({wanted}) set in config.json failed: no such file or directory")
    return command


def made(argv: Sequence[str], env: Mapping[str, str], root: Path, folder: Path, interpreter: str) -> Command:
    """The command for these words. Raises StartError where the image has no such program.

    Python takes the name that it is called by for its own path, and so it is called by that.
    """
    if not argv:
        raise StartError("no command specified")
    program = find_program(argv[0], env.get("PATH", ""), root, folder)
    if program is None and argv[0] in _PYTHON:
        return Command(program=interpreter, argv=(interpreter, *argv[1:]), env=env, folder=str(folder))
    if program is None:
        raise StartError(_not_found(argv[0]))
    return Command(program=str(program), argv=tuple(argv), env=env, folder=str(folder))


def expand(text: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` replaced by its value where it has one; `$$` is a dollar sign.

    k8s.io/kubernetes/third_party/forked/golang/expansion/expand.go: an unknown name stays as it is written.
    """

    def value(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else env.get(found[1], found[0])

    return _REFERENCE.sub(value, text)


def find_program(name: str, search_path: str, root: Path, folder: Path) -> Path | None:
    """The executable file that `name` means inside the root; None where there is none."""
    if "/" in name:
        places: Sequence[Path] = [below(root, name) if name.startswith("/") else folder / name]
    else:
        places = [below(root, part) / name for part in search_path.split(":") if part.startswith("/")]
    return next((place for place in places if is_program(place, root)), None)


def is_program(place: Path, root: Path) -> bool:
    """Whether it is an executable file that lies below the root, its links followed."""
    if not place.is_file() or not os.access(place, os.X_OK):
        return False
    return place.resolve().is_relative_to(root.resolve())


def below(root: Path, path: str) -> Path:
    """An absolute path of the image as one of this machine; ".." does not lead above the root."""
    return root / os.path.normpath(PurePosixPath("/", path)).lstrip("/")


def _not_found(name: str) -> str:
    if "/" in name:
        return f'exec: "{name}": stat {name}: no such file or directory'
    return f'exec: "{name}": executable file not found in $PATH'
