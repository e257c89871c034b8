"""Logins from Docker's own configuration: `auths`, `credHelpers` and `credsStore` of config.json.

The file: https://docs.docker.com/reference/cli/docker/login/#credential-stores; the helpers' protocol:
https://github.com/docker/docker-credential-helpers.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kdeploy.errors import KdeployError, RefusedError
from kdeploy.model import Reason
from kdeploy.process import Run, run
from kdeploy.reference import DOCKER_HUB
from kdeploy.secret import REGISTRY_PASSWORD, Secret
from kdeploy.text import one_line

_HUB_KEY = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"  # noqa: S105 - what helpers give as the user name where the secret is an identity token
_HELPER_TIMEOUT = 30.0
_FROM_VARIABLES = "kdeployLoginOf"
"""A key in a configuration of kdeploy's own, which Docker passes over: the registry whose login came from variables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user name with its password; or, where `is_identity_token`, a refresh token in the password's place."""

    username: str
    password: Secret
    is_identity_token: bool = False


class Logins(Protocol):
    """Where logins come from."""

    def login(self, domain: str, timeout: float) -> Login | None:
        """The login for a registry ("host:port"), found within `timeout` seconds; None: ask it without one.

        Raises RefusedError.
        """
        ...

    def advice(self, domain: str) -> str:
        """What to do where a registry refuses its login: that depends on where the login came from."""
        ...


@contextmanager
def advising(logins: Logins, domain: str) -> Iterator[None]:
    """An error that comes through with the hint to log in at `domain` gets the advice that helps there."""
    try:
        yield
    except KdeployError as error:
        plain = login_hint(domain)
        if error.hint.startswith(plain):
            error.hint = logins.advice(domain) + error.hint.removeprefix(plain)
        raise


def login_hint(domain: str) -> str:
    """How a hint begins where a registry refuses whoever asks; `advising` knows more than whoever makes the error."""
    return f"docker login {domain}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerLogins:
    """`Logins` of one Docker configuration. `env` is the environment for the helper programs, None: the own one."""

    config: Mapping[str, Any]
    env: Mapping[str, str] | None = None
    run: Run = run

    def login(self, domain: str, timeout: float = _HELPER_TIMEOUT) -> Login | None:
        """A helper for this registry goes before the general store, and that before `auths`, as in Docker."""
        helper = self._helper(domain)
        found = self._ask_helper(helper, _key(domain), min(timeout, _HELPER_TIMEOUT)) if helper else None
        return found or _from_auths(_object(self.config, "auths"), domain)

    def advice(self, domain: str) -> str:
        """See `Logins`. Asks no helper."""
        own = _from_auths(_object(self.config, "auths"), domain)
        if own and self.config.get(_FROM_VARIABLES) == domain:
            return (
                f"correct {REGISTRY_PASSWORD}, in the action registry-password (the login as "
                f"{one_line(own.username, 60)} came from there, and goes before Docker's own)"
            )
        if helper := self._helper(domain):
            return f"docker login {domain} (the login, if there was one, came from docker-credential-{helper})"
        if own:
            return f"docker login {domain} anew (the login came from Docker's configuration)"
        return f"docker login {domain}, or set {REGISTRY_PASSWORD} (there was no login)"

    def _helper(self, domain: str) -> str:
        """The name of the program that keeps the login for a registry; "" where none does."""
        return str(_object(self.config, "credHelpers").get(_key(domain), self.config.get("credsStore")) or "")

    def _ask_helper(self, name: str, key: str, timeout: float) -> Login | None:
        program = f"docker-credential-{name}"
        if "/" in name:
            raise _refused(program, "its name has a slash")
        try:
            finished = self.run([program, "get"], env=self.env, stdin=key.encode(), timeout=timeout)
        except TimeoutError as error:
            raise _refused(program, str(error)) from error
        if finished.code:
            said = one_line(finished.text or finished.err)
            if "credentials not found" in said:
                return None
            raise _refused(program, said or f"exit code {finished.code}")
        try:
            answer = json.loads(finished.out)
            user, secret = str(answer["Username"]), str(answer["Secret"])
        except (ValueError, KeyError, TypeError) as error:
            raise _refused(program, "its answer is not the JSON of a credential") from error
        if not secret:
            return None
        return Login(username=user, password=Secret(secret), is_identity_token=user == _TOKEN_USER)


def docker_folder(env: Mapping[str, str]) -> Path:
    """Docker's configuration folder: $DOCKER_CONFIG, else .docker in the home folder."""
    if own := env.get("DOCKER_CONFIG"):
        return Path(own)
    home = env.get("HOME")
    return (Path(home) if home else Path.home()) / ".docker"


def load_logins(env: Mapping[str, str], *, run: Run = run) -> DockerLogins:
    """The logins of Docker's config.json; no file means none. Raises RefusedError where it cannot be read."""
    return DockerLogins(config=read_docker_config(docker_folder(env)), env=env, run=run)


def read_docker_config(folder: Path) -> dict[str, Any]:
    """config.json of Docker's configuration folder, empty where there is none. Raises RefusedError."""
    file = folder / "config.json"
    try:
        config = json.loads(file.read_bytes())
    except FileNotFoundError:
        config = {}
    except (OSError, ValueError) as error:
        raise _unreadable(file, one_line(str(error))) from error
    if not isinstance(config, dict):
        raise _unreadable(file, "it is no JSON object")
    return config


def with_login(config: Mapping[str, Any], domain: str, login: Login) -> dict[str, Any]:
    """`config` with this login, given in variables, for a registry in front of all others that it has: no helper is
    asked for that one.
    """
    key = _key(domain)
    auth = base64.b64encode(f"{login.username}:{login.password.reveal()}".encode()).decode()
    auths = {name: entry for name, entry in _object(config, "auths").items() if _host(name) != domain}
    helpers = {name: helper for name, helper in _object(config, "credHelpers").items() if name != key}
    # an empty helper keeps the general store from being asked (github.com/docker/cli, cli/config/configfile/file.go)
    helpers |= {key: ""} if config.get("credsStore") else {}
    own = {"auths": {**auths, key: {"auth": auth}}, "credHelpers": helpers, _FROM_VARIABLES: domain}
    return {**config, **own}


def _key(domain: str) -> str:
    """Under what Docker's configuration and helpers know a registry."""
    return _HUB_KEY if domain == DOCKER_HUB else domain


def _from_auths(auths: Mapping[str, Any], domain: str) -> Login | None:
    """Keys are hosts or whole addresses; an exact one goes first."""
    keys = sorted(auths, key=lambda key: key != domain)
    entry = next((auths[key] for key in keys if _host(key) == domain), None)
    if not isinstance(entry, dict):
        return None
    if token := entry.get("identitytoken"):
        return Login(username=_TOKEN_USER, password=Secret(str(token)), is_identity_token=True)
    user, password = str(entry.get("username", "")), str(entry.get("password", ""))
    if auth := entry.get("auth"):
        try:
            user, _, password = base64.b64decode(str(auth), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
    return Login(username=user, password=Secret(password.rstrip("\0"))) if user and password else None


def _host(key: str) -> str:
    bare = key.removeprefix("https://").removeprefix("http://")
    host = bare.partition("/")[0]
    return DOCKER_HUB if host in ("index.docker.io", "registry-1.docker.io", DOCKER_HUB) else host


def _object(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = config.get(name)
    return value if isinstance(value, dict) else {}


def _refused(program: str, why: str) -> RefusedError:
    return RefusedError(
        f"the credential helper {one_line(program, 80)} failed: {why}",
        hint="run docker login, or take the helper out of Docker's config.json",
        reason=Reason.IMAGE_UNAUTHORIZED,
    )


def _unreadable(file: Path, why: str) -> RefusedError:
    return RefusedError(
        f"Docker's configuration {file} cannot be read: {why}",
        hint="mend it, or point DOCKER_CONFIG at another folder",
        reason=Reason.IMAGE_UNAUTHORIZED,
    )
