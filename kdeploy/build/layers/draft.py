"""An image in the making: its configuration, the variables, and what is to be done to its files. No file is touched."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kdeploy.build.layers.lines import Line
from kdeploy.build.layers.problems import DockerfileError
from kdeploy.build.layers.words import WordError, expand, expand_words

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFiles:
    """COPY or ADD: from the context to `dest`, an absolute path that ends with a slash where a folder is meant.

    `owner` is "", or names or numbers as in --chown; `mode` None: as git has it.
    """

    line: Line
    sources: tuple[str, ...]
    dest: str
    owner: str = ""
    mode: int | None = None

    @property
    def is_add(self) -> bool:
        """ADD would unpack an archive."""
        return self.line.keyword == "ADD"


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeFolder:
    """WORKDIR: the folder is there from then on; `owner` is the USER of the moment."""

    line: Line
    path: str
    owner: str = ""


Step = CopyFiles | MakeFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One instruction for the image's history, with what it does to the files, if anything."""

    text: str
    step: Step | None = None


@dataclass(slots=True, kw_only=True)
class Draft:
    """What the instructions work on. `config` is the "config" of an image's configuration, and changed in place.

    `given` are the build arguments, `shared` what ARG before the first FROM and the platform define.
    """

    config: dict[str, Any]
    given: Mapping[str, str]
    shared: Mapping[str, str]
    escape: str = "\\"
    author: str = ""
    args: dict[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    has_cmd: bool = False

    def __post_init__(self) -> None:
        """As BuildKit does, a PATH is always set."""
        if "PATH" not in self.env:
            self.set_env("PATH", DEFAULT_PATH)

    @property
    def env(self) -> dict[str, str]:
        """The variables that the image's containers will have."""
        pairs = (entry.partition("=") for entry in self.config.get("Env") or ())
        return {name: value for name, _, value in pairs}

    @property
    def workdir(self) -> str:
        """The folder that relative destinations start from."""
        return str(self.config.get("WorkingDir") or "/")

    def set_env(self, name: str, value: str) -> None:
        """Sets one variable, in its old place where there is one."""
        self.config["Env"] = [f"{key}={text}" for key, text in {**self.env, name: value}.items()]

    def expand(self, text: str, line: Line) -> str:
        """`text` with variables; ENV goes before ARG, whichever comes last. Raises DockerfileError."""
        try:
            return expand(text, self.args | self.env, self.escape)
        except WordError as error:
            raise DockerfileError(line.number, f"{line}: {error}") from None

    def expand_words(self, text: str, line: Line) -> list[str]:
        """As `expand`, and then divided."""
        try:
            return expand_words(text, self.args | self.env, self.escape)
        except WordError as error:
            raise DockerfileError(line.number, f"{line}: {error}") from None

    def absolute(self, path: str) -> str:
        """A path of the image from its root; it ends with a slash where `path` says that it is a folder."""
        joined = posixpath.normpath(posixpath.join("/", self.workdir, path))
        clean = "/" + joined.lstrip("/")
        is_folder = path in ("", ".", "..") or path.endswith(("/", "/.", "/.."))
        return clean + "/" if is_folder and clean != "/" else clean

    def record(self, line: Line, step: Step | None = None) -> None:
        """Puts an instruction into the history, as it stands in the Dockerfile: values of arguments may be secret."""
        text = " ".join(" ".join((line.keyword, *line.flags, line.rest)).split())
        self.events.append(Event(text=text, step=step))
