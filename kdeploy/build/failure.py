"""Why a build or a push failed, read from what the engine said. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from kdeploy.build.credentials import login_hint
from kdeploy.errors import BuildError
from kdeploy.model import Location, Reason
from kdeploy.reference import Reference
from kdeploy.text import clean, one_line

TAIL_LINES = 20

_PUSHING = re.compile(r"failed to push|push access denied", re.IGNORECASE)
_DENIED = re.compile(
    r"denied|unauthorized|no basic auth credentials|insufficient_scope|authentication required|authorization failed"
    r"|\b40[13]\b|failed to authorize|failed to fetch (?:anonymous|oauth) token",
    re.IGNORECASE,
)
_UNREACHABLE = re.compile(
    r"connection refused|no such host|name or service not known|name resolution|i/o timeout|network is unreachable"
    r"|no route to host|context deadline exceeded"
    r"|TLS handshake timeout|x509:|server gave HTTP response to HTTPS client|connection reset by peer",
    re.IGNORECASE,
)
_NO_ENGINE = re.compile(r"cannot connect to the docker daemon|failed to connect to the docker api", re.IGNORECASE)
_ERROR = re.compile(r"(?:ERROR|error)[:=]\s*(.+)")
_FAILED_STEP = re.compile(r" > (.+):")
_CLASSIC_STEP = re.compile(r"Step \d+/\d+ : (.+)")
_QUOTED = re.compile(r"(\S+):([1-9][0-9]{0,6})")
_RULE = re.compile(r"-{8,}")
_PARSED = re.compile(r"dockerfile parse error (?:on )?line ([1-9][0-9]{0,6})", re.IGNORECASE)
_WRAPPERS = re.compile(
    r"(?:failed to solve(?: with frontend [\w.]+)?|rpc error: code = \w+ desc =|failed to create LLB definition):? "
)


def last_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """The end of the output as a person may read it."""
    return tuple(clean(line, 500) for line in lines[-TAIL_LINES:])


def build_failure(
    lines: Sequence[str], image: Reference, title: str, dockerfile: str = "Dockerfile", text: str = ""
) -> BuildError:
    """The error for a build or a build-and-push of `dockerfile`, which has this text, that ended badly with these
    lines of output.
    """
    cause = _cause(lines)
    if _NO_ENGINE.search(cause):
        return BuildError(
            f"the Docker engine does not answer: {one_line(cause)}",
            hint="start it, or point DOCKER_HOST or the docker context at one that runs",
            tail=last_lines(lines),
        )
    if _PUSHING.search(cause) or _failed_step(lines).startswith("pushing "):
        return push_failure(lines, image)
    hint = "mend the Dockerfile or what it runs; the last lines of the build say where"
    if "not supported for the docker driver" in cause:
        hint = "make a builder that can do this: docker buildx create --use"
    elif _DENIED.search(cause):
        hint = "docker login to the registry of the base image, and check its name in FROM"
    elif _UNREACHABLE.search(cause):
        hint = "a registry or server that the build needs cannot be reached; check the network and try again"
    line = _line(lines, PurePath(dockerfile).name) or _line_of_step(_failed_step(lines), text)
    return BuildError(
        f"{title} could not build the image: {one_line(cause)}",
        hint=hint,
        location=Location(file=dockerfile, line=line) if line else None,
        tail=last_lines(lines),
    )


def push_failure(lines: Sequence[str], image: Reference, *, pusher: str = "the Docker engine") -> BuildError:
    """The error for a push by `pusher` that ended badly; the reason is PushDenied where the login was refused."""
    cause = _cause(lines)
    if _DENIED.search(cause):
        return BuildError(
            f"the registry {image.domain} refused the push of {image}: {one_line(cause)}",
            hint=f"{login_hint(image.domain)}, and check that this user may push to {image.repository}",
            reason=Reason.PUSH_DENIED,
            tail=last_lines(lines),
        )
    hint = "look at the registry's own log"
    if _UNREACHABLE.search(cause):
        hint = f"check that {image.domain} is right and that {pusher} reaches it"
    return BuildError(f"{image} could not be pushed: {one_line(cause)}", hint=hint, tail=last_lines(lines))


def timed_out(title: str, seconds: float, lines: Sequence[str]) -> BuildError:
    """The error for a build that took longer than it may."""
    return BuildError(
        f"{title} did not finish within {max(1, round(seconds))} s",
        hint="raise --build-timeout, or look at what the last lines were busy with",
        tail=last_lines(lines),
    )


def _line(lines: Sequence[str], name: str) -> int | None:
    """The Dockerfile's line that BuildKit quotes below "Dockerfile:7" and a rule, or that the parser names."""
    for above, below in zip(reversed(lines[:-1]), reversed(lines[1:]), strict=True):
        found = _QUOTED.fullmatch(above.strip())
        if found and PurePath(found[1]).name == name and _RULE.fullmatch(below.strip()):
            return int(found[2])
    parsed = _PARSED.search(_cause(lines))
    return int(parsed[1]) if parsed else None


def _line_of_step(step: str, text: str) -> int | None:
    """The one line of the Dockerfile that a step is from, where an older engine names only the step."""
    instruction = step.rpartition("] ")[2]
    found = [number for number, line in enumerate(text.splitlines(), 1) if line.strip() == instruction]
    return found[0] if len(found) == 1 else None


def _cause(lines: Sequence[str]) -> str:
    """The last line that calls itself an error, without that word and BuildKit's wrappings; else the last one."""
    for line in reversed(lines):
        if found := _ERROR.search(line):
            return _WRAPPERS.sub("", found[1])
    return lines[-1] if lines else "it ended without a word"


def _failed_step(lines: Sequence[str]) -> str:
    """The step that failed, e.g. "[2/2] RUN make": BuildKit names it between two rules at the end, the classic builder
    as it begins. Else "".
    """
    named = next((found[1] for line in reversed(lines) if (found := _FAILED_STEP.fullmatch(line))), "")
    return named or next((found[1] for line in reversed(lines) if (found := _CLASSIC_STEP.fullmatch(line))), "")
