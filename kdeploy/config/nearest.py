"""The nearest valid name, for hints."""

from __future__ import annotations

from collections.abc import Iterable

from kdeploy.text import one_line


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """The one of `valid` that `name` is most like; None where it is like none of them."""
    from difflib import get_close_matches  # 5 ms that only an error pays

    return next(iter(get_close_matches(name.lower(), list(valid), n=1)), None)


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """A hint for a name that is none of `valid`: the nearest one where there is one, then all of them."""
    names = list(valid)
    near = nearest(name, names)
    known = one_line(", ".join(names)) or "none"
    return f'did you mean "{one_line(near)}"? valid: {known}' if near is not None else f"valid: {known}"
