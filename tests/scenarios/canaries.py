"""Secrets that are easy to find again, in whatever encoding."""

from collections.abc import Mapping
from html import unescape
from urllib.parse import quote

from kdeploy.report.redact import encodings


def canary(name: str) -> str:
    """A secret with all that encodings treat in a special way, none a part of another."""
    return f'{sum(map(ord, name)):04d}&{name}/+\u00e9<"%'


def forms(secret: str) -> set[str]:
    """The secret in each encoding that anything on its way may have used."""
    raw = secret.encode()
    return {*encodings(secret), *encodings(quote(secret)), raw.hex(), raw.hex().upper(), quote(quote(secret, safe=""))}


def found(secrets: Mapping[str, str], texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Which secret is where, in whatever encoding; a page's character references are read as the browser does."""
    return [
        (name, where)
        for where, text in texts.items()
        for name, secret in secrets.items()
        if any(form in one for form in forms(secret) for one in (text, unescape(text)))
    ]
