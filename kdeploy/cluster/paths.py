"""API paths, selectors and the pod proxy's path. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, unquote

from kdeploy.errors import ConfigError
from kdeploy.model import Obj, Target

APPS = "/apis/apps/v1"
CORE = "/api/v1"
# What RFC 3986 lets stand in a path; "%" because the path's own escapes stay as they are.
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"


def collection(root: str, namespace: str, plural: str) -> str:
    """The path of a namespace's objects of one resource."""
    return f"{root}/namespaces/{quote(namespace, safe='')}/{plural}"


def workload(target: Target) -> str:
    """The path of the workload itself."""
    return f"{collection(APPS, target.namespace, target.kind.plural)}/{quote(target.name, safe='')}"


def selector(label_selector: Obj) -> str:
    """A LabelSelector as the query parameter says it: "app=web,tier in (a,b),!legacy".

    Raises ValueError for an operator that Kubernetes does not know.
    """
    terms = [f"{key}={value}" for key, value in (label_selector.get("matchLabels") or {}).items()]
    terms += [_requirement(one) for one in label_selector.get("matchExpressions") or ()]
    return ",".join(terms)


def _requirement(one: Obj) -> str:
    key, values = one["key"], ",".join(one.get("values") or ())
    match one["operator"]:
        case "In":
            return f"{key} in ({values})"
        case "NotIn":
            return f"{key} notin ({values})"
        case "Exists":
            return str(key)
        case "DoesNotExist":
            return f"!{key}"
    raise ValueError(f"unknown selector operator {one['operator']!r}")


def pod_proxy(namespace: str, pod: str, port: int, scheme: str, path_and_query: str) -> str:
    """The path of a pod's port behind the API server's proxy.

    Raises ConfigError where a check's path would leave the proxy: HTTP clients and servers fold "..", and what is left
    would be another API path, asked with the deployer's own credentials.
    """
    path, mark, query = path_and_query.partition("?")
    if ".." in _segments(path):
        raise ConfigError(f'a check\'s path must not hold "..": {path_and_query}', hint="write the path without it")
    name = f"{pod}:{port}" if scheme == "http" else f"{scheme}:{pod}:{port}"
    inside = quote(path.lstrip("/"), safe=_PATH_SAFE)
    pods = f"{collection(CORE, namespace, 'pods')}/{quote(name, safe=':')}"
    return f"{pods}/proxy/{inside}{mark}{quote(query, safe=_PATH_SAFE + '?')}"


def _segments(path: str) -> Iterable[str]:
    plain = path
    for _ in range(3):  # escapes of escapes too
        plain = unquote(plain)
    return plain.replace("\\", "/").split("/")
