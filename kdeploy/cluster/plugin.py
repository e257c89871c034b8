"""A kubeconfig's login plugin (`exec`): what it is, and running it within its time for the credential that it prints.

The protocol: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins, and
in its details client-go's plugin/pkg/client/auth/exec/exec.go and tools/clientcmd/loader.go. The Python client library
runs plugins as well, but for as long as they like, and neither their failures nor a signal meanwhile come out of it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kdeploy.errors import ClusterError, ConfigError
from kdeploy.model import Obj, Reason
from kdeploy.process import NOT_FOUND, Finished, run
from kdeploy.secret import Secret
from kdeploy.text import one_line

_SECRET = re.compile(r"secret|token|passw|api.?key|credential", re.IGNORECASE)
_CONFIG_EXTENSION = "client.authentication.k8s.io/exec"
_CLUSTER_KEYS = (
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority-data",
    "proxy-url",
    "disable-compression",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """An `exec` block. `hint` is what its author says about installing it; `mode` "Never", "IfAvailable" or "Always".

    `cluster` is what it is told of the cluster, None: nothing.
    """

    command: str
    api_version: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    hint: str = ""
    mode: str = "IfAvailable"
    cluster: Obj | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a plugin gave: a token, or a client certificate with its key (PEM), or both."""

    token: Secret | None
    certificate: Secret | None
    key: Secret | None


def plugin_of(block: Obj, folder: Path, cluster: Obj, cluster_folder: Path) -> Plugin:
    """The plugin of an `exec` block in a kubeconfig in `folder`. Raises ConfigError where it is not one."""
    command, version = block.get("command"), block.get("apiVersion")
    if not isinstance(command, str) or not command or not isinstance(version, str):
        raise ConfigError(
            "the kubeconfig's exec plugin has no command or no apiVersion", hint="log in to the cluster anew"
        )
    try:
        return Plugin(
            command=str(folder / command) if "/" in command else command,
            api_version=version,
            args=tuple(str(word) for word in block.get("args") or ()),
            env=tuple((str(one["name"]), str(one["value"])) for one in block.get("env") or ()),
            hint=one_line(str(block.get("installHint") or "")),
            mode=str(block.get("interactiveMode") or "IfAvailable"),
            cluster=_told(cluster, cluster_folder) if block.get("provideClusterInfo") else None,
        )
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"the args or env of the kubeconfig's exec plugin cannot be read: {one_line(str(error))}",
            hint="args is a list of texts, env a list of name and value",
        ) from None


def secrets_of(plugin: Plugin) -> Iterator[Secret]:
    """What the kubeconfig gives the plugin that is a secret by its name; where it complains, it may repeat it."""
    for name, value in plugin.env:
        if _SECRET.search(name):
            yield Secret(value)
    for word, after in zip(plugin.args, (*plugin.args[1:], ""), strict=False):
        name, given, value = word.partition("=")
        if name.startswith("-") and _SECRET.search(name):
            yield Secret(value if given else after)


def log_in(plugin: Plugin, timeout: float) -> Credential:
    """Runs the plugin, on the person's terminal if there is one and it wants it. Raises ClusterError (Forbidden).

    `timeout` in seconds: a plugin that waits for a person has as long, and is ended then.
    """
    on_terminal = plugin.mode != "Never" and sys.stdin is not None and sys.stdin.isatty()
    if plugin.mode == "Always" and not on_terminal:
        raise _failed(plugin, "it wants a terminal (interactiveMode: Always), and there is none")
    spec = {"interactive": on_terminal} | ({"cluster": plugin.cluster} if plugin.cluster is not None else {})
    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    env = {**os.environ, **dict(plugin.env), "KUBERNETES_EXEC_INFO": json.dumps(info, default=str)}
    try:
        done = run([plugin.command, *plugin.args], env=env, timeout=timeout, on_terminal=on_terminal)
    except TimeoutError as error:
        raise _failed(plugin, str(error)) from None
    if done.code:
        said = one_line(done.err) or f"it ended with code {done.code}" + (" (see above)" if on_terminal else "")
        raise _failed(plugin, said, plugin.hint if done.code == NOT_FOUND else "")
    return _credential(plugin, done)


def _credential(plugin: Plugin, done: Finished) -> Credential:
    try:
        answer = json.loads(done.out)
        version, status = answer.get("apiVersion"), answer.get("status")
    except (ValueError, AttributeError, RecursionError):
        raise _failed(plugin, "what it printed is not the JSON of an ExecCredential") from None
    if version != plugin.api_version:
        raise _failed(plugin, f"it speaks {one_line(str(version), 60)}, the kubeconfig says {plugin.api_version}")
    found = status if isinstance(status, Mapping) else {}
    token, certificate, key = (
        Secret(str(found[name])) if found.get(name) else None
        for name in ("token", "clientCertificateData", "clientKeyData")
    )
    if (certificate is None) != (key is None) or not (token or key):
        raise _failed(plugin, "it gave neither a token nor a certificate with its key")
    return Credential(token=token, certificate=certificate, key=key)


def _told(cluster: Obj, folder: Path) -> Obj:
    """The kubeconfig's cluster as a plugin is told of it: its authority as data, and the plugin's own settings."""
    told = {key: cluster[key] for key in _CLUSTER_KEYS if cluster.get(key)}
    file = cluster.get("certificate-authority")
    if file and "certificate-authority-data" not in told:
        try:
            told["certificate-authority-data"] = base64.b64encode((folder / str(file)).read_bytes()).decode()
        except OSError as error:
            raise ConfigError(
                f"the kubeconfig's certificate-authority {one_line(str(file))} cannot be read: {error.strerror}",
                hint="correct the path, or log in to the cluster anew",
            ) from None
    own = [one for one in cluster.get("extensions") or () if one.get("name") == _CONFIG_EXTENSION]
    return told | ({"config": own[0].get("extension")} if own else {})


def _failed(plugin: Plugin, why: str, hint: str = "") -> ClusterError:
    return ClusterError(
        f"the login plugin {one_line(plugin.command)!r} failed: {why}",
        hint=hint or "log in with the cluster provider's own command, then run this again",
        reason=Reason.FORBIDDEN,
    )
