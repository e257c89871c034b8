"""Discovery: which groups, versions and resources there are, as kubectl asks before anything else. Pure.

Both forms: a list for each group and version, and all at once (https://kep.k8s.io/3352, aggregated discovery).
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.api import status
from kdeploy.sandbox.api.request import SERVED
from kdeploy.sandbox.core.resources import PODS, SERVICES, Resource

MINOR = "35"
VERSION = f"v1.{MINOR}.4+kdeploy.sandbox"
"""The Kubernetes that the sandbox behaves like."""

AGGREGATED = "APIGroupDiscoveryList"

_STATUS_VERBS = ("get", "patch", "update")
_SUBRESOURCES: Mapping[str, tuple[str, str, str, tuple[str, ...]]] = {
    "scale": ("autoscaling", "v1", "Scale", _STATUS_VERBS),
    "log": ("", "", "Pod", ("get",)),
    "binding": ("", "", "Binding", ("create",)),
}
_PROXY_VERBS = ("create", "delete", "get", "patch", "update")


def version() -> Obj:
    """The answer of /version."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": "1",
        "minor": MINOR,
        "gitVersion": VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": f"{platform.system().lower()}/{machine}",
    }


def document(path: str, host: str, *, aggregated: bool) -> Obj | None:
    """The answer to a discovery path, None where it is none. `host` is "address:port". Raises ApiError 404."""
    parts = path.strip("/").split("/")
    if parts == [""]:
        return {"paths": sorted(_paths())}
    if parts == ["api"]:
        return _all(core=True) if aggregated else _core(host)
    if parts == ["apis"]:
        return _all(core=False) if aggregated else {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups()}
    if parts == ["api", "v1"]:
        return _resources("")
    if parts[0] != "apis" or len(parts) > 3:
        return None
    found = next((group for group in _groups() if group["name"] == parts[1]), None)
    if found is None or parts[2:] not in ([], ["v1"]):
        raise status.no_such_path()
    return _resources(parts[1]) if parts[2:] else {"kind": "APIGroup", "apiVersion": "v1", **found}


def group_names() -> list[str]:
    """All groups but core, in the order in which kubectl prefers them."""
    return list(dict.fromkeys(resource.group for resource in SERVED if resource.group))


def of_group(group: str) -> list[Resource]:
    """The resources of a group, by name."""
    return sorted((one for one in SERVED if one.group == group), key=lambda one: one.plural)


def _paths() -> Iterator[str]:
    yield from ("/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version")
    for group in group_names():
        yield f"/apis/{group}"
        yield f"/apis/{group}/v1"


def _core(host: str) -> Obj:
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def _groups() -> list[dict[str, Any]]:
    found = []
    for group in group_names():
        only = {"groupVersion": f"{group}/v1", "version": "v1"}
        found.append({"name": group, "versions": [only], "preferredVersion": only})
    return found


def _resources(group: str) -> Obj:
    listed: list[dict[str, Any]] = []
    for resource in of_group(group):
        listed.append(
            {
                "name": resource.plural,
                "singularName": resource.singular,
                "namespaced": resource.namespaced,
                "kind": resource.kind,
                "verbs": list(resource.verbs),
                **_extras(resource),
            }
        )
        for name, (sub_group, sub_version, kind, verbs) in _subresources(resource):
            at = {"group": sub_group, "version": sub_version} if sub_group else {}
            named = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
            listed.append({**named, **at, "kind": kind, "verbs": list(verbs)})
    version = f"{group}/v1" if group else "v1"
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}


def _subresources(resource: Resource) -> Iterator[tuple[str, tuple[str, str, str, tuple[str, ...]]]]:
    for name in sorted({*resource.subresources, *(("proxy",) if resource is SERVICES else ())}):
        if name == "status":
            yield name, ("", "", resource.kind, _STATUS_VERBS)
        elif name == "proxy":
            yield name, ("", "", "PodProxyOptions" if resource is PODS else "ServiceProxyOptions", _PROXY_VERBS)
        else:
            yield name, _SUBRESOURCES[name]


def _extras(resource: Resource) -> dict[str, Any]:
    extras = {"shortNames": list(resource.short_names), "categories": list(resource.categories)}
    return {key: value for key, value in extras.items() if value}


def _all(*, core: bool) -> Obj:
    items = [
        {
            "metadata": {"name": group} if group else {},
            "versions": [
                {"version": "v1", "resources": [_aggregated(one) for one in of_group(group)], "freshness": "Current"}
            ],
        }
        for group in ([""] if core else group_names())
    ]
    return {"kind": AGGREGATED, "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated(resource: Resource) -> dict[str, Any]:
    subresources = [
        {"subresource": name, "responseKind": {"group": group, "version": version_, "kind": kind}, "verbs": list(verbs)}
        for name, (group, version_, kind, verbs) in _subresources(resource)
    ]
    return {
        "resource": resource.plural,
        "responseKind": {"group": "", "version": "", "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
        **_extras(resource),
        **({"subresources": subresources} if subresources else {}),
    }
