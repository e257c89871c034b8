"""When an image counts as made: the commit's time, so that the same commit gives the same bytes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from kdeploy.errors import BuildError
from kdeploy.text import one_line

VARIABLE = "SOURCE_DATE_EPOCH"
_LAST = 8**11 - 1  # what an archive's header can say: the year 2242


def epoch_of(args: Mapping[str, str], env: Mapping[str, str], created: str) -> int:
    """Unix seconds: SOURCE_DATE_EPOCH as a build argument or in the environment, else the commit's time, else 0.

    `created` is RFC 3339, or "" where it is unknown. https://reproducible-builds.org/specs/source-date-epoch/. Raises
    BuildError for a SOURCE_DATE_EPOCH that is no such number.
    """
    text = args.get(VARIABLE) or env.get(VARIABLE)
    if text:
        digits = text.lstrip("0") or "0"
        if not (text.isascii() and text.isdigit()) or int(digits[:20]) > _LAST:
            raise BuildError(f"{VARIABLE}={one_line(text, 40)} is no time", hint="give whole seconds since 1970")
        return int(digits)
    try:
        return min(max(int(datetime.fromisoformat(created).timestamp()), 0), _LAST)
    except (ValueError, OverflowError):
        return 0
