"""The Endpoints controller: the addresses behind a Service, by its selector and its pods' readiness. Pure.

After pkg/controller/endpoint/endpoints_controller.go. A pod that is to be deleted is left out at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import is_ready, is_terminating, labels_of, name_of, status_of, uid_of
from kdeploy.sandbox.core.changes import Create, Delete, Replace, Step
from kdeploy.sandbox.core.metadata import stamped
from kdeploy.sandbox.core.needs import Get
from kdeploy.sandbox.core.pods import phase_of
from kdeploy.sandbox.core.resources import ENDPOINTS
from kdeploy.sandbox.core.view import View

_HEADLESS = "service.kubernetes.io/headless"
_MANAGED_BY = "endpoints.kubernetes.io/managed-by"
_Ports = tuple[tuple[str, int, str], ...]


def reconcile(view: View, service: Obj) -> Step:
    """Makes the Endpoints of a Service what its pods are. One without a selector keeps what somebody else wrote."""
    selector = service["spec"].get("selector")
    if not selector:
        return Step()
    namespace, name = service["metadata"]["namespace"], name_of(service)
    subsets = subsets_of(service, view.pods_with(namespace, selector))
    labels = {key: value for key, value in labels_of(service).items() if key != _HEADLESS}
    if service["spec"].get("clusterIP") in (None, "", "None"):
        labels[_HEADLESS] = ""
    labels[_MANAGED_BY] = "endpoint-controller"
    stored = view.get(ENDPOINTS, namespace, name)
    if stored is None:
        made = {"metadata": {"name": name, "namespace": namespace, "labels": labels}, "subsets": subsets}
        return Step((Create(ENDPOINTS, made),))
    if stored.get("subsets", []) == subsets and labels_of(stored) == labels:
        return Step()
    return Step((Replace(ENDPOINTS, {**stamped(stored, labels=labels), "subsets": subsets}),))


def has_ready(get: Get, namespace: str, service: str) -> bool:
    """Whether a Service has a ready pod behind it."""
    found = get(ENDPOINTS, namespace, service) or {}
    return any(subset.get("addresses") for subset in found.get("subsets") or ())


def forget(view: View, namespace: str, name: str) -> Step:
    """Deletes the Endpoints of a Service that is no more."""
    stored = view.get(ENDPOINTS, namespace, name)
    return Step((Delete(ENDPOINTS, stored),) if stored is not None else ())


def subsets_of(service: Obj, pods: Iterable[Obj]) -> Sequence[Obj]:
    """The addresses by the ports that they have: pods whose named ports differ come apart."""
    spec, groups = service["spec"], dict[_Ports, dict[str, list[Obj]]]()
    unready_too = bool(spec.get("publishNotReadyAddresses"))
    for pod in pods:
        ports = _ports(service, pod)
        listed = not is_terminating(pod) or unready_too
        ended = phase_of(pod) in ("Failed", "Succeeded")
        if not listed or ended or not status_of(pod).get("podIP") or (spec.get("ports") and not ports):
            continue
        kind = "addresses" if is_ready(pod) or unready_too else "notReadyAddresses"
        groups.setdefault(ports, {}).setdefault(kind, []).append(_address(service, pod))
    return [_subset(ports, addresses) for ports, addresses in sorted(groups.items())]


def _ports(service: Obj, pod: Obj) -> _Ports:
    found = []
    for port in service["spec"].get("ports") or ():
        number = _number(port, pod)
        if number is not None:
            found.append((str(port.get("name") or ""), number, str(port.get("protocol") or "TCP")))
    return tuple(found)


def _number(port: Obj, pod: Obj) -> int | None:
    """The pod's port that a service port means: a number, or the name of a container's port."""
    target = port.get("targetPort", port.get("port"))
    if isinstance(target, int):
        return target or int(port["port"])
    protocol = port.get("protocol") or "TCP"
    for container in pod["spec"].get("containers") or ():
        for own in container.get("ports") or ():
            if own.get("name") == target and (own.get("protocol") or "TCP") == protocol:
                return int(own["containerPort"])
    return None


def _address(service: Obj, pod: Obj) -> Obj:
    address: dict[str, Any] = {
        "ip": status_of(pod)["podIP"],
        "nodeName": pod["spec"].get("nodeName"),
        "targetRef": {
            "kind": "Pod",
            "namespace": pod["metadata"]["namespace"],
            "name": name_of(pod),
            "uid": uid_of(pod),
        },
    }
    if pod["spec"].get("hostname") and pod["spec"].get("subdomain") == name_of(service):
        address["hostname"] = pod["spec"]["hostname"]
    return address


def _subset(ports: _Ports, addresses: dict[str, list[Obj]]) -> Obj:
    subset: dict[str, Any] = {kind: sorted(found, key=lambda a: str(a["ip"])) for kind, found in addresses.items()}
    if ports:
        subset["ports"] = [
            {**({"name": name} if name else {}), "port": number, "protocol": protocol}
            for name, number, protocol in ports
        ]
    return subset
