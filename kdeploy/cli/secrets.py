"""The secrets that a run is given, so that no output shows them: header values, URL passwords, build secrets."""

from __future__ import annotations

import base64
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from kdeploy.address import proxies
from kdeploy.build.source import COMMIT_VARIABLES
from kdeploy.config.flags import Flags
from kdeploy.config.settings import Settings
from kdeploy.model import HttpCheck
from kdeploy.secret import PRIVATE, Secret, is_secret, passwords_in

LARGEST = 64 * 1024
"""Bytes: a larger file is no token, and looking for it in each line would cost too much."""


PLAIN = frozenset({"accept", "accept-language", "content-type", "host", "user-agent", "x-env", "x-forwarded-proto"})
"""Headers that hold no secret: masking their values would mask ordinary words everywhere."""


_TOKEN = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z]).{8,}")
"""What may be a token in a query, whatever its name: not "true", "full" or a number."""


def known_secrets(settings: Settings, env: Mapping[str, str], names: Sequence[str] = ()) -> Iterator[Secret]:
    """Those that the settings name or hold. A file that cannot be read is the builder's to complain about.

    A build argument that is a part of what outputs name is none, whatever it is called: BUILD_KEY=web would mask the
    reference of the image. `names`: what they name besides the settings, the kubeconfig's context.
    """
    yield from (Secret(env[name]) for name in PRIVATE if env.get(name))
    for address in proxies(env).values():
        yield from _of_address(address if "://" in address else f"http://{address}")
    for check in settings.checks:
        yield from _of_check(check)
    own = (*_names_in(settings, env), *names)
    for name, value in settings.build.args:
        for secret in (value if is_secret(name, value) else "", *passwords_in(value)):
            if secret and not any(secret in text for text in own):
                yield Secret(secret)
    for specification in settings.build.secrets:
        value = _of_build(specification, env)
        if value:
            yield Secret(value)


def given_secrets(flags: Flags, env: Mapping[str, str]) -> Iterator[Secret]:
    """Those that can be told from the flags alone, for the message about flags that make no settings.

    Of a build argument without a name all is one, and of an address what stands before its last @.
    """
    yield from (Secret(env[name]) for name in PRIVATE if env.get(name))
    for text in flags.build_arg:
        name, equals, value = text.partition("=")
        if not equals or is_secret(name, value):
            yield Secret(value if equals else text)
    for text in flags.verify_http:
        user = text.partition("://")[2].rpartition("@")[0]
        yield from (Secret(user), Secret(user.partition(":")[2]))


def _names_in(settings: Settings, env: Mapping[str, str]) -> Iterator[str]:
    """Names that outputs must go on showing."""
    yield from (str(settings.workload), *settings.containers)
    given = (settings.namespace, settings.context, settings.service, settings.environment, settings.url)
    image = (settings.image and str(settings.image), settings.build.push_repository, settings.tag, settings.commit)
    yield from (name for name in (*given, *image, *map(env.get, COMMIT_VARIABLES)) if name)


def _of_check(check: HttpCheck) -> Iterator[Secret]:
    for name, value in check.headers.items():
        if name.lower() in PLAIN:
            continue
        yield Secret(value)
        yield from (Secret(word) for word in value.split()[1:])
        yield from _of_basic(value)
        yield from (Secret(part.partition("=")[2].strip()) for part in value.split(";") if "=" in part)
    for name, value in parse_qsl(urlsplit(check.url or check.path or "").query):
        if is_secret(name, value) or _TOKEN.search(value):
            yield Secret(value)
    yield from _of_address(check.url or "")


def _of_address(address: str) -> Iterator[Secret]:
    for password in passwords_in(address):
        yield from (Secret(password), Secret(unquote(password)))


def _of_basic(value: str) -> Iterator[Secret]:
    """The password of "Basic dXNlcjpwYXNzd29yZA==" (RFC 7617)."""
    scheme, _, encoded = value.partition(" ")
    if scheme.lower() == "basic":
        with suppress(ValueError):
            yield Secret(base64.b64decode(encoded.strip()).decode().partition(":")[2])


def _of_build(specification: str, env: Mapping[str, str]) -> str:
    """The value of "id=token,env=TOKEN" or "id=npm,src=.npmrc", as `docker buildx build --secret` reads them: a row of
    CSV (github.com/docker/buildx, util/buildflags/secrets.go).

    With type=env `src` names a variable. With an id alone it is the variable of that name, else the file
    (github.com/moby/buildkit, session/secrets/secretsprovider/store.go).
    """
    row = next(csv.reader([specification]), [])
    fields = {key.strip().lower(): value for key, _, value in (part.partition("=") for part in row)}
    file, variable = fields.get("src") or fields.get("source") or "", fields.get("env") or ""
    if fields.get("type") == "env" and not variable:
        file, variable = "", file
    if file:
        return _text_of(Path(file))
    if variable:
        return env.get(variable, "")
    name = fields.get("id", "")
    return env.get(name) or (_text_of(Path(name)) if name else "")


def _text_of(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError:
        return ""
    return data.decode(errors="replace") if len(data) <= LARGEST else ""
