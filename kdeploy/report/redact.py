"""Keeps secrets out of what kdeploy writes: every output passes here first as a value, and again as text at its sink.

A secret is looked for as it is and as logs and error messages tend to carry it: base64 (standard and URL-safe, on its
own or inside a longer base64 text), URL-encoded, JSON-escaped. A multi-line secret counts line by line as well.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

from kdeploy.secret import Secret
from kdeploy.text import CUT, clean

MASK = "***"
SHORTEST = 4
"""Secrets of fewer characters are not looked for: "no" or "123" would turn every output into asterisks."""

T = TypeVar("T")
_HTML_IN_JSON = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}


class Redactor:
    """Replaces known secrets in text by ***. Secrets of fewer than `SHORTEST` characters are skipped.

    It may grow while it is in use: `add` a token as soon as it is read.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._forms: frozenset[str] = frozenset()
        for secret in secrets:
            self.add(secret)

    def add(self, secret: Secret) -> None:
        """Looks for this secret too from now on."""
        whole = secret.reveal()
        lines = {line.strip() for line in whole.splitlines()}
        parts = {whole, whole.strip(), clean(whole, len(whole)), " ".join(whole.split()), *lines}
        found = {form for part in parts if len(part) >= SHORTEST for form in encodings(part)}
        self._forms |= {form for form in found if len(form) >= SHORTEST}

    def __call__(self, text: str) -> str:
        """`text` with *** for every secret, in any of its encodings; secrets that overlap become one ***."""
        while spans := sorted(span for form in self._forms for span in _found(form, text)):
            text = _mask(text, spans)  # again, as a mask may complete another secret; each pass shortens the text
        return text

    def scrub(self, value: T) -> T:
        """`value` (a dataclass, tuple, list, mapping or text) with each text in it cleaned and redacted; enums stay.

        Cleaning comes between two passes: a control character in the middle must not hide a secret, and nothing may be
        cut to length before its secrets are gone.
        """
        scrubbed: Any = self._scrub(value)
        return scrubbed  # type: ignore[no-any-return]

    def _scrub(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return value
        if isinstance(value, str):
            return self(clean(self(value), limit=len(value)))
        if isinstance(value, tuple | list):
            return type(value)(self._scrub(item) for item in value)
        if isinstance(value, Mapping):
            return {key: self._scrub(item) for key, item in value.items()}
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{part.name: self._scrub(getattr(value, part.name)) for part in fields(value)})
        return value


def encodings(secret: str) -> set[str]:
    """`secret` itself and in each encoding that it is looked for in."""
    return {secret, *_base64(secret), *_url(secret), *_json(secret)}


def _base64(secret: str) -> Iterator[str]:
    """The whole, and for each of the three alignments inside a longer text the characters that are the secret's alone.

    Three bytes make four characters: with `before` foreign bytes ahead, the first character (12 bits: the first two)
    shared with them is dropped, and so is the last one where the bytes that follow decide it.
    """
    raw = secret.encode("utf-8", "surrogatepass")
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw).decode()
        first = -(-8 * before // 6)
        last = 8 * (before + len(raw)) // 6
        for form in {whole[first:last], *([whole] if before == 0 else [])}:
            yield form
            yield form.translate({ord("+"): "-", ord("/"): "_"})


def _url(secret: str) -> Iterator[str]:
    for form in (quote(secret, safe="", errors="replace"), quote(secret, errors="replace"), _plus(secret)):
        yield form
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), form)


def _plus(secret: str) -> str:
    return quote_plus(secret, errors="replace")


def _json(secret: str) -> Iterator[str]:
    """As Python writes it (non-ASCII escaped or not), and as Go does (<, > and & escaped)."""
    for ensure_ascii in (True, False):
        form = json.dumps(secret, ensure_ascii=ensure_ascii)[1:-1]
        yield form
        yield form.translate(_HTML_IN_JSON)


def _found(form: str, text: str) -> Iterator[tuple[int, int]]:
    yield from _occurrences(form, text)
    yield from _beginnings(form, text)


def _beginnings(form: str, text: str) -> Iterator[tuple[int, int]]:
    """Where text was cut to length in the middle of the secret: its beginning, and then "…"."""
    start = text.find(form[:SHORTEST])
    while start >= 0 and (at := text.find(CUT, start)) >= 0:
        if at - start >= SHORTEST and form.startswith(text[start:at]):
            yield start, at
        start = text.find(form[:SHORTEST], start + 1)


def _occurrences(form: str, text: str) -> Iterator[tuple[int, int]]:
    at = text.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = text.find(form, at + 1)


def _mask(text: str, spans: list[tuple[int, int]]) -> str:
    pieces, done = [], 0
    start, end = spans[0]
    for next_start, next_end in [*spans[1:], (len(text) + 1, len(text) + 1)]:
        if next_start <= end:
            end = max(end, next_end)
            continue
        pieces += [text[done:start], MASK]
        done, start, end = end, next_start, next_end
    return "".join([*pieces, text[done:]])
