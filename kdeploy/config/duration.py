"""Durations as Go and Kubernetes write them: "90s", "10m", "1h30m", "250ms"."""

from __future__ import annotations

import re

PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
"""What a duration looks like, for JSON Schema too."""

LONGEST = 7 * 24 * 3600.0
"""Seconds: more than this is a slip of the keyboard, not a deploy."""

_SHAPE = re.compile(PATTERN.removesuffix("$") + r"\Z", re.ASCII)
_PART = re.compile(r"([0-9.]+)(ms|s|m|h)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str | float) -> float:
    """Seconds of a duration text. Raises ValueError with a sentence for a person; numbers are refused on purpose."""
    if isinstance(text, int | float) or _is_number(text):
        raise ValueError(f"{text} has no unit, so it may mean seconds or minutes: write {text}s or {text}m")
    if not _SHAPE.match(text):
        raise ValueError(f'"{text}" is not a duration: write it like 90s, 10m, 1h30m or 250ms')
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if seconds > LONGEST:
        raise ValueError(f'"{text}" is longer than a week')
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads back as `seconds`: "10m", "1h30m", "250ms"."""
    milliseconds = round(seconds * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]+(\.[0-9]+)?", text, re.ASCII) is not None
