"""The secrets that a run is given, so that no output shows them: header values, URL passwords, build secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from kdeploy.config.settings import Settings
from kdeploy.model import HttpCheck
from kdeploy.secret import Secret

LARGEST = 64 * 1024
"""Bytes: a larger file is no token, and looking for it in each line would cost too much."""


PLAIN = frozenset({"accept", "accept-language", "content-type", "host", "user-agent", "x-env", "x-forwarded-proto"})
"""Headers that hold no secret: masking their values would mask ordinary words everywhere."""


def known_secrets(settings: Settings, env: Mapping[str, str]) -> Iterator[Secret]:
    """Those that the settings name or hold. A file that cannot be read is the builder's to complain about."""
    for check in settings.checks:
        yield from _of_check(check)
    for specification in settings.build.secrets:
        value = _of_build(specification, env)
        if value:
            yield Secret(value)


def _of_check(check: HttpCheck) -> Iterator[Secret]:
    for name, value in check.headers.items():
        if name.lower() in PLAIN:
            continue
        yield Secret(value)
        yield from (Secret(word) for word in value.split()[1:])
        yield from (Secret(part.partition("=")[2].strip()) for part in value.split(";") if "=" in part)
    for _, value in parse_qsl(urlsplit(check.url or check.path or "").query):
        yield Secret(value)
    password = urlsplit(check.url or "").password
    if password:
        yield from (Secret(password), Secret(unquote(password)))


def _of_build(specification: str, env: Mapping[str, str]) -> str:
    """The value of "id=token,env=TOKEN" or "id=npm,src=.npmrc", as `docker buildx build --secret` reads them.

    With an id alone buildx takes the variable of that name (github.com/docker/buildx, util/buildflags/secrets.go).
    """
    fields = dict(part.partition("=")[::2] for part in specification.split(","))
    file = fields.get("src") or fields.get("source")
    if file:
        return _text_of(Path(file))
    return env.get(fields.get("env") or fields.get("id", ""), "")


def _text_of(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError:
        return ""
    return data.decode(errors="replace") if len(data) <= LARGEST else ""
