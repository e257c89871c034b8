"""The instructions, and what each does to an image's draft. How they are read is parse.py's business. Pure.

The rules: https://docs.docker.com/reference/dockerfile/, and where that is silent BuildKit's
frontend/dockerfile/dockerfile2llb/convert.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kdeploy.build.layers.draft import DEFAULT_SHELL, CopyFiles, Draft, MakeFolder
from kdeploy.build.layers.lines import Line
from kdeploy.build.layers.ports import expand_ports
from kdeploy.build.layers.problems import DockerfileError, UnsupportedError

Pairs = tuple[tuple[str, str], ...]

# https://man7.org/linux/man-pages/man7/signal.7.html
_SIGNAL = re.compile(
    r"ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT|STOP|SYS|TERM|TRAP"
    r"|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|RTM(?:IN|AX)(?:[+-][0-9]{1,2})?"
)
_LAST_SIGNAL = 64


class Instruction(Protocol):
    """One instruction within a stage."""

    @property
    def line(self) -> Line:
        """Where it stands."""
        ...

    def apply(self, draft: Draft, /) -> None:
        """Changes the draft. Raises DockerfileError; UnsupportedError where it takes an engine."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg:
    """ARG: names with their defaults; None is none."""

    line: Line
    pairs: tuple[tuple[str, str | None], ...]

    def apply(self, draft: Draft) -> None:
        """A build argument goes before the default, the default before a global argument."""
        for name, default in self.pairs:
            value = draft.given.get(name)
            if value is None:
                value = draft.shared.get(name) if default is None else draft.expand(default, self.line)
            if value is not None:
                draft.args[name] = value
        draft.record(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Env:
    """ENV."""

    line: Line
    pairs: Pairs

    def apply(self, draft: Draft) -> None:
        """Every value sees the variables as they were before the whole line."""
        for name, value in _expanded(self.pairs, draft, self.line):
            draft.set_env(name, value)
        draft.record(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """LABEL."""

    line: Line
    pairs: Pairs

    def apply(self, draft: Draft) -> None:
        """Later ones replace earlier ones, the base image's too."""
        new = dict(_expanded(self.pairs, draft, self.line))
        draft.config["Labels"] = {**(draft.config.get("Labels") or {}), **new}
        draft.record(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """COPY or ADD from the context."""

    line: Line
    sources: tuple[str, ...]
    dest: str
    owner: str = ""
    mode: int | None = None

    def apply(self, draft: Draft) -> None:
        """Adds a step. Raises UnsupportedError for what ADD would fetch."""
        sources = tuple(draft.expand(source, self.line) for source in self.sources)
        for source in sources if self.line.keyword == "ADD" else ():
            if "://" in source or source.startswith("git@"):
                raise UnsupportedError(self.line.number, f"{self.line}", instead="fetch it first, and COPY the file")
        dest = draft.absolute(draft.expand(self.dest, self.line))
        if len(sources) > 1 and not dest.endswith("/"):
            raise DockerfileError(
                self.line.number,
                f"{self.line}: several sources need a folder to go to",
                hint=f"end the destination with a slash: {dest}/",
            )
        owner = draft.expand(self.owner, self.line)
        step = CopyFiles(line=self.line, sources=sources, dest=dest, owner=owner, mode=self.mode)
        draft.record(self.line, step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir:
    """WORKDIR."""

    line: Line
    path: str

    def apply(self, draft: Draft) -> None:
        """A relative path goes on from the last one. The folder belongs to the USER of the moment."""
        path = draft.absolute(draft.expand(self.path, self.line)).rstrip("/") or "/"
        draft.config["WorkingDir"] = path
        owner = str(draft.config.get("User") or "")
        draft.record(self.line, MakeFolder(line=self.line, path=path, owner=owner) if path != "/" else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """CMD or ENTRYPOINT: the words of the exec form, or the text of the shell form."""

    line: Line
    words: tuple[str, ...] | None = None
    text: str = ""

    def apply(self, draft: Draft) -> None:
        """An ENTRYPOINT drops the CMD that comes from the base image."""
        shell = tuple(draft.config.get("Shell") or DEFAULT_SHELL)
        words = list((*shell, self.text) if self.words is None else self.words)
        if self.line.keyword == "CMD":
            draft.config["Cmd"], draft.has_cmd = words, True
        else:
            draft.config["Entrypoint"] = words
            if not draft.has_cmd:
                draft.config["Cmd"] = None
        draft.record(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """USER, STOPSIGNAL: one text of the configuration, under the name `key`."""

    line: Line
    key: str
    text: str

    def apply(self, draft: Draft) -> None:
        """Raises DockerfileError for a signal that Linux does not have."""
        value = draft.expand(self.text, self.line)
        if self.key == "StopSignal" and not _is_signal(value):
            raise DockerfileError(self.line.number, f"{self.line}: there is no such signal")
        draft.config[self.key] = value
        draft.record(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """SHELL, HEALTHCHECK: a value of the configuration without variables in it."""

    line: Line
    key: str
    value: Mapping[str, Any] | tuple[str, ...]

    def apply(self, draft: Draft) -> None:
        """Sets it."""
        draft.config[self.key] = list(self.value) if isinstance(self.value, tuple) else dict(self.value)
        draft.record(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose:
    """EXPOSE."""

    line: Line
    ports: tuple[str, ...]

    def apply(self, draft: Draft) -> None:
        """Adds them to the base image's. Raises DockerfileError for one that is no port."""
        words = [word for port in self.ports for word in draft.expand_words(port, self.line)]
        try:
            ports = expand_ports(words)
        except ValueError as error:
            raise DockerfileError(self.line.number, f"{self.line}: {error}") from None
        draft.config["ExposedPorts"] = {**(draft.config.get("ExposedPorts") or {}), **{port: {} for port in ports}}
        draft.record(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """VOLUME."""

    line: Line
    paths: tuple[str, ...]

    def apply(self, draft: Draft) -> None:
        """Adds them to the base image's."""
        paths = [draft.expand(path, self.line) for path in self.paths]
        if not all(paths):
            raise DockerfileError(self.line.number, f"{self.line}: a volume is empty")
        draft.config["Volumes"] = {**(draft.config.get("Volumes") or {}), **{path: {} for path in paths}}
        draft.record(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer:
    """MAINTAINER, which a label has replaced."""

    line: Line

    def apply(self, draft: Draft) -> None:
        """Names the author."""
        draft.author = self.line.rest
        draft.record(self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What is right and takes an engine: an error only where the stage is needed."""

    line: Line
    instead: str = ""

    @property
    def error(self) -> UnsupportedError:
        """Says so."""
        return UnsupportedError(self.line.number, str(self.line), instead=self.instead)

    def apply(self, _: Draft) -> None:
        """Raises UnsupportedError."""
        raise self.error


def _expanded(pairs: Pairs, draft: Draft, line: Line) -> list[tuple[str, str]]:
    return [(draft.expand(name, line), draft.expand(value, line)) for name, value in pairs]


def _is_signal(name: str) -> bool:
    if name.isascii() and name.isdigit():
        return 0 < int(name) <= _LAST_SIGNAL
    return _SIGNAL.fullmatch(name.upper().removeprefix("SIG")) is not None
