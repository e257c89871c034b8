"""What one answer to a probe says about the app: a good sample, a bad one, or nothing. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from urllib.parse import urlsplit

from kdeploy.model import HttpCheck
from kdeploy.text import one_line

EXCERPT = 120
"""How many characters of an app's body a message shows."""


class Trouble(Enum):
    """Why an answer is no sample."""

    DENIED = "denied"  # 401, 403: this user may not
    BUSY = "busy"  # 429: the API server asks for patience
    LATE = "late"  # no answer in time: the app's fault, or the way's
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a probe found, as a `Sample` says it; `trouble` is set exactly where `ok` is None."""

    ok: bool | None
    message: str
    trouble: Trouble | None = None


class ProxyAnswer(Protocol):
    """What the cluster adapter tells about a request through the API server's pod proxy."""

    @property
    def status(self) -> int | None:
        """The HTTP status. None where the pod refused the connection, or nothing answered (`is_proxy_error`)."""
        ...

    @property
    def body_excerpt(self) -> str:
        """The beginning of the body, or the API server's message."""
        ...

    @property
    def is_proxy_error(self) -> bool:
        """True where it is no answer of the app's: the API server's own, a gateway's, or none at all."""
        ...


# The API server reached the pod, and it is the pod that does not serve HTTP there. The words are Go's net and net/http.
# Others ("i/o timeout", "no route to host") mean that the API server may not reach pods at all.
_PODS_FAULT = re.compile(
    r"connection refused|connection reset by peer|broken pipe|\bEOF$|malformed HTTP|HTTP response to HTTPS client"
    r"|first record does not look like a TLS handshake"
)
# A page's beginning says nothing, and the status has said it.
_MARKUP = re.compile(r"\s*<(?:!--|(?:!doctype|\?xml|html|head|body)\b)", re.I)
_NOT_REACHED = "error trying to reach service: "  # k8s.io/apimachinery/pkg/util/proxy/transport.go
_TROUBLES = {401: Trouble.DENIED, 403: Trouble.DENIED, 429: Trouble.BUSY}


def subject(check: HttpCheck) -> str:
    """What was asked, for a message: without a query, user or password, which may be secret."""
    if check.url is None:
        return one_line(f"GET {(check.path or '/').partition('?')[0]}")
    try:
        url = urlsplit(check.url)
    except ValueError:
        return "GET the url"
    return one_line(f"GET {url.scheme}://{url.netloc.rpartition('@')[2]}{url.path or '/'}")


def apps_answer(check: HttpCheck, status: int, excerpt: str) -> Found:
    """The app's own answer: good where the status is the check's. A redirect is an answer like any other."""
    if status == check.status:
        return Found(ok=True, message=f"{subject(check)} answered {status}")
    said = "" if _MARKUP.match(excerpt) else one_line(excerpt, EXCERPT)
    message = f"{subject(check)} answered {status} instead of {check.status}"
    return Found(ok=False, message=f"{message} ({said})" if said else message)


def proxied_answer(check: HttpCheck, answer: ProxyAnswer) -> Found:
    """An answer through the pod proxy: the app's, or the API server's own, which says nothing about the app.

    Where the API server's own says that it reached the pod in vain, that is the pod's fault and a bad sample.
    """
    excerpt = answer.body_excerpt
    if not answer.is_proxy_error:
        if answer.status is None:
            return Found(ok=False, message=one_line(f"{subject(check)}: {excerpt}"))
        return apps_answer(check, answer.status, excerpt)
    if excerpt.startswith(_NOT_REACHED) and _PODS_FAULT.search(excerpt):
        return Found(ok=False, message=one_line(f"{subject(check)}: {excerpt.removeprefix(_NOT_REACHED)}"))
    if answer.status is None:
        return Found(ok=None, message=one_line(excerpt), trouble=Trouble.OTHER)
    message = one_line(f"the pod proxy answered {answer.status}: {excerpt}")
    return Found(ok=None, message=message, trouble=_TROUBLES.get(answer.status, Trouble.OTHER))


def no_answer(check: HttpCheck) -> Found:
    """The app was reached and took longer than the check allows."""
    return Found(ok=False, message=f"{subject(check)} gave no full answer within {check.timeout:g}s")
