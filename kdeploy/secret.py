"""A secret is a type: it prints as ***, and only `reveal` gives it away."""

from __future__ import annotations

import re

REGISTRY_PASSWORD, GITHUB_TOKEN = "KDEPLOY_REGISTRY_PASSWORD", "KDEPLOY_GITHUB_TOKEN"
PRIVATE = (REGISTRY_PASSWORD, GITHUB_TOKEN)
"""Variables of kdeploy's own that hold a secret: no child gets them."""

_SECRETS = frozenset(
    {"pass", "passwd", "password", "pwd", "pword", "passphrase", "secret", "token", "pat", "credential"}
)
_PERHAPS = frozenset({"apikey", "auth", "key"})
_JOINED = ("password", "passwd", "passphrase", "secret", "token", "apikey", "privatekey", "accesskey", "pgpass")
_ABOUT = frozenset(
    {"name", "path", "file", "dir", "url", "uri", "host", "port", "method", "type", "id", "ttl", "namespace", "enabled"}
)
"""A last word that says: not the secret itself."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
SHORTEST_NAMED, SHORTEST_PERHAPS = 6, 8
"""Characters. A shorter value is no secret because of its name alone: AUTH=basic would mask a plain word."""


def is_secret(name: str, value: str) -> bool:
    """Whether a variable or build argument of this name holds a secret: "DB_PASSWORD", "spring.datasource.password",
    "apiKey"; not "TLS_SECRET_NAME" or "PUBLIC_KEY". By its name alone: one of another name is not known.

    The words are those that BuildKit warns of (docs.docker.com/reference/build-checks/secrets-used-in-arg-or-env) and
    a few more.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _ABOUT:
        return False
    plain = {word.removesuffix("s") if word != "pass" else word for word in words}
    if plain & _SECRETS or any(joined in "".join(words) for joined in _JOINED):
        return len(value) >= SHORTEST_NAMED
    return bool(plain & _PERHAPS) and "public" not in plain and len(value) >= SHORTEST_PERHAPS


def password_in(value: str) -> str:
    """The password of an address such as "postgres://user:password@host/db"; "" where there is none."""
    found = re.search(r"[a-z][a-z0-9+.-]*://[^\s/:@]*:([^\s/@]+)@", value, re.IGNORECASE)
    return found[1] if found else ""


class Secret:
    """Holds a token or password. `str`, `repr` and formatting give ***."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: only for the header or the process input that needs it."""
        return self._value

    def __str__(self) -> str:
        return "***"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))
