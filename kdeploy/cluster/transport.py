"""One request to the API server: JSON in and out, bounded in time and size, its failures mapped to errors.

It polls its own clock, an injected one, and not a retry library's: what bounds a rollout must be one clock.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from queue import Empty
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError

from kdeploy import __version__
from kdeploy.cluster.answers import ThrottledError, decode, failure, status_of
from kdeploy.cluster.auth import Session
from kdeploy.cluster.encode import go_json
from kdeploy.cluster.failures import transport_failure
from kdeploy.cluster.workers import Workers
from kdeploy.errors import ClusterError, KdeployError, UnreachableError
from kdeploy.model import Permission, Reason
from kdeploy.ports import Clock

USER_AGENT = f"kdeploy/{__version__}"
MAX_BODY = 128 * 1024 * 1024
_CONNECT_TIMEOUT = 10.0
# Longer than the 30 s that an admission webhook may take, shorter than the API server's own 60 s.
_ANSWER_TIMEOUT = 45.0
# The time beyond a request's own timeouts after which it is given up: name resolution knows no timeout.
_GRACE = 0.25
_RENEW_AT_MOST_EACH = 5.0
# With less time than this a repeated read could but time out, and hide what the one before it has found.
_LEAST_TIME = 0.1
_FIRST_TRIES = 3
# How long an API server that has just started may refuse what it grants: 150 ms were seen on v1.35.
_FORGETFUL = 5.0


class Purpose(Enum):
    """What a request is sent for; each is counted apart."""

    STORY = "story"
    PREFLIGHT = "preflight"
    SILENCE = "silence"
    CHECK = "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `path` is below the server's URL and already quoted; `body` is JSON or None."""

    method: str
    path: str
    doing: Permission
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    purpose: Purpose = Purpose.STORY

    @property
    def target(self) -> str:
        """Path and query."""
        if not self.query:
            return self.path
        return f"{self.path}{'&' if '?' in self.path else '?'}{urlencode(self.query)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of any HTTP status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Sends requests with the current credentials, and reads those again once where the server refuses them.

    Safe to use from several threads. `reopen` gives a new session.
    """

    def __init__(self, session: Session, clock: Clock, reopen: Callable[[], Session]) -> None:
        self._session = session
        self._clock = clock
        self._reopen = reopen
        self._renewed_at = float("-inf")
        self._counts: Counter[Purpose] = Counter()
        self._granted: dict[str, float | None] = {}  # by rule: since when it is refused all the same
        self._answered = False
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._workers = Workers("kdeploy-request")
        self.closed = threading.Event()

    @property
    def session(self) -> Session:
        """The credentials in use."""
        return self._session

    def sent(self, purpose: Purpose) -> int:
        """How many requests were sent for that purpose, repeated ones included."""
        with self._lock:
            return self._counts[purpose]

    def exchange(self, request: Request, timeout: float) -> Answer:
        """Sends once and returns the answer, whatever its status, after at most `timeout` seconds.

        Raises UnreachableError where none comes, ClusterError where the connection is refused for good (TLS).
        """
        return self._begin(request, timeout)()

    def once(self, request: Request, until: float) -> dict[str, Any]:
        """Sends once and returns the JSON object of a good answer; raises ClusterError for any other.

        A write that was accepted with an answer that cannot be read is one without an answer (UnreachableError).
        """
        answer = self._begin_once(request, until)()
        try:
            return self._good(request.doing, answer)
        except ClusterError as error:
            if request.method == "GET" or not 200 <= answer.status < 300:
                raise
            raise UnreachableError(error.message, hint=error.hint, status=answer.status) from None

    def read(self, request: Request, until: float) -> dict[str, Any]:
        """As `once`, repeated until `until` where a later try may help. For requests that change nothing."""
        return self.begin_read(request, until)()

    def begin_read(self, request: Request, until: float) -> Callable[[], dict[str, Any]]:
        """Begins to `read`, so that several are under way at once; what it gives waits, and repeats where it must."""
        first = self._begin_once(request, until)

        def finish() -> dict[str, Any]:
            answered, attempt = first, 0
            while True:
                try:
                    return self._good(request.doing, answered())
                except UnreachableError as error:
                    pause = pause_after(error, attempt)
                    attempt += 1
                    late = self._clock.now() + pause + _LEAST_TIME > until
                    if late or self._is_nobody_there(attempt) or self.closed.wait(pause):
                        raise
                answered = self._begin_once(request, until)

        return finish

    def _is_nobody_there(self, attempts: int) -> bool:
        """Whether the address itself may be wrong: then that is told at once, not when the time is up."""
        return not self._answered and attempts >= _FIRST_TRIES

    def stream(self, request: Request, read_timeout: float) -> urllib3.BaseHTTPResponse:
        """Opens an answer that goes on: the caller reads it, and closes it. Raises as `once` does.

        It has a connection of its own: those of the other requests stay open for the next ones.
        """
        session = self._session
        response = self._open(session, request, read_timeout, session.streams)
        if response.status == 401:
            response.close()
            renewed = self._renew(session)
            session = renewed or session
            response = self._open(session, request, read_timeout, session.streams)
        if response.status == 200:
            return response
        with_body = self._complete(response, request.doing)
        raise failure(with_body.status, with_body.body, request.doing, with_body.headers.get("Retry-After"))

    def close(self) -> None:
        """Ends every wait and every idle connection."""
        self.closed.set()
        self._workers.close()
        self._session.pool.clear()
        self._session.streams.clear()

    def _begin(self, request: Request, timeout: float) -> Callable[[], Answer]:
        """Begins to `exchange`; what it gives waits for the end."""
        if timeout <= 0:
            raise UnreachableError(
                f"no time is left to {request.doing}",
                hint="allow more time: --build-timeout before the patch, --timeout after it",
            )
        wait = self._workers.begin(lambda: self._exchange(request, timeout))
        given_up = self._clock.now() + timeout + _GRACE

        def finish() -> Answer:
            try:
                return wait(given_up - self._clock.now())
            except Empty:
                raise UnreachableError(
                    f"cannot {request.doing}: the API server did not answer in {timeout:.0f} s",
                    hint="is it reachable from here?",
                ) from None

        return finish

    def _begin_once(self, request: Request, until: float) -> Callable[[], Answer]:
        return self._begin(request, min(until - self._clock.now(), _ANSWER_TIMEOUT))

    def _good(self, doing: Permission, answer: Answer) -> dict[str, Any]:
        """The JSON object of a good answer; raises ClusterError for any other."""
        if not 200 <= answer.status < 300:
            error = failure(answer.status, answer.body, doing, answer.headers.get("Retry-After"))
            raise _forgotten(error) if self._may_have_forgotten(error, doing.rule) else error
        self._granted[doing.rule] = None
        return decode(answer.body)

    def _may_have_forgotten(self, error: ClusterError, rule: str) -> bool:
        """Whether the server refuses for want of a right, not for a policy, what it granted until a moment ago."""
        if error.reason is not Reason.FORBIDDEN or rule not in self._granted:
            return False
        since = self._granted[rule] or self._clock.now()
        self._granted[rule] = since
        return self._clock.now() - since < _FORGETFUL

    def _exchange(self, request: Request, timeout: float) -> Answer:
        session = self._session
        answer = self._complete(self._open(session, request, timeout, session.pool), request.doing)
        if answer.status != 401 or (request.purpose is Purpose.CHECK and not status_of(answer.body)):
            return answer  # an app behind the pod proxy may answer 401 as well: that is no reason to log in again
        renewed = self._renew(session)
        if renewed is None:
            return answer
        return self._complete(self._open(renewed, request, timeout, renewed.pool), request.doing)

    def _open(
        self, session: Session, request: Request, timeout: float, pool: urllib3.PoolManager
    ) -> urllib3.BaseHTTPResponse:
        headers = urllib3.HTTPHeaderDict({"Accept": "application/json", "User-Agent": USER_AGENT, **request.headers})
        for name, value in session.headers():
            headers.add(name, value)
        body = None
        if request.body is not None:
            headers["Content-Type"] = request.content_type
            body = go_json(request.body)
        with self._lock:
            self._counts[request.purpose] += 1
        try:
            return pool.request(
                request.method,
                session.server + request.target,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=min(timeout, _CONNECT_TIMEOUT), read=timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except HTTPError as error:
            raise transport_failure(error, request.doing, session.server) from None
        except ValueError:  # its text would show the header, and so the token
            raise ClusterError(
                "the credentials cannot be sent in a header", hint="log in to the cluster anew"
            ) from None

    def _complete(self, response: urllib3.BaseHTTPResponse, doing: Permission) -> Answer:
        body = bytearray()
        try:
            for chunk in response.stream(64 * 1024):
                body += chunk
                if len(body) > MAX_BODY:
                    response.close()
                    raise ClusterError(f"cannot {doing}: the answer is larger than {MAX_BODY >> 20} MiB")
        except HTTPError as error:
            response.close()
            raise transport_failure(error, doing, self._session.server) from None
        response.release_conn()
        self._answered = True
        return Answer(status=response.status, headers=response.headers, body=bytes(body))

    def _renew(self, refused: Session) -> Session | None:
        """A newer session than the refused one; None where the credentials were read again only just now."""
        with self._renewing:
            if self._session is not refused:
                return self._session
            now = self._clock.now()
            if now - self._renewed_at < _RENEW_AT_MOST_EACH:
                return None
            self._renewed_at = now
            try:
                self._session = self._reopen()
            except ClusterError:
                raise
            except KdeployError as error:
                raise ClusterError(error.message, hint=error.hint, reason=error.reason, status=401) from None
            return self._session


def pause_after(error: ClusterError, attempt: int, longest: float = 5.0) -> float:
    """How many seconds to wait before the next try: what the server asks, else 0.1 s doubling, with jitter."""
    if isinstance(error, ThrottledError) and error.retry_after is not None:
        return error.retry_after
    return float(min(longest, 0.1 * 2 ** min(attempt, 10)) * random.SystemRandom().uniform(0.5, 1.0))


def _forgotten(error: ClusterError) -> UnreachableError:
    """The error for a refusal of what was granted a moment ago, which a later try may mend."""
    return UnreachableError(
        error.message, hint=error.hint, reason=error.reason, status=error.status, may_have_arrived=False
    )
