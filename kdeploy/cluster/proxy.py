"""The pod proxy: a request to a pod's port through the API server, and whose answer came back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kdeploy.cluster.answers import status_of
from kdeploy.config.checks import passes_pod_proxy
from kdeploy.text import clean

EXCERPT_BYTES = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyAnswer:
    """What came of one request through the pod proxy.

    `is_proxy_error` true: no answer of the app's own, which says nothing about the app. False with a `status`: the
    app's HTTP status. False with `status` None: the pod refused the connection. `body_excerpt` is cleaned text, or the
    proxy's message.
    """

    status: int | None
    body_excerpt: str
    is_proxy_error: bool


def allowed_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that can pass the proxy; the others, which the config refuses, would replace our credentials."""
    return {name: value for name, value in headers.items() if passes_pod_proxy(name)}


def classify(status: int, body: bytes) -> ProxyAnswer:
    """Tells the app's answer from the proxy's.

    Nothing marks a response of the API server itself: its headers are on passed-on responses as well. So it is told by
    a body that is a whole v1 `Status` with this very code, which an app (other than an API server) has no cause to
    send; and 401, 403 and 429 are never the app's, since the API server and what stands before it send them in many
    shapes. What is then no sample is asked again past the proxy, so an app that does send them is still found out.
    """
    excerpt = clean(body[:EXCERPT_BYTES].decode(errors="replace"), EXCERPT_BYTES)
    message = _own_message(status, body)
    if message is not None and status in (500, 503) and "connection refused" in message:  # 500 in v1.20
        return ProxyAnswer(status=None, body_excerpt="connection refused", is_proxy_error=False)
    if message is not None:
        return ProxyAnswer(status=status, body_excerpt=clean(message, EXCERPT_BYTES), is_proxy_error=True)
    return ProxyAnswer(status=status, body_excerpt=excerpt, is_proxy_error=status in (401, 403, 429))


def _own_message(status: int, body: bytes) -> str | None:
    """The message of a Status that the API server sent as this answer; None where the body is not one."""
    found = status_of(body)
    whole = (
        found.get("apiVersion") == "v1"
        and found.get("status") == "Failure"
        and found.get("code") == status
        and isinstance(found.get("metadata"), Mapping)
    )
    return str(found.get("message") or found.get("reason") or "") if whole else None
