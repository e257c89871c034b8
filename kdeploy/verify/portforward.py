"""A connection to a pod's port by port-forward: for where the API server's pod proxy is not allowed or leads nowhere.

The API server hands the connection to the kubelet, which dials localhost inside the pod. Frames of the websocket
protocol v4.channel.k8s.io carry a channel's number in their first byte; channel 0 has the data, channel 1 errors, and
the first frame on each repeats the port in two bytes (k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go).
That the pod has closed its side is told a second late or never, so an answer must not be read to such an end.
It needs `get` on pods/portforward and, from Kubernetes 1.35 on, `create` as well.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

from kdeploy import __version__
from kdeploy.clock import Deadline
from kdeploy.text import one_line
from kdeploy.verify.exchange import Wire

_PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiEndpoint:
    """How the API server is reached: its URL, TLS, a name that its certificate has instead of the URL's, the HTTP proxy
    on the way, and the headers that authenticate (secret; they are made when asked for, with the token of that moment).
    """

    server: str
    tls: ssl.SSLContext | None
    headers: Callable[[], list[tuple[str, str]]] = field(repr=False)
    server_name: str | None = None
    proxy: str | None = None


class ForwardDeniedError(Exception):
    """The API server answers, but opens no port-forward. The text says why, for a person.

    `lasting` is true where it would open none to another pod either.
    """

    def __init__(self, message: str, *, lasting: bool) -> None:
        super().__init__(message)
        self.lasting = lasting


class PodRefusedError(ConnectionRefusedError):
    """The kubelet reached the pod, where nothing listens on the port, or what listens hung up."""


class PodDialer(Protocol):
    """Opens a stream to a pod's port."""

    def __call__(self, pod: str, port: int, deadline: Deadline) -> Wire:
        """Raises ForwardDeniedError, or OSError where the API server cannot be reached."""
        ...


class PortForwarder:
    """A `PodDialer` through `endpoint` to the pods of one namespace."""

    def __init__(self, endpoint: Callable[[], ApiEndpoint], namespace: str) -> None:
        self._endpoint = endpoint
        self._namespace = namespace

    def __call__(self, pod: str, port: int, deadline: Deadline) -> Wire:
        """As `PodDialer` says."""
        from websocket import create_connection

        endpoint = self._endpoint()
        if endpoint.tls and endpoint.tls.verify_mode is ssl.CERT_REQUIRED and not endpoint.tls.check_hostname:
            raise ForwardDeniedError("the API server's name could not be verified for a websocket", lasting=True)
        path = f"/api/v1/namespaces/{quote(self._namespace)}/pods/{quote(pod)}/portforward?ports={port}"
        with _readable_errors():
            opened = create_connection(
                endpoint.server.replace("http", "ws", 1) + path,
                timeout=deadline.remaining(),
                header=[f"{name}: {value}" for name, value in endpoint.headers()]
                + [f"User-Agent: kdeploy/{__version__}"],
                subprotocols=[_PROTOCOL],
                suppress_origin=True,
                redirect_limit=0,
                sslopt={"context": endpoint.tls, "server_hostname": endpoint.server_name},
                **_proxy_options(endpoint.proxy),
            )
        return ForwardedWire(opened, deadline)


class ForwardedWire:
    """The data channel of a port-forward, as a stream. `websocket` is one of websocket-client."""

    def __init__(self, websocket: Any, deadline: Deadline) -> None:
        self._websocket = websocket
        self._deadline = deadline
        self._begun: set[int] = set()
        self._rest = b""

    def send(self, data: bytes) -> None:
        """As `Wire` says."""
        self._websocket.settimeout(self._deadline.remaining())
        with _readable_errors():
            self._websocket.send_binary(bytes((_DATA,)) + data)

    def receive(self, size: int) -> bytes:
        """As `Wire` says. Raises PodRefusedError where the kubelet reports that nothing listens."""
        while not self._rest:
            channel, data = self._frame()
            if channel is None:
                return b""
            if channel == _ERROR and data:
                raise _kubelets_error(data)
            if channel == _DATA:
                self._rest = data
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def close(self) -> None:
        """As `Wire` says. It does not wait for the other side's farewell."""
        self._websocket.shutdown()

    def _frame(self) -> tuple[int | None, bytes]:
        """The next frame's channel and payload; channel None at the end, payload empty where it is the port's."""
        from websocket import ABNF

        self._websocket.settimeout(self._deadline.remaining())
        with _readable_errors():
            opcode, frame = self._websocket.recv_data(control_frame=True)
        if opcode == ABNF.OPCODE_CLOSE:
            return None, b""
        if opcode != ABNF.OPCODE_BINARY or not frame:
            return _ERROR, b""
        channel = frame[0]
        if channel in self._begun:
            return channel, frame[1:]
        self._begun.add(channel)
        return channel, b""


def _kubelets_error(data: bytes) -> OSError:
    text = data.decode(errors="replace")  # long: namespaces and pod ids, then what the dial said
    found = re.search("connection refused|connection reset by peer", text)
    return PodRefusedError(found.group()) if found else ConnectionAbortedError(one_line(text))


def _proxy_options(proxy: str | None) -> dict[str, Any]:
    """What made the endpoint has asked the environment: without these two, the library would ask it again."""
    if proxy is None:
        return {"http_proxy_host": "unused.invalid", "http_proxy_port": 1, "http_no_proxy": ["*"]}
    url = urlsplit(proxy)
    auth = (unquote(url.username), unquote(url.password or "")) if url.username else None
    return {
        "http_proxy_host": url.hostname,
        "http_proxy_port": url.port or 80,
        "http_proxy_auth": auth,
        "http_no_proxy": ["unused.invalid"],
    }


@contextmanager
def _readable_errors() -> Iterator[None]:
    """websocket-client's own exceptions as ForwardDeniedError and OSError. Their texts may be the server's."""
    from websocket import (
        WebSocketBadStatusException,
        WebSocketConnectionClosedException,
        WebSocketException,
        WebSocketTimeoutException,
    )

    try:
        yield
    except WebSocketBadStatusException as error:
        lasting = error.status_code < 500 and error.status_code not in (404, 429)
        raise ForwardDeniedError(f"the API server answered {error.status_code}", lasting=lasting) from None
    except WebSocketTimeoutException:
        raise TimeoutError from None
    except WebSocketConnectionClosedException:
        raise ConnectionResetError("the connection was closed") from None
    except WebSocketException as error:
        raise ConnectionAbortedError(one_line(str(error))) from None
