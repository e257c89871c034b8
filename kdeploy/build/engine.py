"""What all builders share: their names, the name they push to, and the log of what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kdeploy.errors import ConfigError
from kdeploy.ports import BuildRequest
from kdeploy.reference import Reference
from kdeploy.text import one_line

CHOICES = ("auto", "buildx", "classic", "layers")
"""The values of --builder."""

Find = Callable[[str, float], str | None]
"""Asks the registry for the digest behind "repository:tag", within so many seconds; None where it is absent.

Raises RefusedError.
"""

Hide = Callable[[str], str]
"""Takes the secrets out of a line of output."""


_LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Passes an engine's lines on as they come, without secrets, and keeps them for the message of a failure."""

    output: Callable[[str], None]
    hide: Hide = str
    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        """Takes one line."""
        shown = self.hide(line)
        self.lines.append(shown)
        self.output(shown)


def text_of(dockerfile: str) -> str:
    """The Dockerfile's text (its first MiB), to find a failed step in it; "" where it cannot be read."""
    try:
        with Path(dockerfile).open(encoding="utf-8", errors="replace") as stream:
            return stream.read(_LARGEST)
    except OSError:
        return ""


def pushed_name(request: BuildRequest) -> Reference:
    """The name to push to."""
    return Reference(repository=request.push_repository or request.repository, tag=request.tag)


def check_name(name: str) -> None:
    """Raises ConfigError for a name that is not one of CHOICES; "" is "auto"."""
    if name not in ("", *CHOICES):
        raise ConfigError(f'there is no builder "{one_line(name, 80)}"', hint=f"--builder takes {', '.join(CHOICES)}")
