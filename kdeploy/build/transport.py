"""HTTP to a registry: schemes, logins, retries, redirects and sizes. What the answers mean is registry.py's business.

The token flow: https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
from requests.auth import AuthBase

from kdeploy.build.challenge import Challenge, parse_challenges
from kdeploy.build.credentials import Login, Logins
from kdeploy.build.insecure import allows_plain_http, is_loopback
from kdeploy.errors import RefusedError
from kdeploy.model import Reason
from kdeploy.reference import DOCKER_HUB, Reference
from kdeploy.secret import Secret
from kdeploy.text import one_line

_HUB_SERVER = "registry-1.docker.io"
_ATTEMPTS = 4
_PATIENCE = 20.0  # seconds after which no further attempt begins
_MAX_WAIT = 10.0
_MAX_REDIRECTS = 5
_TOKEN_LIMIT = 1 << 20
_BODY_SECONDS = 60.0
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A registry's answer; `headers` are found whatever their case. The status is 2xx, or 404 for what is absent."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_absent(self) -> bool:
        """Whether the registry says that there is no such thing: 404, and nothing else."""
        return self.status == 404


class _TransientError(Exception):
    """An answer that a later try may mend. `wait`: the seconds that the server asks for."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class _Authorization(AuthBase):
    """Sets the header, or none; given to every request, so that `requests` does not take a login from ~/.netrc."""

    value: Secret | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.value:
            request.headers["Authorization"] = self.value.reveal()
        return request


class Transport:
    """Asks registries over HTTP.

    `insecure` gives what the engine lists as insecure-registries. `timeout`: seconds to connect, and between two bytes
    of an answer.
    """

    def __init__(
        self,
        logins: Logins,
        *,
        insecure: Callable[[], Sequence[str]] = tuple,
        timeout: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._logins = logins
        self._insecure = insecure
        self._timeout = timeout
        self._sleep = sleep
        self._session = requests.Session()
        self._schemes: dict[str, str] = {}
        self._authorizations: dict[tuple[str, str], Secret] = {}

    def ask(self, method: str, image: Reference, path: str, *, accept: str = "*/*", limit: int = 0) -> Answer:
        """One request below /v2/NAME/, tried again where that may help. `limit`: the most bytes of body to take.

        Raises RefusedError: ImageUnauthorized where the registry wants another login, else ImagePullFailed.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_ATTEMPTS) | tenacity.stop_after_delay(_PATIENCE),
            wait=_wait,
            retry=tenacity.retry_if_exception_type(_TransientError),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._ask_once, method, image, path, accept, limit)
        except _TransientError as error:
            raise RefusedError(
                f"the registry {image.domain} does not answer: {error}",
                hint="check the name and the network, then try again",
                reason=Reason.IMAGE_PULL_FAILED,
            ) from error

    def _ask_once(self, method: str, image: Reference, path: str, accept: str, limit: int) -> Answer:
        key = (image.domain, image.path)
        headers = {"Accept": accept}
        for is_second in (False, True):
            response = self._send(method, image, path, headers, self._authorizations.get(key))
            with response:
                if response.status_code != 401 or is_second:
                    return self._answer(response, image, limit)
                challenges = parse_challenges(response.headers.get("WWW-Authenticate", ""))
                authorization = self._authorize(image, challenges, response.url)
                if authorization is None:
                    raise _unauthorized(image)
                self._authorizations[key] = authorization
        raise AssertionError("unreachable")

    def _send(
        self, method: str, image: Reference, path: str, headers: Mapping[str, str], authorization: Secret | None
    ) -> requests.Response:
        """Sends by HTTPS, and where Docker's rule allows it and there is no TLS, by HTTP; remembers which it was."""
        domain = _HUB_SERVER if image.domain == DOCKER_HUB else image.domain
        scheme = self._schemes.get(domain, "https")
        try:
            url = f"{scheme}://{domain}/v2/{image.path}/{path}"
            response = self._follow(method, url, headers, authorization)
        except requests.exceptions.ConnectionError as error:
            if domain in self._schemes or not self._allows_plain_http(domain):
                raise _connection_problem(error, image) from error
            self._schemes[domain] = "http"
            return self._send(method, image, path, headers, authorization)
        except requests.RequestException as error:
            raise _TransientError(_explain(error)) from error
        self._schemes[domain] = scheme
        return response

    def _allows_plain_http(self, domain: str) -> bool:
        """The engine is asked for its list only where HTTPS failed and the address does not tell by itself."""
        return allows_plain_http(domain) or allows_plain_http(domain, self._insecure())

    def _follow(
        self, method: str, url: str, headers: Mapping[str, str], authorization: Secret | None
    ) -> requests.Response:
        """Follows redirects by hand: the login goes to no other server, and HTTPS never turns into HTTP."""
        origin = urlsplit(url)
        for _ in range(_MAX_REDIRECTS + 1):
            parts = urlsplit(url)
            is_home = (parts.scheme, parts.netloc) == (origin.scheme, origin.netloc)
            response = self._session.request(
                method,
                url,
                headers=dict(headers),
                auth=_Authorization(authorization if is_home else None),
                timeout=self._timeout,
                proxies=_past_proxies(parts.hostname or ""),
                stream=True,
                allow_redirects=False,
            )
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not location:
                return response
            response.close()
            url = urljoin(url, location)
            if urlsplit(url).scheme not in ({"https"} if parts.scheme == "https" else {"http", "https"}):
                raise requests.exceptions.InvalidURL("it redirects from HTTPS to something less safe")
        raise requests.exceptions.TooManyRedirects("it redirects in circles")

    def _answer(self, response: requests.Response, image: Reference, limit: int) -> Answer:
        status = response.status_code
        if status in _RETRIED:
            raise _TransientError(f"HTTP {status}", _retry_after(response))
        if status in (401, 403):
            raise _unauthorized(image)
        if status != 404 and not response.ok:
            raise RefusedError(
                f"the registry {image.domain} answered HTTP {status} for {image}",
                hint="is this the address of a registry?",
                reason=Reason.IMAGE_PULL_FAILED,
            )
        return Answer(status=status, headers=response.headers, body=b"" if status == 404 else _read(response, limit))

    def _authorize(self, image: Reference, challenges: Sequence[Challenge], url: str) -> Secret | None:
        """The Authorization header that answers the challenges; None where there is no login that could."""
        login = self._logins.login(image.domain)
        for challenge in challenges:
            if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                token = self._fetch_token(image, challenge, login, url)
                return Secret(f"Bearer {token.reveal()}")
            if challenge.scheme == "basic" and login and not login.is_identity_token:
                return _basic(login)
        return None

    def _fetch_token(self, image: Reference, challenge: Challenge, login: Login | None, url: str) -> Secret:
        """Asks the token server: with a refresh token by POST (OAuth 2), else by GET, with a password or without."""
        realm = challenge.parameters["realm"]
        if url.startswith("https:") and not realm.startswith("https:"):
            raise _unauthorized(image, "its token server is not on HTTPS")
        query = {"scope": challenge.parameters.get("scope") or f"repository:{image.path}:pull"}
        if service := challenge.parameters.get("service"):
            query["service"] = service
        method, data, params, authorization = "GET", None, query, _basic(login) if login else None
        if login and login.is_identity_token:
            refresh = {"grant_type": "refresh_token", "refresh_token": login.password.reveal(), "client_id": "kdeploy"}
            method, data, params, authorization = "POST", query | refresh, {}, None
        try:
            response = self._session.request(
                method,
                realm,
                params=params,
                data=data,
                auth=_Authorization(authorization),
                timeout=self._timeout,
                stream=True,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _TransientError(f"its token server: {_explain(error)}") from error
        with response:
            return _token_in(response, image)


def _past_proxies(host: str) -> dict[str, str] | None:
    """Loopback addresses are never asked through a proxy, as in Docker (Go's httpproxy); others by the environment."""
    return {"no_proxy": host} if is_loopback(host) else None


def _token_in(response: requests.Response, image: Reference) -> Secret:
    if response.status_code in _RETRIED:
        raise _TransientError(f"its token server: HTTP {response.status_code}", _retry_after(response))
    if not response.ok:
        raise _unauthorized(image, f"its token server answered HTTP {response.status_code}")
    try:
        answer = json.loads(_read(response, _TOKEN_LIMIT))
        return Secret(str(answer.get("token") or answer["access_token"]))
    except (ValueError, KeyError, AttributeError) as error:
        raise _unauthorized(image, "its token server gave no token") from error


def _read(response: requests.Response, limit: int) -> bytes:
    """The body, at most `limit` bytes of it, within a minute."""
    deadline = time.monotonic() + _BODY_SECONDS
    body = bytearray()
    try:
        for chunk in response.iter_content(65_536):
            body += chunk
            if len(body) > limit:
                raise RefusedError(
                    f"the registry sent more than {limit} bytes where a manifest or a config is small",
                    hint="is this the address of a registry?",
                    reason=Reason.IMAGE_PULL_FAILED,
                )
            if time.monotonic() > deadline:
                raise _TransientError("its answer did not end")
    except requests.RequestException as error:
        raise _TransientError(_explain(error)) from error
    return bytes(body)


def _basic(login: Login) -> Secret:
    # `requests` would encode as Latin-1; registries take UTF-8 (RFC 7617, section 2.1).
    pair = f"{login.username}:{login.password.reveal()}".encode()
    return Secret(f"Basic {b64encode(pair).decode()}")


def _wait(state: tenacity.RetryCallState) -> float:
    """0.3, 0.6, 1.2 seconds, or what the server asks for, up to 10."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, _TransientError) else 0.0
    return float(min(_MAX_WAIT, max(asked, 0.3 * 2 ** (state.attempt_number - 1))))


def _retry_after(response: requests.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else 0.0


def _explain(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS failed: {one_line(str(error.args[0] if error.args else error), 160)}"
    if isinstance(error, requests.exceptions.Timeout):
        return "it took too long"
    return one_line(str(error), 160) or type(error).__name__


def _connection_problem(error: requests.exceptions.ConnectionError, image: Reference) -> Exception:
    if isinstance(error, requests.exceptions.SSLError):
        return RefusedError(
            f"the registry {image.domain} cannot be trusted: {_explain(error)}",
            hint="set REQUESTS_CA_BUNDLE to its authority; list a plain HTTP registry in Docker's insecure-registries",
            reason=Reason.IMAGE_PULL_FAILED,
        )
    return _TransientError(_explain(error))


def _unauthorized(image: Reference, why: str = "") -> RefusedError:
    return RefusedError(
        f"the registry {image.domain} refuses to show {image}" + (f": {why}" if why else ""),
        hint=f"docker login {image.domain}, and check that this user may read the repository and that it exists",
        reason=Reason.IMAGE_UNAUTHORIZED,
    )
