"""Failures below HTTP: what a connection error says, for a person. Pure."""

from __future__ import annotations

from urllib3 import exceptions

from kdeploy.errors import ClusterError, UnreachableError
from kdeploy.model import Permission
from kdeploy.text import one_line

_MEND_TLS = "kdeploy does not go on unverified: correct certificate-authority(-data) and server in the kubeconfig"


def transport_failure(error: exceptions.HTTPError, doing: Permission, server: str) -> ClusterError:
    """The error for an HTTP exchange that failed. UnreachableError where a later try may help; bad TLS is final."""
    text = one_line(str(error))
    if isinstance(error, exceptions.ProxyError):
        return UnreachableError(
            f"cannot {doing}: the proxy on the way to {server} does not let it through: {text}",
            hint="check HTTPS_PROXY, NO_PROXY and the kubeconfig's proxy-url",
            may_have_arrived=False,
        )
    if isinstance(error, exceptions.SSLError):
        return _tls_failure(text, doing, server)
    # The order is that of the classes: each is a kind of the next.
    if isinstance(error, exceptions.NameResolutionError):
        return UnreachableError(
            f"cannot {doing}: the name in {server} cannot be resolved",
            hint="check the server in the kubeconfig, and DNS",
            may_have_arrived=False,
        )
    if isinstance(error, exceptions.NewConnectionError):
        return UnreachableError(
            f"cannot {doing}: nothing answers at {server} ({_cause(text)})",
            hint="is the cluster up, and the kubeconfig's server the right one?",
            may_have_arrived=False,
        )
    if isinstance(error, exceptions.ConnectTimeoutError):
        return UnreachableError(
            f"cannot {doing}: {server} cannot be reached (timeout)",
            hint="check network and VPN",
            may_have_arrived=False,
        )
    if isinstance(error, exceptions.TimeoutError):
        return UnreachableError(f"cannot {doing}: {server} gave no answer in time", hint="the API server may be busy")
    return UnreachableError(f"cannot {doing}: the connection to {server} broke: {text}", hint="try again")


def _tls_failure(text: str, doing: Permission, server: str) -> ClusterError:
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text or "match" in text:
        return ClusterError(f"the certificate of {server} does not verify: {_cause(text)}", hint=_MEND_TLS)
    if "WRONG_VERSION_NUMBER" in text or "wrong version number" in text:
        return ClusterError(
            f"{server} does not speak TLS", hint="correct the server (http or https?) in the kubeconfig"
        )
    return UnreachableError(
        f"cannot {doing}: TLS with {server} failed: {_cause(text)}", hint="check proxies in between"
    )


def _cause(text: str) -> str:
    """The part of a chained exception's text that says what happened: "[Errno 111] Connection refused"."""
    for mark in ("[Errno", "[SSL", "certificate verify failed"):
        if mark in text:
            return text[text.index(mark) :].rstrip("')\" ")
    return text
