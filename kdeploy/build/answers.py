"""What a registry answers, and what it means that it does not: the errors of every request to one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from kdeploy.build.credentials import login_hint
from kdeploy.errors import RefusedError
from kdeploy.model import Reason
from kdeploy.reference import Reference
from kdeploy.text import one_line

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""The statuses of which a later try may be free."""

_BODY_SECONDS = 60.0
_MAX_CAUSES = 10


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


class TransientError(Exception):
    """No answer, or one that a later try may mend. `wait`: the seconds that the server asks for."""

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


def read_body(response: requests.Response, limit: int) -> bytes:
    """The body, at most `limit` bytes of it, within a minute. Raises RefusedError, TransientError."""
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
                raise TransientError("its answer did not end")
    except requests.RequestException as error:
        raise TransientError(explain(error)) from error
    return bytes(body)


def retry_after(response: requests.Response) -> float:
    """The seconds that the server asks to wait, 0 for none."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else 0.0


def explain(error: Exception) -> str:
    """Why there was no answer, in a few words: the innermost cause."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS failed: {one_line(str(error.args[0] if error.args else error), 160)}"
    if isinstance(error, requests.exceptions.Timeout):
        return "it took too long"
    cause: object = error
    for _ in range(_MAX_CAUSES):
        inner = getattr(cause, "reason", None) or next(iter(getattr(cause, "args", ())), None)
        if not isinstance(inner, Exception):
            break
        cause = inner
    return one_line(str(cause), 160) or type(cause).__name__


def connection_problem(error: requests.exceptions.ConnectionError, image: Reference) -> Exception:
    """The error for a connection that was not made."""
    if isinstance(error, requests.exceptions.SSLError):
        return RefusedError(
            f"the registry {image.domain} cannot be trusted: {explain(error)}",
            hint=f"put its authority into /etc/docker/certs.d/{image.domain}/ca.crt, as for Docker itself; "
            "list a plain HTTP registry in Docker's insecure-registries",
            reason=Reason.IMAGE_PULL_FAILED,
        )
    return TransientError(explain(error))


def unauthorized(image: Reference, why: str = "") -> RefusedError:
    """The error where the registry wants another login."""
    return RefusedError(
        f"the registry {image.domain} refuses to show {image}" + (f": {why}" if why else ""),
        hint=f"{login_hint(image.domain)}, and check that this user may read the repository and that it exists",
        reason=Reason.IMAGE_UNAUTHORIZED,
    )
