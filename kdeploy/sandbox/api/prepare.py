"""What the API server changes in an object that it is about to store, besides its defaults. Pure.

Each rule is that of a resource's strategy in Kubernetes' pkg/registry, PrepareForCreate and PrepareForUpdate.
"""

from __future__ import annotations

import base64
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.core.defaults import admitted, with_defaults
from kdeploy.sandbox.core.resources import PODS, SECRETS, SERVICES, Resource

_NOT_KEPT = ("managedFields", "selfLink")
_ADDRESSES = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def for_create(resource: Resource, obj: Obj) -> Obj:
    """A new object as it is stored."""
    new = _common(resource, obj)
    return admitted(new) if resource is PODS else new


def for_update(resource: Resource, obj: Obj, old: Obj) -> Obj:
    """A changed object as it takes the place of `old`."""
    return _common(resource, _with_addresses(obj, old) if resource is SERVICES else obj)


def _common(resource: Resource, obj: Obj) -> Obj:
    if any(field in obj["metadata"] for field in _NOT_KEPT):
        kept = {key: value for key, value in obj["metadata"].items() if key not in _NOT_KEPT}
        obj = {**obj, "metadata": kept}
    if resource is SECRETS and "stringData" in obj:
        obj = _with_string_data(obj)
    new = with_defaults(resource, obj)
    return _with_families(new) if resource is SERVICES else new


def _with_string_data(secret: Obj) -> Obj:
    """What stands in stringData is stored in data, and hides what is there."""
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in secret["stringData"].items()}
    rest = {key: value for key, value in secret.items() if key != "stringData"}
    return {**rest, "data": {**(secret.get("data") or {}), **encoded}}


def _with_families(service: Obj) -> Obj:
    """The sandbox speaks IPv4. A Service's address is given to it by the service proxy."""
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return service
    address = spec.get("clusterIP")
    fields: dict[str, Any] = {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}
    if address:
        fields["clusterIPs"] = [address]
    return service if fields.items() <= spec.items() else {**service, "spec": {**spec, **fields}}


def _with_addresses(service: Obj, old: Obj) -> Obj:
    """A Service keeps the address that it was given, also where a writer leaves it out."""
    spec, before = service.get("spec") or {}, old.get("spec") or {}
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") or not before.get("clusterIP"):
        return service
    return {**service, "spec": {**spec, **{key: before[key] for key in _ADDRESSES if key in before}}}
