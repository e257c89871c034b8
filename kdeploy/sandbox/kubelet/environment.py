"""The variables of a container, as pkg/kubelet/kubelet_pods.go makes them: of Services, of envFrom, of env. Pure."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NoBase64Error
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.core.resources import CONFIG_MAPS, SECRETS, Resource
from kdeploy.sandbox.kubelet.command import expand

_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['(.+)'\]")
_SOURCES = {
    "configMapRef": (CONFIG_MAPS, "configmap"),
    "secretRef": (SECRETS, "secret"),
    "configMapKeyRef": (CONFIG_MAPS, "ConfigMap"),
    "secretKeyRef": (SECRETS, "Secret"),
}


class ConfigError(Exception):
    """A container cannot be made: the message of its CreateContainerConfigError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a pod beside its spec. `get` reads an object of the pod's namespace, `services` are of it."""

    pod: Obj
    ip: str
    host_ip: str
    get: Callable[[Resource, str], Obj | None]
    services: Sequence[Obj] = ()


def environment_of(container: Obj, facts: Facts) -> dict[str, str]:
    """The variables that the pod gives its container. Raises ConfigError, as the kubelet words it."""
    env: dict[str, str] = {"HOSTNAME": str(facts.pod["metadata"]["name"])}
    if facts.pod["spec"].get("enableServiceLinks", True):
        env.update(service_variables(facts.services))
    for source in container.get("envFrom") or ():
        env.update(_all_of(source, facts))
    for variable in container.get("env") or ():
        value = _value(variable, facts, container, env)
        if value is not None:
            env[variable["name"]] = value
    return env


def service_variables(services: Sequence[Obj]) -> dict[str, str]:
    """NAME_SERVICE_HOST and its kin, of each Service with an address (pkg/kubelet/envvars/envvars.go)."""
    found: dict[str, str] = {}
    for service in services:
        ip, ports = service["spec"].get("clusterIP"), service["spec"].get("ports") or ()
        if ip in (None, "", "None") or not ports:
            continue
        prefix = str(service["metadata"]["name"]).upper().replace("-", "_")
        found |= {f"{prefix}_SERVICE_HOST": ip, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
        for port in ports:
            if port.get("name"):
                found[f"{prefix}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port["port"])
    return found


def _all_of(source: Obj, facts: Facts) -> Iterator[tuple[str, str]]:
    for kind in ("configMapRef", "secretRef"):
        if reference := source.get(kind):
            data = _data(kind, reference, facts)
            prefix = source.get("prefix") or ""
            yield from ((prefix + key, data[key]) for key in sorted(data) if _NAME.fullmatch(prefix + key))


def _value(variable: Obj, facts: Facts, container: Obj, env: Mapping[str, str]) -> str | None:
    """None: there is nothing there, and it may be so."""
    source = variable.get("valueFrom")
    if not source:
        return expand(str(variable.get("value") or ""), env)
    if field := source.get("fieldRef"):
        return field_of(facts, str(field.get("fieldPath")))
    if field := source.get("resourceFieldRef"):
        return _resource(container, str(field.get("resource")))
    for kind in ("configMapKeyRef", "secretKeyRef"):
        if reference := source.get(kind):
            return _key(kind, reference, facts)
    return ""


def field_of(facts: Facts, path: str) -> str:
    """A field of the pod, as the downward API gives it. Raises ConfigError for one that it does not have."""
    metadata, spec = facts.pod["metadata"], facts.pod["spec"]
    fields = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName"),
        "spec.serviceAccountName": spec.get("serviceAccountName"),
        "status.hostIP": facts.host_ip,
        "status.hostIPs": facts.host_ip,
        "status.podIP": facts.ip,
        "status.podIPs": facts.ip,
    }
    if path in fields:
        return str(fields[path] or "")
    if found := _SUBSCRIPT.fullmatch(path):
        return str((metadata.get(found[1].removeprefix("metadata.")) or {}).get(found[2], ""))
    raise ConfigError(f"unsupported fieldPath: {path}")


def _resource(container: Obj, name: str) -> str:
    """The limit or request as it is written; the sandbox holds nobody to it."""
    kind, _, resource = name.partition(".")
    return str(((container.get("resources") or {}).get(kind) or {}).get(resource, "0"))


def _key(kind: str, reference: Obj, facts: Facts) -> str | None:
    data, key = _data(kind, reference, facts), str(reference.get("key"))
    if key in data:
        return data[key]
    if reference.get("optional"):
        return None
    place = f"{facts.pod['metadata']['namespace']}/{reference.get('name')}"
    raise ConfigError(f"couldn't find key {key} in {_SOURCES[kind][1]} {place}")


def _data(kind: str, reference: Obj, facts: Facts) -> Mapping[str, str]:
    resource, name = _SOURCES[kind][0], str(reference.get("name"))
    found = facts.get(resource, name)
    if found is None:
        if reference.get("optional"):
            return {}
        raise ConfigError(f'{resource.singular} "{name}" not found')
    data: Mapping[str, Any] = found.get("data") or {}
    return {key: _decoded(value) for key, value in data.items()} if resource is SECRETS else dict(data)


def _decoded(value: str) -> str:
    try:
        return b64decode(value).decode(errors="replace")
    except NoBase64Error:
        return ""
