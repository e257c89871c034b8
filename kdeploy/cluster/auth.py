"""Credentials: the client library reads them, from the kubeconfig and from what a login plugin gave (plugin.py)."""

from __future__ import annotations

import json
import ssl
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.exceptions import LocationValueError

from kdeploy.bounded import bounded
from kdeploy.clock import Deadline
from kdeploy.cluster.kubeconfig import Context
from kdeploy.cluster.plugin import Credential, log_in
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
    """One set of credentials in use: the pools that have their TLS, and the header that has their token.

    `streams` is the pool of the watches, which keep their connections: so those of `pool` are not used up by them, and
    a fresh read at a deploy's end finds them open. `server` is the API server's URL, without a slash at its end; `tls`
    is None for plain http.
    """

    server: str
    pool: urllib3.PoolManager
    streams: urllib3.PoolManager
    tls: ssl.SSLContext | None
    authorization: Secret | None
    impersonate: tuple[tuple[str, str], ...] = field(default=())

    def headers(self) -> list[tuple[str, str]]:
        """What authenticates a request: only ever put on the wire, never into a message."""
        token = [("Authorization", self.authorization.reveal())] if self.authorization else []
        return [*token, *self.impersonate]

    def secrets(self) -> tuple[Secret, ...]:
        """What no output may show: the token, or the password of a basic login and the form in which it is sent."""
        scheme, _, value = self.authorization.reveal().partition(" ") if self.authorization else ("", "", "")
        found = [value] if value else []
        if scheme.lower() == "basic":
            with suppress(ValueError):
                found.append(b64decode(value).decode().partition(":")[2])
        return tuple(Secret(text) for text in found if text)


def open_session(context: Context, deadline: Deadline) -> Session:
    """Reads the credentials of `context`, running its login plugin if it has one, until `deadline` at most.

    Raises ConfigError where kubeconfig is wrong (exit 2), ClusterError where the plugin fails (exit 4).
    """
    from kubernetes.client.rest import RESTClientObject

    credential = log_in(context.plugin, _left(context, deadline)) if context.plugin else None
    # Inline certificates and keys pass through files, since OpenSSL reads only those: they are gone when this returns.
    with tempfile.TemporaryDirectory(prefix="kdeploy-") as folder:
        own = (_overlay(context.user, credential, folder),) if credential else ()
        configuration = _in_time(partial(_load, context, (*own, *context.paths), folder), context, deadline)
        tls = _tls(configuration) if context.server.startswith("https://") else None
    _set_transport(configuration, context)
    try:
        pools = [RESTClientObject(configuration).pool_manager for _ in range(2)]
    except (LocationValueError, ImportError):  # ImportError: what SOCKS takes is not installed
        name = "proxy-url in the kubeconfig" if context.own_proxy else "HTTPS_PROXY (HTTP_PROXY, ALL_PROXY)"
        raise ConfigError(
            f"{name} is no address of an HTTP proxy", hint="write http://HOST:PORT, or take the proxy out"
        ) from None
    if tls is not None:
        for pool in pools:
            for key in ("ca_certs", "ca_cert_data", "cert_file", "key_file"):
                pool.connection_pool_kw.pop(key, None)
            pool.connection_pool_kw["ssl_context"] = tls
    # A token file ends with a newline, which no header may hold.
    token = str(configuration.api_key.get("BearerToken") or "").strip()
    return Session(
        server=context.server,
        pool=pools[0],
        streams=pools[1],
        tls=tls,
        authorization=Secret(token) if token else None,
        impersonate=context.impersonate,
    )


def _overlay(user: str, credential: Credential, folder: str) -> str:
    """A kubeconfig that gives `user` the credential: as the first of several, it wins. Returns its path."""
    fields: dict[str, str] = {}
    if credential.token:
        fields["token"] = credential.token.reveal()
    if credential.certificate and credential.key:
        fields["client-certificate-data"] = b64encode(credential.certificate.reveal().encode()).decode()
        fields["client-key-data"] = b64encode(credential.key.reveal().encode()).decode()
    path = Path(folder, "login.yaml")  # the folder is its owner's alone
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "users": [{"name": user, "user": fields}]}))
    return str(path)


def _in_time(load: Callable[[], Configuration], context: Context, deadline: Deadline) -> Configuration:
    """An `auth-provider` may renew its token over the network, for as long as it likes."""
    try:
        return bounded(load, _left(context, deadline))
    except TimeoutError:
        raise _late(context) from None


def _left(context: Context, deadline: Deadline) -> float:
    try:
        return deadline.remaining()
    except TimeoutError:
        raise _late(context) from None


def _late(context: Context) -> ClusterError:
    return ClusterError(
        f"the credentials of context {context.name!r} could not be had in time",
        hint="log in to the cluster anew, or allow more time, then run this again",
        reason=Reason.FORBIDDEN,
    )


def _load(context: Context, paths: Sequence[str], folder: str) -> Configuration:
    """A filled `Configuration` of the client library. `folder` takes its temporary files."""
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

    configuration = Configuration()
    try:
        if paths:
            load_kube_config(  # type: ignore[no-untyped-call]
                config_file=":".join(paths),
                context=context.name,
                client_configuration=configuration,
                temp_file_path=folder,
            )
        else:
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"the credentials of context {context.name!r} cannot be read: {one_line(str(error))}"
        raise ConfigError(message, hint="correct the kubeconfig, or log in to the cluster anew") from None
    return configuration


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
