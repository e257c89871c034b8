"""HTTP to a registry: schemes, logins, retries and redirects. What the answers mean is registry.py's business."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import tenacity

from kdeploy.build.answers import (
    RETRIED,
    Answer,
    TransientError,
    connection_problem,
    explain,
    read_body,
    retry_after,
    unauthorized,
)
from kdeploy.build.authorization import Authorizer, Header
from kdeploy.build.challenge import parse_challenges
from kdeploy.build.credentials import Logins
from kdeploy.build.insecure import allows_plain_http, is_loopback
from kdeploy.clock import Deadline
from kdeploy.errors import RefusedError
from kdeploy.model import Reason
from kdeploy.reference import DOCKER_HUB, Reference
from kdeploy.secret import Secret

_HUB_SERVER = "registry-1.docker.io"
_ATTEMPTS = 4
_PATIENCE = 20.0  # seconds after which no further attempt begins
_MAX_WAIT = 10.0
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Body(Protocol):
    """What a request carries: its length in bytes is known, and it is read once."""

    def __len__(self) -> int:
        """The bytes that there are."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """The bytes, in pieces."""
        ...


def _no_body() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `path` is one below /v2/NAME/ of the image, or a whole address that its registry named.

    `body` makes the body anew for each time that it is sent. `patience`: the seconds to wait for the answer, where
    storing the body takes time; None: as any other. `deadline`: when a credential helper must have answered.
    """

    method: str
    image: Reference
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], Body | bytes | None] = _no_body
    patience: float | None = None
    deadline: Deadline | None = None


Result = TypeVar("Result")


class Transport:
    """Asks registries over HTTP.

    `insecure` gives what the engine lists as insecure-registries, within the seconds that it is given. `session` makes
    the session for a registry ("host:port"), with whom to trust. `timeout`: seconds to connect, and between two bytes
    of an answer.
    """

    def __init__(
        self,
        logins: Logins,
        *,
        insecure: Callable[[float], Sequence[str]] = lambda _: (),
        session: Callable[[str], requests.Session] = lambda _: requests.Session(),
        timeout: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.logins = logins
        self._insecure = insecure
        self._timeout = timeout
        self._sleep = sleep
        self._session = cache(session)
        self._authorizer = Authorizer(logins=logins, session=self._session, timeout=timeout)
        self._schemes: dict[str, str] = {}
        self._authorizations: dict[tuple[str, str], Secret] = {}

    def ask(
        self,
        method: str,
        image: Reference,
        path: str,
        *,
        accept: str = "*/*",
        limit: int = 0,
        deadline: Deadline | None = None,
    ) -> Answer:
        """One request below /v2/NAME/, tried again where that may help. `limit`: the most bytes of body to take.

        Raises RefusedError: ImageUnauthorized where the registry wants another login, else ImagePullFailed.
        """

        def once() -> Answer:
            request = Request(method=method, image=image, path=path, headers={"Accept": accept}, deadline=deadline)
            with self.exchange(request) as response:
                return _answer(response, image, limit)

        try:
            return self.retrying(once, patience=_PATIENCE)
        except TransientError as error:
            raise RefusedError(
                f"the registry {image.domain} does not answer: {error}",
                hint="check the name and the network, then try again",
                reason=Reason.IMAGE_PULL_FAILED,
            ) from error

    def retrying(self, call: Callable[[], Result], *, patience: float) -> Result:
        """Calls up to four times while it raises TransientError; no further time after `patience` seconds."""
        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_ATTEMPTS) | tenacity.stop_after_delay(patience),
            wait=_wait,
            retry=tenacity.retry_if_exception_type(TransientError),
            sleep=self._sleep,
            reraise=True,
        )
        return attempts(call)

    @contextmanager
    def exchange(self, request: Request) -> Iterator[requests.Response]:
        """Sends it, with a login where the registry wants one, and gives whatever it answers: a second 401 too.

        Raises TransientError where there is no answer, RefusedError where TLS fails or the token server says no.
        """
        key = (request.image.domain, request.image.path)
        for is_second in (False, True):
            with self._send(request, self._authorizations.get(key)) as response:
                authorization = None
                if response.status_code == 401 and not is_second:
                    challenges = parse_challenges(response.headers.get("WWW-Authenticate", ""))
                    authorization = self._authorizer.answer(request.image, challenges, response.url, request.deadline)
                if authorization is None:
                    yield response
                    return
                self._authorizations[key] = authorization

    def _send(self, request: Request, authorization: Secret | None) -> requests.Response:
        """Sends by HTTPS, and where Docker's rule allows it and there is no TLS, by HTTP; remembers which it was."""
        image = request.image
        domain = _HUB_SERVER if image.domain == DOCKER_HUB else image.domain
        scheme = self._schemes.get(domain, "https")
        try:
            response = self._follow(request, f"{scheme}://{domain}", authorization)
        except requests.exceptions.ConnectionError as error:
            if domain in self._schemes or not self._allows_plain_http(domain):
                raise connection_problem(error, image) from error
            self._schemes[domain] = "http"
            return self._send(request, authorization)
        except requests.RequestException as error:
            raise TransientError(explain(error)) from error
        except ValueError as error:  # "https://[": neither urllib nor requests makes more of it
            raise TransientError("it redirects to an address that is none") from error
        self._schemes[domain] = scheme
        return response

    def _allows_plain_http(self, domain: str) -> bool:
        """The engine is asked for its list only where HTTPS failed and the address does not tell by itself."""
        return allows_plain_http(domain) or allows_plain_http(domain, self._insecure(self._timeout))

    def _follow(self, request: Request, home: str, authorization: Secret | None) -> requests.Response:
        """Follows redirects by hand: the login goes to `home` alone, and HTTPS never turns into HTTP."""
        url = urljoin(f"{home}/v2/{request.image.path}/", request.path)
        for _ in range(_MAX_REDIRECTS + 1):
            parts = urlsplit(url)
            if parts.scheme not in ({"https"} if home.startswith("https:") else {"http", "https"}):
                raise requests.exceptions.InvalidURL("it leads from HTTPS to something less safe")
            is_home = f"{parts.scheme}://{parts.netloc}" == home
            response = self._session(request.image.domain).request(
                request.method,
                url,
                headers=dict(request.headers),
                data=request.body(),
                auth=Header(authorization if is_home else None),
                timeout=(self._timeout, request.patience or self._timeout),
                proxies=_past_proxies(parts.hostname or ""),
                stream=True,
                allow_redirects=False,
            )
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or not location:
                return response
            response.close()
            url = urljoin(url, location)
        raise requests.exceptions.TooManyRedirects("it redirects in circles")


def _answer(response: requests.Response, image: Reference, limit: int) -> Answer:
    status = response.status_code
    if status in RETRIED:
        raise TransientError(f"HTTP {status}", retry_after(response))
    if status in (401, 403):
        raise unauthorized(image)
    if status != 404 and not response.ok:
        raise RefusedError(
            f"the registry {image.domain} answered HTTP {status} for {image}",
            hint="is this the address of a registry?",
            reason=Reason.IMAGE_PULL_FAILED,
        )
    return Answer(status=status, headers=response.headers, body=b"" if status == 404 else read_body(response, limit))


def _past_proxies(host: str) -> dict[str, str] | None:
    """Loopback addresses are never asked through a proxy, as in Docker (Go's httpproxy); others by the environment."""
    return {"no_proxy": host} if is_loopback(host) else None


def _wait(state: tenacity.RetryCallState) -> float:
    """0.3, 0.6, 1.2 seconds, or what the server asks for, up to 10."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, TransientError) else 0.0
    return float(min(_MAX_WAIT, max(asked, 0.3 * 2 ** (state.attempt_number - 1))))
