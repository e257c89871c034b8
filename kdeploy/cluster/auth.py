"""Credentials: the client library reads them; here its silences become errors.

It only logs when an exec plugin fails (kubernetes/config/kube_config.py, `_load_from_exec_plugin`), and would go on
without credentials.
"""

from __future__ import annotations

import logging
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import urllib3

from kdeploy.cluster.kubeconfig import Context
from kdeploy.errors import ClusterError, ConfigError
from kdeploy.model import Reason
from kdeploy.secret import Secret
from kdeploy.text import one_line

if TYPE_CHECKING:
    from kubernetes.client import Configuration

# Go never sends loopback through the environment's proxy (net/http, ProxyFromEnvironment), and so kubectl does not.
_LOOPBACK = "localhost,127.0.0.1,127.0.0.0/8,::1"
_CONNECTIONS = 16
# A watch is silent for a minute at a time. A peer that is gone is found after 5 + 3 * 2 seconds, at no request.
_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Session:
    """One set of credentials in use: the pool that has their TLS, and the header that has their token.

    `server` is the API server's URL, without a slash at its end; `tls` is None for plain http.
    """

    server: str
    pool: urllib3.PoolManager
    tls: ssl.SSLContext | None
    authorization: Secret | None
    impersonate: tuple[tuple[str, str], ...] = field(default=())

    def headers(self) -> list[tuple[str, str]]:
        """What authenticates a request: only ever put on the wire, never into a message."""
        token = [("Authorization", self.authorization.reveal())] if self.authorization else []
        return [*token, *self.impersonate]


def open_session(context: Context) -> Session:
    """Reads the credentials of `context`, running its exec plugin if it has one.

    Raises ConfigError where kubeconfig is wrong (exit 2), ClusterError where the plugin fails (exit 4).
    """
    from kubernetes.client.rest import RESTClientObject

    # Inline certificates and keys pass through files, since OpenSSL reads only those: they are gone when this returns.
    with tempfile.TemporaryDirectory(prefix="kdeploy-") as folder:
        configuration = _load(context, folder)
        tls = _tls(configuration) if context.server.startswith("https://") else None
    _set_transport(configuration, context)
    pool = RESTClientObject(configuration).pool_manager
    if tls is not None:
        for key in ("ca_certs", "ca_cert_data", "cert_file", "key_file"):
            pool.connection_pool_kw.pop(key, None)
        pool.connection_pool_kw["ssl_context"] = tls
    # A token file ends with a newline, which no header may hold.
    token = str(configuration.api_key.get("BearerToken") or "").strip()
    return Session(
        server=context.server,
        pool=pool,
        tls=tls,
        authorization=Secret(token) if token else None,
        impersonate=context.impersonate,
    )


def _load(context: Context, folder: str) -> Configuration:
    """A filled `Configuration` of the client library. `folder` takes its temporary files."""
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

    configuration = Configuration()
    with _logged_errors() as logged:
        try:
            if context.paths:
                load_kube_config(  # type: ignore[no-untyped-call]
                    config_file=":".join(context.paths),
                    context=context.name,
                    client_configuration=configuration,
                    temp_file_path=folder,
                )
            else:
                load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            message = f"the credentials of context {context.name!r} cannot be read: {one_line(str(error))}"
            raise ConfigError(message, hint="correct the kubeconfig, or log in to the cluster anew") from None
    if context.plugin is not None and (logged or not (configuration.api_key or configuration.cert_file)):
        raise _plugin_failed(context, logged)
    return configuration


def _plugin_failed(context: Context, logged: list[str]) -> ClusterError:
    said = one_line(" ".join(logged)) or "it gave neither a token nor a certificate"
    # On a terminal the plugin writes to it directly, and the library stumbles over the stderr that it did not catch.
    if "NoneType" in said:
        said = "see what it wrote above"
    return ClusterError(
        f"the login plugin {one_line(context.plugin or '')!r} of context {context.name!r} failed: {said}",
        hint=one_line(context.plugin_hint) or "log in with the cluster provider's own command, then run this again",
        reason=Reason.FORBIDDEN,
    )


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.module == "kube_config" and record.thread == self._thread:
            self.messages.append(record.getMessage())


@contextmanager
def _logged_errors() -> Iterator[list[str]]:
    """What the library's kubeconfig loader logs as an error meanwhile. It logs to the root logger."""
    root, collector = logging.getLogger(), _Collector()
    root.addHandler(collector)
    try:
        yield collector.messages
    finally:
        root.removeHandler(collector)


def _tls(configuration: Configuration) -> ssl.SSLContext:
    from urllib3.util.ssl_ import create_urllib3_context

    if not configuration.verify_ssl:  # as the kubeconfig says; a warning for each request would drown everything else
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE)
    # Python 3.13 began to demand extensions that many clusters' own authorities lack; kubectl does not ask for them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        if configuration.ssl_ca_cert:
            context.load_verify_locations(cafile=configuration.ssl_ca_cert)
        elif configuration.verify_ssl:
            context.load_default_certs()
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file or None, password="")
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"the kubeconfig's certificate authority, client certificate or key cannot be used: {one_line(str(error))}",
            hint="log in to the cluster anew, or correct the kubeconfig",
        ) from None
    return context


def _set_transport(configuration: Configuration, context: Context) -> None:
    """What the library's connection pool takes from its configuration and we want otherwise."""
    import socket

    options: list[tuple[int, int, Any]] = [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    ]
    options += [
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in _KEEPALIVE.items()
        if hasattr(socket, name)
    ]
    configuration.socket_options = options
    configuration.connection_pool_maxsize = _CONNECTIONS
    if context.own_proxy:
        configuration.no_proxy = None  # NO_PROXY is about the environment's proxy, not about the context's
    else:
        configuration.no_proxy = ",".join(filter(None, (configuration.no_proxy, _LOOPBACK)))
