"""A secret is a type: it prints as ***, and only `reveal` gives it away."""

from __future__ import annotations

import re

VARIABLES = ("KDEPLOY_REGISTRY_PASSWORD", "KDEPLOY_GITHUB_TOKEN")
"""Variables of kdeploy's own that hold a secret: no child gets them."""

SHORTEST_NAMED = 8
"""Characters. A shorter value is no secret because of its name alone: AUTH=basic would mask a plain word."""

_NAMES = re.compile(r"(?:^|_)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)", re.IGNORECASE)
_PUBLIC = re.compile(r"(?:^|_)public(?:_|$)", re.IGNORECASE)


def is_secret(name: str, value: str) -> bool:
    """Whether a variable or build argument of this name holds a secret, by the words that BuildKit warns of
    (docs.docker.com/reference/build-checks/secrets-used-in-arg-or-env).
    """
    return len(value) >= SHORTEST_NAMED and bool(_NAMES.search(name)) and not _PUBLIC.search(name)


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
