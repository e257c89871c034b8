"""Text from pods, registries, logs and build output is hostile: it is cleaned here before a person or a CI reads it."""

from __future__ import annotations

import re

# C0 and C1 controls but tab, escape sequences first, and the Unicode marks that reorder or hide text (CVE-2021-42574).
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
# A lone surrogate (bytes that were no UTF-8) cannot be written to a stream.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff\ud800-\udfff]"
)


CUT = "…"
"""Stands at the end of what was cut to length."""


def clean(text: str, limit: int = 2000) -> str:
    """`text` without escape sequences and control characters (newline and tab stay), at most `limit` characters."""
    plain = _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n")))
    return plain if len(plain) <= limit else plain[: limit - 1] + CUT


def one_line(text: str, limit: int = 300) -> str:
    """`text` cleaned and on one line, runs of white space folded, at most `limit` characters."""
    return clean(" ".join(clean(text, 10 * limit).split()), limit)


def ordinal(number: int) -> str:
    """A place in a list, from 1: "1st", "2nd", "11th"."""
    last = 0 if number // 10 % 10 == 1 else number % 10
    return f"{number}{('th', 'st', 'nd', 'rd')[last] if last < 4 else 'th'}"


def bug(error: Exception) -> str:
    """An exception that nobody expected, as one line for a report."""
    return one_line(f"a bug in kdeploy: {type(error).__name__}: {error}")


def file_size(size: int) -> str:
    """Bytes as a person reads them, in thousands: "512 B", "12.3 kB", "4.5 MB", "1.2 GB"."""
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{size} B" if unit == "B" else f"{amount:.3g} {unit}"
