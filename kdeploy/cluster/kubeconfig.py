"""Which cluster, as whom: reads kubeconfig's files far enough to name the context, and says plainly what is wrong.

The files are those that kubectl would take (client-go tools/clientcmd/loader.go): `--kubeconfig`, else every path in
KUBECONFIG, else ~/.kube/config, else the service account of the pod that we run in. The first file to set a value wins.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdeploy.errors import ConfigError
from kdeploy.model import Obj
from kdeploy.text import one_line

IN_CLUSTER = "in-cluster"
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One kubeconfig context, or the pod's own service account where `paths` is empty.

    `namespace` is the one that the context (or the service account's folder) names, None where it names none.
    `impersonate` are headers for the user's `as` fields; `plugin` is the exec plugin's command, `plugin_hint` what its
    author says about installing it; `own_proxy` is true where the context names a proxy itself (`proxy-url`).
    """

    name: str
    server: str
    namespace: str | None
    paths: tuple[str, ...] = ()
    impersonate: tuple[tuple[str, str], ...] = ()
    plugin: str | None = None
    plugin_hint: str = ""
    own_proxy: bool = False


def default_namespace(flag: str | None, context: Context) -> str:
    """The namespace to work in: the flag's, else the context's, else "default"."""
    return flag or context.namespace or "default"


def choose_context(
    *,
    kubeconfig: str | None,
    context: str | None,
    environ: Mapping[str, str],
    service_account: Path = _SERVICE_ACCOUNT,
) -> Context:
    """Finds the files and the context in them. Asks no server. Raises ConfigError where the configuration is wrong."""
    paths = _files(kubeconfig, environ)
    if paths:
        return _from_files(paths, context)
    if context is None and environ.get("KUBERNETES_SERVICE_HOST") and (service_account / "token").is_file():
        return _in_cluster(environ, service_account)
    raise ConfigError(
        "there is no kubeconfig: neither --kubeconfig, KUBECONFIG nor ~/.kube/config, and this is not a pod",
        hint="log in to the cluster (its provider's command writes ~/.kube/config), or pass --kubeconfig FILE",
    )


def _files(flag: str | None, environ: Mapping[str, str]) -> tuple[str, ...]:
    if flag:
        if not Path(flag).expanduser().is_file():
            raise ConfigError(f"the kubeconfig {one_line(flag)} does not exist", hint="check --kubeconfig")
        return (str(Path(flag).expanduser()),)
    listed = [path for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    if not listed:
        usual = Path(environ.get("HOME") or Path("~").expanduser()) / ".kube" / "config"
        return (str(usual),) if usual.is_file() else ()
    found = tuple(str(Path(path).expanduser()) for path in listed if Path(path).expanduser().is_file())
    if not found:
        raise ConfigError(
            f"no file that KUBECONFIG names exists: {one_line(' '.join(listed))}",
            hint="correct KUBECONFIG, or unset it to use ~/.kube/config",
        )
    return found


def _in_cluster(environ: Mapping[str, str], folder: Path) -> Context:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    namespace = folder / "namespace"
    return Context(
        name=IN_CLUSTER,
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=namespace.read_text().strip() or None if namespace.is_file() else None,
    )


def _from_files(paths: tuple[str, ...], wanted: str | None) -> Context:
    documents = [_document(path) for path in paths]
    where = ", ".join(paths)
    name = wanted or next((str(one["current-context"]) for one in documents if one.get("current-context")), None)
    contexts = _named(documents, "contexts", "context")
    if not name:
        raise ConfigError(f"{where} sets no current-context", hint=f"pass --context: {_listed(contexts)}")
    if name not in contexts:
        raise ConfigError(f"there is no context {one_line(name)!r} in {where}", hint=_nearest(name, contexts))
    chosen = contexts[name]
    cluster = _referred(documents, "cluster", name, chosen)
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise ConfigError(f"the cluster of context {one_line(name)!r} has no server address", hint=f"correct {where}")
    user = _referred(documents, "user", name, chosen) if chosen.get("user") else {}
    plugin = user.get("exec") if isinstance(user.get("exec"), Mapping) else None
    return Context(
        name=name,
        server=server.rstrip("/"),
        namespace=str(chosen["namespace"]) if chosen.get("namespace") else None,
        paths=paths,
        impersonate=tuple(_impersonation(user)),
        plugin=str(plugin.get("command", "")) if plugin else None,
        plugin_hint=str(plugin.get("installHint") or "") if plugin else "",
        own_proxy=bool(cluster.get("proxy-url")),
    )


def _document(path: str) -> Obj:
    import yaml

    try:
        with Path(path).open("rb") as file:
            found = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are safe)
    except OSError as error:
        raise ConfigError(
            f"cannot read the kubeconfig {path}: {error.strerror}", hint="check its permissions"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"the kubeconfig {path} is not valid YAML: {one_line(str(error))}", hint="correct it"
        ) from None
    if found is None:
        raise ConfigError(f"the kubeconfig {path} is empty", hint="log in to the cluster anew, or name another file")
    if not isinstance(found, Mapping):
        raise ConfigError(f"the kubeconfig {path} is not a mapping of keys", hint="is it a kubeconfig at all?")
    return found


def _named(documents: Iterable[Obj], section: str, inner: str) -> dict[str, Obj]:
    """The entries of one section by name; the first document that has a name wins."""
    entries: dict[str, Obj] = {}
    for document in documents:
        listed = document.get(section) or []
        if not isinstance(listed, list) or not all(isinstance(one, Mapping) and "name" in one for one in listed):
            raise ConfigError(f"the kubeconfig's {section} are not a list of named entries", hint="correct the file")
        for one in listed:
            value = one.get(inner)
            entries.setdefault(str(one["name"]), value if isinstance(value, Mapping) else {})
    return entries


def _referred(documents: Iterable[Obj], inner: str, context: str, chosen: Obj) -> Obj:
    """The cluster or user that a context names."""
    entries = _named(documents, inner + "s", inner)
    name = str(chosen.get(inner) or "")
    if name not in entries:
        raise ConfigError(
            f"context {one_line(context)!r} names the {inner} {one_line(name)!r}, which the kubeconfig does not have",
            hint=_nearest(name, entries),
        )
    return entries[name]


def _impersonation(user: Obj) -> Iterable[tuple[str, str]]:
    """Headers for `as`, `as-uid` and `as-groups`, which the client library leaves out."""
    for key, header in (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid")):
        if user.get(key):
            yield header, str(user[key])
    groups: Any = user.get("as-groups") or []
    yield from (("Impersonate-Group", str(group)) for group in groups)


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(map(one_line, near))}?" if near else f"there is: {_listed(names)}"


def _listed(names: Iterable[str]) -> str:
    return one_line(", ".join(sorted(names)) or "none")
