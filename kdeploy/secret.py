"""A secret is a type: it prints as ***, and only `reveal` gives it away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

REGISTRY_PASSWORD, GITHUB_TOKEN = "KDEPLOY_REGISTRY_PASSWORD", "KDEPLOY_GITHUB_TOKEN"
PRIVATE = (REGISTRY_PASSWORD, GITHUB_TOKEN)
"""Variables of kdeploy's own that hold a secret: no child gets them."""

_SECRETS = frozenset(
    {"pass", "passwd", "password", "pwd", "pword", "passphrase", "secret", "token", "pat", "credential", "cred"}
)
_PERHAPS = frozenset({"apikey", "auth", "key"})
_LAST = frozenset({"jwt", "bearer"})
"""Words that are secrets at a name's end, and not in JWT_ISSUER."""
_JOINED = (
    *("password", "passwd", "passphrase", "secret", "token", "apikey", "privatekey", "accesskey", "accountkey"),
    "pgpass",
)
_ENDING = re.compile(
    r"\w*(?:(?:encryption|decryption|session|signing|master|hmac|secret)key|pwd"
    r"|(?:db|sql|pg|redis|mongo|user|root|admin|login|mail|smtp|imap|ftp|ldap|ssh|proxy|key|store)pass)"
)
"""Two words written as one. Not every end: COMPASS and BYPASS, MONKEY and KEYBOARD are words by themselves."""
_FOLDERS = frozenset({"PWD", "OLDPWD"})
_ABOUT = frozenset(
    {
        *("name", "path", "file", "dir", "url", "uri", "host", "port", "method", "type", "id", "ttl", "namespace"),
        *("enabled", "sock", "domain", "issuer", "audience", "provider", "strategy", "encryption", "length", "size"),
    }
)
"""A last word that says: not the secret itself."""
_SETTINGS = frozenset(
    {"true", "false", "none", "null", "always", "never", "disabled", "enabled", "required", "optional", "preferred"}
)
"""Values that are no secret under any name."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
SHORTEST_NAMED, SHORTEST_PERHAPS = 6, 8
"""Characters. A shorter value is no secret because of its name alone: AUTH=basic would mask a plain word."""

_SCHEME = re.compile(r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}://", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s\"'<>]*")
_AUTHORITY = re.compile(r"[^/?#]*")
_PORT = re.compile(r"[0-9]*(?:[/?#]|$)")
_TOKEN = re.compile(r"(?:gh[opsur]_|github_pat_|glpat-|dckr_pat_)[\w-]+|(?=[a-z]*[0-9])[a-z0-9]{20,}", re.IGNORECASE)
"""A user name that is a token: of GitHub, GitLab or Docker Hub; or long, and of letters and digits alone."""
_PAIR = re.compile(r"""(?:^|(?<=[;&?\s]))([a-z][\w.-]{0,40})=(?:"([^"]*)"|'([^']*)'|([^;&\s]*))""", re.IGNORECASE)
_PAIR_OF_ROW = re.compile(_PAIR.pattern.replace(r"[^;&\s]*", r"[^;\n]*"), re.IGNORECASE)


def is_secret(name: str, value: str) -> bool:
    """Whether a variable or build argument of this name holds a secret: "DB_PASSWORD", "spring.datasource.password",
    "apiKey", "MYSQLPWD", "SESSIONKEY", "SERVICE_JWT"; not "TLS_SECRET_NAME", "PUBLIC_KEY", "CACHE_KEY" or "PWD". By its
    name alone: one of another name is not known.

    The words are those that BuildKit warns of (docs.docker.com/reference/build-checks/secrets-used-in-arg-or-env) and
    a few more; two of them may be written as one ("dbpass") where that is no word by itself.
    """
    words = _words(name)
    if name in _FOLDERS or not words or words[-1] in _ABOUT or value.lower() in _SETTINGS:
        return False
    if words[-1] in ("tokens", "keys") and value.isdecimal():  # how many
        return False
    if _is_sure(words):
        return len(value) >= SHORTEST_NAMED and not (words[-1].endswith("pwd") and value.startswith("/"))
    plain = _singular(words)
    is_open = "public" in plain or words[-2:] == ["cache", "key"]
    return bool(plain & _PERHAPS) and not is_open and len(value) >= SHORTEST_PERHAPS


def passwords_in(value: str) -> Iterator[str]:
    """The secrets that stand in a longer text: of each address the password ("postgres://user:password@host/db") and a
    user name that is a token ("https://ghp_...@github.com"); and what a connection string calls one
    ("Server=db;Password=...", "host=db password=...", "?user=a&password=...").

    Of a password with a "/" or "#" that should have been escaped both readings are given, the address's own and the one
    that was meant.
    """
    starts = [*_SCHEME.finditer(value)]
    for start, end in zip(starts, [*(after.start() for after in starts[1:]), len(value)], strict=False):
        found = _ADDRESS.match(value[start.end() : end])
        yield from _of_address(found[0].rstrip(",;|") if found else "")
    for key, *quoted, plain in (_PAIR_OF_ROW if ";" in value else _PAIR).findall(value):
        words, text = _words(key), "".join(quoted) or plain.strip()
        is_long = len(text) >= SHORTEST_NAMED and text.lower() not in _SETTINGS
        if is_long and _is_sure(words) and words[-1] not in _ABOUT and "public" not in words:
            yield text


def _of_address(address: str) -> Iterator[str]:
    """`address`: what follows its scheme."""
    authority = _AUTHORITY.match(address)
    login, is_there, _ = (authority[0] if authority else "").rpartition("@")
    user, _, password = login.partition(":")
    yield from (text for text in (user if _TOKEN.fullmatch(user) else "", password) if text)
    user, _, meant = address.rpartition("@")[0].partition(":")
    if meant not in ("", password) and not set("/?#") & set(user) and (is_there or not _PORT.match(meant)):
        yield meant


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _singular(words: Sequence[str]) -> set[str]:
    return {word if word.endswith("pass") else word.removesuffix("s") for word in words}


def _is_sure(words: Sequence[str]) -> bool:
    plain = _singular(words)
    return bool(
        plain & _SECRETS
        or set(words[-1:]) & _LAST
        or any(map(_ENDING.fullmatch, plain))
        or any(word.endswith(_JOINED) for word in (*plain, *map("".join, pairwise(words))))
    )


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
