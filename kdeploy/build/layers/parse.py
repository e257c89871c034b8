"""From a line of a Dockerfile to its instruction. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from kdeploy.build.layers.instructions import (
    Arg,
    Command,
    Copy,
    Env,
    Expose,
    Fixed,
    Instruction,
    Label,
    Maintainer,
    Pairs,
    Refused,
    Setting,
    Volume,
    Workdir,
)
from kdeploy.build.layers.lines import Line
from kdeploy.build.layers.problems import DockerfileError
from kdeploy.build.layers.words import split_words
from kdeploy.config.nearest import did_you_mean

_OCTAL = re.compile(r"[0-7]{1,4}")
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|ms|s|m|h)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_HEALTH_FLAGS = {
    "--interval": "Interval",
    "--timeout": "Timeout",
    "--start-period": "StartPeriod",
    "--start-interval": "StartInterval",
}


def parse_instruction(line: Line, escape: str) -> Instruction:
    """Raises DockerfileError for what no builder would take, unknown instructions among it."""
    parse = _PARSERS.get(line.keyword)
    if parse is None:
        raise DockerfileError(
            line.number,
            f'there is no instruction "{line.keyword}"',
            hint=did_you_mean(line.keyword, [name.lower() for name in INSTRUCTIONS]),
        )
    if not line.rest:
        raise DockerfileError(line.number, f"{line.keyword} needs something after it")
    if line.flags and line.keyword not in _WITH_FLAGS:
        raise DockerfileError(line.number, f"{line.keyword} knows no flag {line.flags[0]}")
    return parse(line, escape)


def flags_of(line: Line, known: Mapping[str, bool]) -> dict[str, str]:
    """The flags by their names; `known` says whether one takes a value. Raises DockerfileError for others."""
    found: dict[str, str] = {}
    for flag in line.flags:
        name, equals, value = flag.partition("=")
        if name not in known:
            raise DockerfileError(line.number, f"{line.keyword} knows no flag {name}", hint=did_you_mean(name, known))
        if known[name] and not value:
            raise DockerfileError(line.number, f"{name} needs a value", hint=f"write it as {name}=VALUE")
        found[name] = value if equals else "true"
    return found


def json_words(line: Line, text: str) -> tuple[str, ...] | None:
    """The words of the exec form, ["a", "b"]; None where it is not that. Raises DockerfileError for other JSON."""
    if not text.startswith("["):
        return None
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise DockerfileError(line.number, f"{line}: a list in brackets may hold texts only")
    return tuple(words)


def _arg(line: Line, escape: str) -> Arg:
    pairs = []
    for word in split_words(line.rest, escape):
        name, equals, value = word.partition("=")
        if not name:
            raise DockerfileError(line.number, f"{line}: an argument has no name")
        pairs.append((name, value if equals else None))
    return Arg(line=line, pairs=tuple(pairs))


def _pairs(line: Line, escape: str) -> Pairs:
    """NAME=VALUE as often as one likes, or the old form: NAME and all the rest of the line."""
    words = split_words(line.rest, escape)
    if "=" not in words[0]:
        name, *value = line.rest.split(None, 1)
        if not value:
            raise DockerfileError(line.number, f"{line} has no value", hint=f"write {line.keyword} {name}=VALUE")
        return ((name, value[0]),)
    wrong = next((word for word in words if "=" not in word.lstrip("=")), None)
    if wrong is not None:
        raise DockerfileError(line.number, f"{line}: {wrong} is not NAME=VALUE")
    return tuple((name, value) for name, _, value in (word.partition("=") for word in words))


def _copy(line: Line, _: str) -> Copy | Refused:
    values = {"--chown": True, "--chmod": True, "--from": True, "--exclude": True, "--checksum": True}
    switches = {"--link": False, "--parents": False, "--keep-git-dir": False, "--unpack": False}
    flags = flags_of(line, values | switches)
    if line.has_heredoc:
        return Refused(line=line, instead="put the text into a file, and COPY that")
    if "--from" in flags:
        return Refused(line=line, instead="bring the files into the build context, and COPY them from there")
    if flags.keys() - {"--chown", "--chmod", "--link"}:
        return Refused(line=line, instead="list the files that are meant")
    mode = flags.get("--chmod")
    if mode is not None and not _OCTAL.fullmatch(mode):
        return Refused(line=line, instead="give --chmod as an octal number, such as 0755")
    words = json_words(line, line.rest)
    *sources, dest = line.rest.split() if words is None else words or ("",)
    if not sources:
        raise DockerfileError(line.number, f"{line} has no destination")
    return Copy(
        line=line,
        sources=tuple(sources),
        dest=dest,
        owner=flags.get("--chown", ""),
        mode=None if mode is None else int(mode, 8),
    )


def _command(line: Line, _: str) -> Command:
    return Command(line=line, words=json_words(line, line.rest), text=line.rest)


def _shell(line: Line, _: str) -> Fixed:
    words = json_words(line, line.rest)
    if not words:
        raise DockerfileError(line.number, f"{line} is no list", hint='write SHELL ["/bin/bash", "-c"]')
    return Fixed(line=line, key="Shell", value=words)


def _healthcheck(line: Line, _: str) -> Fixed:
    flags = flags_of(line, {**dict.fromkeys(_HEALTH_FLAGS, True), "--retries": True})
    kind, *more = line.rest.split(None, 1)
    if kind.upper() == "NONE" and not more:
        return Fixed(line=line, key="Healthcheck", value={"Test": ["NONE"]})
    if kind.upper() != "CMD" or not more:
        raise DockerfileError(line.number, f"{line} is neither HEALTHCHECK NONE nor HEALTHCHECK CMD command")
    words = json_words(line, more[0])
    health: dict[str, object] = {"Test": ["CMD-SHELL", more[0]] if words is None else ["CMD", *words]}
    for flag, key in _HEALTH_FLAGS.items():
        if duration := _nanoseconds(line, flag, flags.get(flag, "0s")):
            health[key] = duration
    retries = flags.get("--retries", "0")
    if not (retries.isascii() and retries.isdigit()):
        raise DockerfileError(line.number, f"--retries={retries} is no number")
    return Fixed(line=line, key="Healthcheck", value=health | ({"Retries": int(retries)} if int(retries) else {}))


def _nanoseconds(line: Line, flag: str, text: str) -> int:
    """A duration as Go reads it; it is 0 or at least a millisecond."""
    parts = _DURATION.findall(text)
    total = 0
    for part in parts:
        unit = part.lstrip("0123456789.")
        total += round(float(part.removesuffix(unit)) * _NANOSECONDS[unit])
    if "".join(parts) != text or 0 < total < _NANOSECONDS["ms"]:
        raise DockerfileError(line.number, f"{flag}={text} is no duration", hint=f"write it as {flag}=30s")
    return total


def _volume(line: Line, _: str) -> Volume:
    words = json_words(line, line.rest)
    return Volume(line=line, paths=tuple(line.rest.split()) if words is None else words)


def _from(line: Line, _: str) -> Instruction:
    raise DockerfileError(line.number, f"{line} is no instruction within a stage")


_PARSERS: Mapping[str, Callable[[Line, str], Instruction]] = {
    "FROM": _from,
    "ARG": _arg,
    "ENV": lambda line, escape: Env(line=line, pairs=_pairs(line, escape)),
    "LABEL": lambda line, escape: Label(line=line, pairs=_pairs(line, escape)),
    "COPY": _copy,
    "ADD": _copy,
    "WORKDIR": lambda line, _: Workdir(line=line, path=line.rest),
    "CMD": _command,
    "ENTRYPOINT": _command,
    "USER": lambda line, _: Setting(line=line, key="User", text=line.rest),
    "STOPSIGNAL": lambda line, _: Setting(line=line, key="StopSignal", text=line.rest),
    "SHELL": _shell,
    "HEALTHCHECK": _healthcheck,
    "EXPOSE": lambda line, _: Expose(line=line, ports=tuple(line.rest.split())),
    "VOLUME": _volume,
    "MAINTAINER": lambda line, _: Maintainer(line=line),
    "RUN": lambda line, _: Refused(line=line, instead="let the pipeline run it before, and COPY what it makes"),
    "ONBUILD": lambda line, _: Refused(line=line, instead="write the instruction where it is to happen"),
}
INSTRUCTIONS = tuple(_PARSERS)
"""Every instruction that a Dockerfile may have."""

_WITH_FLAGS = frozenset({"FROM", "COPY", "ADD", "HEALTHCHECK", "RUN"})
