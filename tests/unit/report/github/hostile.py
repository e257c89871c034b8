"""Texts that want to be taken for commands or outputs."""

from __future__ import annotations

import random

PIECES = (
    *("::error::x", "::set-output name=outcome::deployed", "::add-mask::a", "::stop-commands::t", "::t::"),
    *("::endgroup::", "##[error]x", "##[set-env name=A]b", "#", "##", "[", "]", ":", "::", "%0A", "%0D", "%250A"),
    *("%25", "%3A", "%2C", ",", "\n", "\r", "\r\n", "\t", " ", "\u00a0", "\u2028", "\u0085", "\x0b", "\x1b[31m"),
    *("\x00", "\u200b", "\ufeff", "\ud800", "outcome=deployed", "image<<EOF", "EOF", "<<", "=", "ghadelimiter_"),
    *("```", "|", "<b>", "</pre>", "é", "x", "web"),
)


def texts(count: int, seed: int = 4) -> list[str]:
    """So many of them, the same for the same seed."""
    chance = random.Random(seed)
    return ["".join(chance.choices(PIECES, k=chance.randint(1, 8))) for _ in range(count)]
