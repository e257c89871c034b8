"""How to answer a registry's 401: a password, or a token that its token server gives for one.

The token flow: https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import requests
from requests.auth import AuthBase

from kdeploy.build.answers import RETRIED, TransientError, explain, read_body, retry_after, unauthorized
from kdeploy.build.challenge import Challenge
from kdeploy.build.credentials import Login, Logins
from kdeploy.clock import Deadline
from kdeploy.reference import Reference
from kdeploy.secret import Secret

_TOKEN_LIMIT = 1 << 20
_HELPER_PATIENCE = 30.0
"""Seconds for a credential helper; whoever asks the registry has a bound of its own."""


@dataclass(frozen=True, slots=True)
class Header(AuthBase):
    """Sets the header, or none; given to every request, so that `requests` does not take a login from ~/.netrc."""

    value: Secret | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.value:
            request.headers["Authorization"] = self.value.reveal()
        return request


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorizer:
    """Answers challenges with the logins that there are. `session` is a registry's; `timeout` as requests has it."""

    logins: Logins
    session: Callable[[str], requests.Session]
    timeout: float

    def answer(
        self, image: Reference, challenges: Sequence[Challenge], url: str, deadline: Deadline | None = None
    ) -> Secret | None:
        """The Authorization header; None where there is no login that could. `url` is what was asked.

        A credential helper must have answered by `deadline`.
        Raises RefusedError where the token server says no, TransientError where it does not answer.
        """
        login = self.logins.login(image.domain, deadline.remaining(_HELPER_PATIENCE) if deadline else _HELPER_PATIENCE)
        for challenge in challenges:
            if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                token = self._fetch_token(image, challenge, login, url)
                return Secret(f"Bearer {token.reveal()}")
            if challenge.scheme == "basic" and login and not login.is_identity_token:
                return _basic(login)
        return None

    def _fetch_token(self, image: Reference, challenge: Challenge, login: Login | None, url: str) -> Secret:
        """Asks the token server: with a refresh token by POST (OAuth 2), else by GET, with a password or without.

        A challenge may name several scopes, for a mount from another repository; GET takes one parameter for each.
        """
        realm = challenge.parameters["realm"]
        if url.startswith("https:") and not realm.startswith("https:"):
            raise unauthorized(image, "its token server is not on HTTPS")
        scope = challenge.parameters.get("scope") or f"repository:{image.path}:pull"
        query: dict[str, str | list[str]] = {"scope": scope.split()}
        if service := challenge.parameters.get("service"):
            query["service"] = service
        method, authorization = "GET", _basic(login) if login else None
        data: Mapping[str, str | list[str]] | None = None
        if login and login.is_identity_token:
            refresh = {"grant_type": "refresh_token", "refresh_token": login.password.reveal(), "client_id": "kdeploy"}
            method, data, query, authorization = "POST", query | refresh | {"scope": scope}, {}, None
        try:
            response = self.session(image.domain).request(
                method,
                realm,
                params=query,
                data=data,
                auth=Header(authorization),
                timeout=self.timeout,
                stream=True,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise TransientError(f"its token server: {explain(error)}") from error
        with response:
            return _token_in(response, image)


def _token_in(response: requests.Response, image: Reference) -> Secret:
    if response.status_code in RETRIED:
        raise TransientError(f"its token server: HTTP {response.status_code}", retry_after(response))
    if not response.ok:
        raise unauthorized(image, f"its token server answered HTTP {response.status_code}")
    try:
        answer = json.loads(read_body(response, _TOKEN_LIMIT))
        return Secret(str(answer.get("token") or answer["access_token"]))
    except (ValueError, KeyError, AttributeError) as error:
        raise unauthorized(image, "its token server gave no token") from error


def _basic(login: Login) -> Secret:
    # `requests` would encode as Latin-1; registries take UTF-8 (RFC 7617, section 2.1).
    pair = f"{login.username}:{login.password.reveal()}".encode()
    return Secret(f"Basic {b64encode(pair).decode()}")
