"""The nearest valid name, for hints."""

from __future__ import annotations

from collections.abc import Iterable

from kdeploy.text import one_line


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """A hint for a name that is none of `valid`: the nearest one where there is one, then all of them."""
    from difflib import get_close_matches  # 5 ms that only an error pays

    names = list(valid)
    near = get_close_matches(name.lower(), names, n=1)
    known = one_line(", ".join(names)) or "none"
    return f'did you mean "{one_line(near[0])}"? valid: {known}' if near else f"valid: {known}"
