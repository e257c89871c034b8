"""The columns of `kubectl get`, kind by kind. Pure: objects and `now` in, cells out.

pkg/printers/internalversion/printers.go of Kubernetes 1.35. Every column is always sent; kubectl shows those of
priority 0, and with `-o wide` the others too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.api.ages import age, since
from kdeploy.sandbox.api.pod_printer import pod_cells, pod_conditions
from kdeploy.sandbox.api.request import ENDPOINT_SLICES
from kdeploy.sandbox.core.resources import (
    CONFIG_MAPS,
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINTS,
    EVENTS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)

Cells = Callable[[Obj, float], list[Any]]
_NONE = "<none>"
_ROLE = "node-role.kubernetes.io/"
_MOST_ENDPOINTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `priority` 1 is shown with `-o wide` only."""

    name: str
    type: str = "string"
    priority: int = 0

    def as_json(self) -> dict[str, Any]:
        """As a TableColumnDefinition."""
        form = "name" if self.name == "Name" else ""
        return {"name": self.name, "type": self.type, "format": form, "description": "", "priority": self.priority}


@dataclass(frozen=True, slots=True, kw_only=True)
class Printer:
    """How objects of one resource are printed."""

    columns: Sequence[Column]
    cells: Cells
    conditions: Callable[[Obj], list[Obj]] = lambda _: []


def printer(resource: Resource) -> Printer:
    """The printer of a resource; name and age for one that has none of its own."""
    return _PRINTERS.get(resource, _PLAIN)


def selector_text(selector: Obj | None) -> str:
    """A LabelSelector as people read it: "app=web,tier in (a,b),!legacy"; empty where it selects everything."""
    terms = [(key, f"{key}={value}") for key, value in ((selector or {}).get("matchLabels") or {}).items()]
    for one in (selector or {}).get("matchExpressions") or ():
        values = ",".join(sorted(one.get("values") or ()))
        told = {
            "In": f"{one['key']} in ({values})",
            "NotIn": f"{one['key']} notin ({values})",
            "Exists": str(one["key"]),
            "DoesNotExist": f"!{one['key']}",
        }
        terms.append((one["key"], told.get(one["operator"], "")))
    return ",".join(text for _, text in sorted(terms, key=lambda term: str(term[0])))


def _columns(text: str) -> tuple[Column, ...]:
    """Columns from their names: "Name, Desired:integer, Images+"; "+" marks a wide one."""
    found = []
    for one in text.split(","):
        name, _, type_ = one.strip().removesuffix("+").partition(":")
        found.append(Column(name=name, type=type_ or "string", priority=int(one.endswith("+"))))
    return tuple(found)


def _name(obj: Obj) -> str:
    return str(obj["metadata"]["name"])


def _number(obj: Obj, part: str, field: str) -> int:
    return int((obj.get(part) or {}).get(field) or 0)


def _labels(labels: Obj | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or _NONE


def _containers(obj: Obj) -> list[Any]:
    found = (((obj.get("spec") or {}).get("template") or {}).get("spec") or {}).get("containers") or ()
    return [",".join(str(one.get(field) or "") for one in found) for field in ("name", "image")]


def _selected(obj: Obj) -> str:
    return selector_text((obj.get("spec") or {}).get("selector"))


def _deployment(obj: Obj, now: float) -> list[Any]:
    ready = f"{_number(obj, 'status', 'readyReplicas')}/{_number(obj, 'spec', 'replicas')}"
    counts = [_number(obj, "status", "updatedReplicas"), _number(obj, "status", "availableReplicas")]
    return [_name(obj), ready, *counts, age(obj, now), *_containers(obj), _selected(obj)]


def _replica_set(obj: Obj, now: float) -> list[Any]:
    counts = [_number(obj, "spec", "replicas"), _number(obj, "status", "replicas")]
    ready = _number(obj, "status", "readyReplicas")
    return [_name(obj), *counts, ready, age(obj, now), *_containers(obj), _selected(obj) or _NONE]


def _stateful_set(obj: Obj, now: float) -> list[Any]:
    ready = f"{_number(obj, 'status', 'readyReplicas')}/{_number(obj, 'spec', 'replicas')}"
    return [_name(obj), ready, age(obj, now), *_containers(obj)]


def _daemon_set(obj: Obj, now: float) -> list[Any]:
    fields = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled")
    counts = [_number(obj, "status", field) for field in (*fields, "numberAvailable")]
    nodes = ((((obj.get("spec") or {}).get("template") or {}).get("spec")) or {}).get("nodeSelector")
    return [_name(obj), *counts, _labels(nodes), age(obj, now), *_containers(obj), _selected(obj) or _NONE]


def _controller_revision(obj: Obj, now: float) -> list[Any]:
    owners = obj["metadata"].get("ownerReferences") or ()
    owner = next((one for one in owners if one.get("controller")), None)
    controller = _NONE
    if owner is not None:
        group, slash, _ = str(owner["apiVersion"]).partition("/")
        controller = f"{str(owner['kind']).lower()}{f'.{group}' if slash else ''}/{owner['name']}"
    return [_name(obj), controller, obj.get("revision") or 0, age(obj, now)]


def _service(obj: Obj, now: float) -> list[Any]:
    spec = obj.get("spec") or {}
    ports = [
        f"{one.get('port')}:{one['nodePort']}/{one.get('protocol')}"
        if one.get("nodePort")
        else f"{one.get('port')}/{one.get('protocol')}"
        for one in spec.get("ports") or ()
    ]
    address, selector = spec.get("clusterIP") or _NONE, _labels(spec.get("selector"))
    told = ",".join(ports) or _NONE
    return [_name(obj), spec.get("type") or "", address, _external(obj), told, age(obj, now), selector]


def _external(obj: Obj) -> str:
    spec = obj.get("spec") or {}
    addresses = ",".join(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName"))
    if spec.get("type") == "LoadBalancer":
        ingress = (((obj.get("status") or {}).get("loadBalancer")) or {}).get("ingress") or ()
        given = ",".join(sorted({str(one.get("ip") or one.get("hostname")) for one in ingress}))
        return ",".join(filter(None, (given, addresses))) or "<pending>"
    return addresses or _NONE


def _endpoints(obj: Obj, now: float) -> list[Any]:
    found, count = [], 0
    for subset in obj.get("subsets") or ():
        addresses = [str(one.get("ip")) for one in subset.get("addresses") or ()]
        for port in subset.get("ports") or (None,):
            count += len(addresses)
            found += [ip if port is None else f"{ip}:{port.get('port')}" for ip in addresses]
    more = f" + {count - _MOST_ENDPOINTS} more..." if count > _MOST_ENDPOINTS else ""
    text = f"{','.join(found[:_MOST_ENDPOINTS])}{more}" if obj.get("subsets") else _NONE
    return [_name(obj), text, age(obj, now)]


def _endpoint_slice(obj: Obj, now: float) -> list[Any]:
    ports = [str(one.get("port") or one.get("name") or "*") for one in obj.get("ports") or ()]
    found = [str(ip) for one in obj.get("endpoints") or () for ip in one.get("addresses") or ()]
    return [_name(obj), obj.get("addressType"), _few(ports), _few(found), age(obj, now)]


def _few(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_ENDPOINTS
    return (",".join(texts[:_MOST_ENDPOINTS]) + (f" + {more} more..." if more > 0 else "")) or "<unset>"


def _node(obj: Obj, now: float) -> list[Any]:
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    ready = next((one for one in status.get("conditions") or () if one.get("type") == "Ready"), None)
    state = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    state += ",SchedulingDisabled" if spec.get("unschedulable") else ""
    labels = obj["metadata"].get("labels") or {}
    roles = sorted({key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE) and key != _ROLE})
    info = status.get("nodeInfo") or {}
    addresses = {one.get("type"): one.get("address") for one in reversed(status.get("addresses") or [])}
    where = [addresses.get(kind) or _NONE for kind in ("InternalIP", "ExternalIP")]
    machine = [info.get(field) or "<unknown>" for field in ("osImage", "kernelVersion", "containerRuntimeVersion")]
    return [
        _name(obj),
        state,
        ",".join(roles) or _NONE,
        age(obj, now),
        info.get("kubeletVersion") or "",
        *where,
        *machine,
    ]


def _event(obj: Obj, now: float) -> list[Any]:
    first = since(obj.get("firstTimestamp") or obj.get("eventTime"), now)
    last = since(obj["lastTimestamp"], now) if obj.get("lastTimestamp") else first
    count, series = obj.get("count") or 1, obj.get("series")
    if series:
        last, count = since(series.get("lastObservedTime"), now), series.get("count") or 0
    about, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    target = str(about.get("kind") or "").lower() + (f"/{about['name']}" if about.get("name") else "")
    component = source.get("component") or obj.get("reportingComponent") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return [
        last,
        obj.get("type") or "",
        obj.get("reason") or "",
        target,
        about.get("fieldPath") or "",
        f"{component}, {host}" if host else component,
        str(obj.get("message") or "").strip(),
        first,
        count,
        _name(obj),
    ]


def _namespace(obj: Obj, now: float) -> list[Any]:
    return [_name(obj), (obj.get("status") or {}).get("phase") or "", age(obj, now)]


def _secret(obj: Obj, now: float) -> list[Any]:
    return [_name(obj), obj.get("type") or "", len(obj.get("data") or {}), age(obj, now)]


def _config_map(obj: Obj, now: float) -> list[Any]:
    return [_name(obj), len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), age(obj, now)]


def _plain(obj: Obj, now: float) -> list[Any]:
    return [_name(obj), age(obj, now)]


_PLAIN = Printer(columns=_columns("Name, Age"), cells=_plain)
_PRINTERS: Mapping[Resource, Printer] = {
    DEPLOYMENTS: Printer(
        columns=_columns("Name, Ready, Up-to-date, Available, Age, Containers+, Images+, Selector+"), cells=_deployment
    ),
    REPLICA_SETS: Printer(
        columns=_columns("Name, Desired:integer, Current:integer, Ready:integer, Age, Containers+, Images+, Selector+"),
        cells=_replica_set,
    ),
    STATEFUL_SETS: Printer(columns=_columns("Name, Ready, Age, Containers+, Images+"), cells=_stateful_set),
    DAEMON_SETS: Printer(
        columns=_columns(
            "Name, Desired:integer, Current:integer, Ready:integer, Up-to-date:integer, Available:integer, "
            "Node Selector, Age, Containers+, Images+, Selector+"
        ),
        cells=_daemon_set,
    ),
    CONTROLLER_REVISIONS: Printer(columns=_columns("Name, Controller, Revision, Age"), cells=_controller_revision),
    PODS: Printer(
        columns=_columns("Name, Ready, Status, Restarts, Age, IP+, Node+, Nominated Node+, Readiness Gates+"),
        cells=pod_cells,
        conditions=pod_conditions,
    ),
    SERVICES: Printer(columns=_columns("Name, Type, Cluster-IP, External-IP, Port(s), Age, Selector+"), cells=_service),
    ENDPOINTS: Printer(columns=_columns("Name, Endpoints, Age"), cells=_endpoints),
    ENDPOINT_SLICES: Printer(columns=_columns("Name, AddressType, Ports, Endpoints, Age"), cells=_endpoint_slice),
    NODES: Printer(
        columns=_columns(
            "Name, Status, Roles, Age, Version, "
            "Internal-IP+, External-IP+, OS-Image+, Kernel-Version+, Container-Runtime+"
        ),
        cells=_node,
    ),
    EVENTS: Printer(
        columns=_columns("Last Seen, Type, Reason, Object, Subobject+, Source+, Message, First Seen+, Count+, Name+"),
        cells=_event,
    ),
    NAMESPACES: Printer(columns=_columns("Name, Status, Age"), cells=_namespace),
    SECRETS: Printer(columns=_columns("Name, Type, Data, Age"), cells=_secret),
    CONFIG_MAPS: Printer(columns=_columns("Name, Data, Age"), cells=_config_map),
    SERVICE_ACCOUNTS: _PLAIN,
}
