"""The small words that all renderers for people share: marks, durations, counts, clipped blocks of hostile text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kdeploy.model import PodCounts
from kdeploy.text import clean, one_line

# A CI's log reader takes "::command::" at a line's start (after white space) and "##[command]" anywhere as an order.
_COMMAND = re.compile(r"^(\s*):(?=:)|##(?=[A-Za-z]*\[)")

_LONG_HASH = re.compile(r"\b[0-9a-f]{40,}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The signs at the start of a line."""

    begin: str = "▸"
    good: str = "✓"
    bad: str = "✗"
    warning: str = "!"
    log: str = "│"


UNICODE = Marks()
ASCII = Marks(begin=">", good="ok:", bad="FAILED:", log="|")


def marks_for(encoding: str | None) -> Marks:
    """The marks that a stream of this encoding can show."""
    try:
        "▸✓✗│…".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def duration(seconds: float) -> str:
    """Seconds as a person reads them: "0.4s", "12.3s", "2m05s", "1h02m"."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def counted(pods: PodCounts) -> str:
    """Pods of the new revision against those wanted, and what is left: "new 5/5, ready 3, available 2, old 2"."""
    return f"new {pods.new}/{pods.desired}, ready {pods.ready}, available {pods.available}, old {pods.old}"


def short(reference: str) -> str:
    """An image reference with each long hash cut to twelve digits: "acme/web:3f2c1a9b8c7d@sha256:ab12ab12ab12"."""
    return _LONG_HASH.sub(lambda match: match[0][:12], one_line(reference))


def plural(count: int, noun: str) -> str:
    """The count and the noun: "1 restart", "3 restarts"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def last_lines(text: str, count: int, width: int = 240) -> list[str]:
    """The last `count` lines of hostile text that are not blank, cleaned, each at most `width` characters."""
    lines = [line.rstrip() for line in clean(text, limit=len(text) + 1).expandtabs(4).split("\n")]
    return [clean(line, width) for line in lines if line][-count:]


def defused(line: str) -> str:
    """`line` so that no CI takes it, or a part of it, for a command."""
    return _COMMAND.sub(lambda match: f"{match[1]}: " if match[1] is not None else "# #", line)


def fenced(lines: Iterable[str], token: str | None) -> list[str]:
    """`lines` between GitHub's stop-commands lines; with no token (not on GitHub) as they are.

    The token must be random and new for this run: whoever can write it into the lines can end the fence.
    """
    kept = list(lines)
    if token is None or not kept:
        return kept
    return [f"::stop-commands::{token}", *(line.replace(token, "***") for line in kept), f"::{token}::"]
