"""Asks a check's `url`: the app's own address, so whatever comes back, or does not, is the app's doing."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment

from kdeploy.clock import Deadline
from kdeploy.model import HttpCheck
from kdeploy.text import one_line
from kdeploy.verify.answer import Found, apps_answer, no_answer, subject
from kdeploy.verify.exchange import SocketWire, get


class UrlAsker:
    """Sends one GET at a time; safe to use from several threads.

    TLS is verified against the system's authorities (SSL_CERT_FILE and SSL_CERT_DIR are honoured). `proxies` are the
    environment's HTTP_PROXY, HTTPS_PROXY and NO_PROXY as `urllib.request.getproxies_environment` names them.
    """

    def __init__(self, proxies: Mapping[str, str] | None = None) -> None:
        self._proxies = dict(getproxies_environment() if proxies is None else proxies)
        self._tls: ssl.SSLContext | None = None

    def ask(self, check: HttpCheck, deadline: Deadline) -> Found:
        """One sample of `check.url`; never raises for what the network does."""
        try:
            connection, target, headers = self._plan(urlsplit(check.url or ""), check, deadline)
            with closing(connection):  # also where TLS fails, which leaves the socket open
                connection.connect()
                assert isinstance(connection.sock, socket.socket)
                status, excerpt = get(connection, SocketWire(connection.sock, deadline), target, headers)
        except TimeoutError:
            return no_answer(check)
        except (OSError, HTTPException) as error:
            return Found(ok=False, message=one_line(f"{subject(check)}: {_reason(error)}"))
        except ValueError:  # its text may hold a header's value, which may be secret
            return Found(ok=False, message=f"{subject(check)} cannot be sent: the url or a header is not valid")
        return apps_answer(check, status, excerpt)

    def _plan(
        self, url: SplitResult, check: HttpCheck, deadline: Deadline
    ) -> tuple[HTTPConnection, str, dict[str, str]]:
        """The connection, not yet open, the request's target, and its headers."""
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("not an http or https URL")
        headers = {**_basic("Authorization", url), **check.headers}
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        proxy = self._proxy(url)
        near = proxy or url
        assert near.hostname is not None
        left = deadline.remaining()
        if url.scheme == "https":
            secure = HTTPSConnection(near.hostname, near.port, timeout=left, context=self._context())
            if proxy is not None:
                secure.set_tunnel(url.hostname, url.port or 443, headers=_basic("Proxy-Authorization", proxy))
            return secure, target, headers
        plain = HTTPConnection(near.hostname, near.port, timeout=left)
        if proxy is not None:
            host = url.netloc.rpartition("@")[2]
            return plain, f"http://{host}{target}", {"Host": host, **_basic("Proxy-Authorization", proxy), **headers}
        return plain, target, headers

    def _proxy(self, url: SplitResult) -> SplitResult | None:
        address = self._proxies.get(url.scheme)
        if not address or is_direct(url.hostname or "", self._proxies.get("no", "")):
            return None
        proxy = urlsplit(address if "://" in address else f"http://{address}")
        if not proxy.hostname:
            raise ValueError("not a proxy's address")
        return proxy

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:  # reading the authorities takes some ms: once is enough
            self._tls = ssl.create_default_context()
        return self._tls


def is_direct(host: str, no_proxy: str) -> bool:
    """Whether `host` is asked without a proxy: loopback, or matched by NO_PROXY.

    `no_proxy` is a list with commas of names (which stand for what is below them, too), addresses, networks, or "*".
    """
    if host == "localhost" or _in_network(host, "127.0.0.0/8") or _in_network(host, "::1"):
        return True
    for entry in no_proxy.lower().replace(" ", "").split(","):
        name = entry.lstrip("*.")
        if entry == "*" or (name and (host == name or host.endswith(f".{name}"))) or _in_network(host, entry):
            return True
    return False


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _basic(header: str, url: SplitResult) -> dict[str, str]:
    if url.username is None:
        return {}
    pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {header: f"Basic {b64encode(pair.encode()).decode()}"}


def _reason(error: OSError | HTTPException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not verify: {error.verify_message}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, HTTPException):
        return f"what came back is no HTTP answer ({type(error).__name__})"
    return error.strerror or str(error) or type(error).__name__
