"""Which cluster, as whom: reads kubeconfig's files far enough to name the context, and says plainly what is wrong.

The files are those that kubectl would take (client-go tools/clientcmd/loader.go): `--kubeconfig`, else every path in
KUBECONFIG, else ~/.kube/config, else the service account of the pod that we run in. The first file to set a value wins.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kdeploy.address import ESCAPES, is_readable, without_login
from kdeploy.cluster.plugin import Plugin, plugin_of
from kdeploy.errors import ConfigError
from kdeploy.model import Obj
from kdeploy.secret import Secret, passwords_in
from kdeploy.text import one_line

IN_CLUSTER = "in-cluster"
# No plugin is asked where the user has one of these (client-go's plugin/pkg/client/auth/exec, UpdateTransportConfig).
_BEFORE_PLUGIN = ("token", "tokenFile")
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


_LONGEST_NAME = 255
"""Bytes of a file's name, on all that kdeploy runs on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One kubeconfig context, or the pod's own service account where `paths` is empty.

    `namespace` is the one that the context (or the service account's folder) names, None where it names none.
    `user` is the name of the context's user, `impersonate` are headers for that user's `as` fields, `plugin` logs in as
    that user; `own_proxy` is true where the context names a proxy itself (`proxy-url`). `secrets`: passwords in the
    addresses of both; `server` has none.
    """

    name: str
    server: str
    namespace: str | None
    paths: tuple[str, ...] = ()
    user: str = ""
    impersonate: tuple[tuple[str, str], ...] = ()
    plugin: Plugin | None = None
    own_proxy: bool = False
    secrets: tuple[Secret, ...] = ()


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
    if context is None and _is_pod(environ, service_account):
        return _in_cluster(environ, service_account)
    raise ConfigError(
        "there is no kubeconfig: neither --kubeconfig, KUBECONFIG nor ~/.kube/config, and this is not a pod",
        hint="log in to the cluster (its provider's command writes ~/.kube/config), or pass --kubeconfig FILE;"
        " in a CI: the secret may be empty, as it is where it does not exist, belongs to an environment that the job"
        " does not name, or is kept from this branch",
    )


def knows_a_cluster(environ: Mapping[str, str], *, service_account: Path = _SERVICE_ACCOUNT) -> bool:
    """Whether there is anything to read, be it wrong or of another cluster: without `--kubeconfig`, asks no server."""
    named = environ.get("KDEPLOY_KUBECONFIG") or environ.get("KUBECONFIG")
    return bool(named) or _usual(environ).is_file() or _is_pod(environ, service_account)


def _is_pod(environ: Mapping[str, str], service_account: Path) -> bool:
    return bool(environ.get("KUBERNETES_SERVICE_HOST")) and (service_account / "token").is_file()


def _usual(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or Path("~").expanduser()) / ".kube" / "config"


def _files(flag: str | None, environ: Mapping[str, str]) -> tuple[str, ...]:
    if flag:
        if _is_content(flag):
            raise ConfigError("--kubeconfig holds a kubeconfig itself, and not the path of one", hint="name a file")
        if not Path(flag).expanduser().is_file():
            raise ConfigError(f"the kubeconfig {one_line(flag)} does not exist", hint="check --kubeconfig")
        return (str(Path(flag).expanduser()),)
    if _is_content(environ.get("KUBECONFIG", "")):
        raise ConfigError(
            "KUBECONFIG holds a kubeconfig itself, and not the path of one",
            hint="write it to a file and name that; in GitLab make the variable one of type File",
        )
    listed = [path for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    if not listed:
        usual = _usual(environ)
        return (str(usual),) if usual.is_file() else ()
    found = tuple(str(Path(path).expanduser()) for path in listed if Path(path).expanduser().is_file())
    if not found:
        raise ConfigError(
            f"no file that KUBECONFIG names exists: {one_line(' '.join(listed))}",
            hint="correct KUBECONFIG, or unset it to use ~/.kube/config",
        )
    return found


def _is_content(text: str) -> bool:
    """Whether it is no list of paths: a file's content, plain or in base64. It may hold a token, and is never shown."""
    longest = max((len(part) for path in text.split(os.pathsep) for part in path.split("/")), default=0)
    return "\n" in text or ": " in text or "apiVersion" in text or longest > _LONGEST_NAME


def _in_cluster(environ: Mapping[str, str], folder: Path) -> Context:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    namespace = folder / "namespace"
    return Context(
        name=IN_CLUSTER,
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=namespace.read_text().strip() or None if namespace.is_file() else None,
    )


def _from_files(paths: tuple[str, ...], wanted: str | None) -> Context:
    where = ", ".join(paths)
    read = {path: document for path in paths if (document := _document(path)) is not None}
    if not read:
        raise ConfigError(f"the kubeconfig {where} is empty", hint="log in to the cluster anew, or name another file")
    paths, documents = tuple(read), list(read.values())
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
    addresses = {"server": server, "proxy-url": str(cluster.get("proxy-url") or "")}
    for key, address in addresses.items():
        if address and not is_readable(address):
            raise ConfigError(
                f"the {key} of the cluster of context {one_line(name)!r} cannot be read as an address",
                hint=f"correct {where}; {ESCAPES}",
            )
    user = _referred(documents, "user", name, chosen) if chosen.get("user") else {}
    return Context(
        name=name,
        server=without_login(server.rstrip("/")),
        namespace=str(chosen["namespace"]) if chosen.get("namespace") else None,
        paths=paths,
        user=str(chosen.get("user") or ""),
        impersonate=tuple(_impersonation(user)),
        plugin=_plugin(paths, documents, chosen),
        own_proxy=bool(cluster.get("proxy-url")),
        secrets=tuple(Secret(found) for address in addresses.values() for found in passwords_in(address)),
    )


def _document(path: str) -> Obj | None:
    """What the file holds; None where it is empty, which for kubectl adds nothing to the others."""
    import yaml

    try:
        with Path(path).open("rb") as file:
            found = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are safe)
    except OSError as error:
        raise ConfigError(
            f"cannot read the kubeconfig {path}: {error.strerror}", hint="check its permissions"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # its own words may quote a token
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f": look at line {mark.line + 1}" if mark else ""
        raise ConfigError(f"the kubeconfig {path} is not valid YAML{where}", hint="correct it") from None
    if found is None:
        return None
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


def _plugin(paths: Sequence[str], documents: Sequence[Obj], chosen: Obj) -> Plugin | None:
    """The login plugin of the context's user; None where it has none, or a token that goes before it."""
    found = _home(paths, documents, "user", chosen)
    cluster = _home(paths, documents, "cluster", chosen)
    if found is None or cluster is None or any(found[1].get(key) for key in _BEFORE_PLUGIN):
        return None
    block = found[1].get("exec")
    return plugin_of(block, found[0], cluster[1], cluster[0]) if isinstance(block, Mapping) else None


def _home(paths: Sequence[str], documents: Sequence[Obj], inner: str, chosen: Obj) -> tuple[Path, Obj] | None:
    """The folder that relative paths of the context's cluster or user start from, and the entry itself."""
    name = str(chosen.get(inner) or "")
    found = ((Path(path).parent, _named([one], inner + "s", inner)) for path, one in zip(paths, documents, strict=True))
    return next(((folder, entries[name]) for folder, entries in found if name in entries), None)


def _impersonation(user: Obj) -> Iterable[tuple[str, str]]:
    """Headers for `as`, `as-uid`, `as-groups` and `as-user-extra`, which the client library leaves out."""
    for key, header in (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid")):
        if user.get(key):
            yield header, str(user[key])
    groups: Any = user.get("as-groups") or []
    yield from (("Impersonate-Group", str(group)) for group in groups)
    extra: Any = user.get("as-user-extra") or {}
    for key, values in extra.items():
        yield from ((f"Impersonate-Extra-{quote(str(key), safe='')}", str(value)) for value in values)


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(map(one_line, near))}?" if near else f"there is: {_listed(names)}"


def _listed(names: Iterable[str]) -> str:
    return one_line(", ".join(sorted(names)) or "none")
