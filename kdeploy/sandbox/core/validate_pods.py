"""What no API server takes in a pod or a pod template, of what people get wrong. Pure.

The rules, their order and their words are those of Kubernetes 1.35: pkg/apis/core/validation/validation.go. An image
that is no image name is none of them: that is the kubelet's InvalidImageName.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.core.errors import Cause
from kdeploy.sandbox.core.field_errors import (
    duplicate,
    each,
    forbidden,
    invalid,
    not_found,
    not_negative,
    not_supported,
    port_number,
    required,
    too_long,
)
from kdeploy.sandbox.core.names import (
    config_key_problems,
    environment_problems,
    label_key_problems,
    label_problems,
    label_value_problems,
    port_name_problems,
    subdomain_problems,
)
from kdeploy.sandbox.core.quantities import value_of

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_SOURCES = ("emptyDir", "hostPath", "secret", "nfs", "persistentVolumeClaim", "downwardAPI", "configMap", "projected")
"""In the order in which the API server looks for them."""

_RESTART = ("Always", "OnFailure", "Never")
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_UPDATABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def template_causes(template: Obj, path: str) -> Iterator[Cause]:
    """What is wrong with a pod template below `path`; its labels stand there without their "metadata", as they do."""
    metadata = template.get("metadata") or {}
    yield from label_causes(metadata.get("labels"), f"{path}.labels")
    yield from annotation_causes(metadata.get("annotations"), f"{path}.annotations")
    yield from pod_spec_causes(template.get("spec") or {}, f"{path}.spec")


def label_causes(labels: Any, path: str) -> Iterator[Cause]:
    """What is wrong with keys and values of labels."""
    for key, value in (labels or {}).items():
        yield from each(path, key, label_key_problems(key))
        yield from each(path, value, label_value_problems(value))


def annotation_causes(annotations: Any, path: str) -> Iterator[Cause]:
    """What is wrong with the keys and the size of annotations."""
    for key in annotations or {}:
        yield from each(path, key, label_key_problems(key.lower()))
    if sum(len(key.encode()) + len(value.encode()) for key, value in (annotations or {}).items()) > 256 * 1024:
        yield too_long(path, 256 * 1024)


def pod_spec_causes(spec: Obj, path: str) -> Iterator[Cause]:
    """What is wrong with a pod's spec."""
    volumes: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        causes = list(_volume(volume, f"{path}.volumes[{index}]", volumes))
        yield from causes
        if not causes:
            volumes.add(volume["name"])
    names: set[str] = set()
    yield from _containers(spec.get("containers") or (), f"{path}.containers", volumes, names)
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    yield from _containers(spec.get("initContainers") or (), f"{path}.initContainers", volumes, names)
    if spec.get("restartPolicy") not in _RESTART:
        yield not_supported(f"{path}.restartPolicy", spec.get("restartPolicy"), _RESTART)
    if spec.get("dnsPolicy") not in _DNS:
        yield not_supported(f"{path}.dnsPolicy", spec.get("dnsPolicy"), _DNS)
    yield from label_causes(spec.get("nodeSelector"), f"{path}.nodeSelector")
    for index, toleration in enumerate(spec.get("tolerations") or ()):
        yield from _toleration(toleration, f"{path}.tolerations[{index}]")
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0:
        yield from not_negative(f"{path}.terminationGracePeriodSeconds", grace)


def pod_update_causes(new: Obj, old: Obj) -> Iterator[Cause]:
    """What may not be changed in a pod that is there: all but its images, its deadline and additional tolerations."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    for field in ("containers", "initContainers"):
        if len(before.get(field) or ()) != len(after.get(field) or ()):
            yield forbidden(f"spec.{field}", "pod updates may not add or remove containers")
            return
    if _fixed(before) != _fixed(after):
        yield forbidden("spec", f"pod updates may not change fields other than {_UPDATABLE}")
    for toleration in before.get("tolerations") or ():
        if toleration not in (after.get("tolerations") or ()):
            yield forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")


def _fixed(spec: Obj) -> dict[str, Any]:
    fixed = {key: value for key, value in spec.items() if key not in ("activeDeadlineSeconds", "tolerations")}
    for field in ("containers", "initContainers"):
        fixed[field] = [{**container, "image": ""} for container in spec.get(field) or ()]
    return fixed


def _source_order(source: str) -> int:
    return _SOURCES.index(source) if source in _SOURCES else len(_SOURCES)


def _volume(volume: Obj, path: str, known: set[str]) -> Iterator[Cause]:
    name, sources = volume.get("name") or "", [key for key in volume if key != "name"]
    for extra in sorted(sources, key=_source_order)[1:]:
        yield forbidden(f"{path}.{extra}", "may not specify more than 1 volume type")
    if not name:
        yield required(f"{path}.name")
    else:
        yield from each(f"{path}.name", name, label_problems(name))
    if name in known:
        yield duplicate(f"{path}.name", name)
    if "secret" in volume and not volume["secret"].get("secretName"):
        yield required(f"{path}.secret.secretName")
    if "configMap" in volume and not volume["configMap"].get("name"):
        yield required(f"{path}.configMap.name")


def _toleration(toleration: Obj, path: str) -> Iterator[Cause]:
    key, operator, effect = (toleration.get(field) or "" for field in ("key", "operator", "effect"))
    if key:
        yield from each(f"{path}.key", key, label_key_problems(key))
    elif operator != "Exists":
        said = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        yield invalid(f"{path}.operator", operator, said)
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        yield invalid(f"{path}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
    if operator == "Exists" and toleration.get("value"):
        yield invalid(f"{path}.operator", toleration["value"], "value must be empty when `operator` is 'Exists'")
    elif operator not in ("", "Equal", "Exists"):
        yield not_supported(f"{path}.operator", operator, ("Equal", "Exists"))


def _containers(containers: Any, path: str, volumes: set[str], names: set[str]) -> Iterator[Cause]:
    for index, container in enumerate(containers):
        place, name = f"{path}[{index}]", container.get("name") or ""
        yield from _container(container, place, volumes)
        if name in names:
            yield duplicate(f"{place}.name", name)
        names.add(name)
        for hook in ("postStart", "preStop"):
            if (action := (container.get("lifecycle") or {}).get(hook)) is not None:
                yield from _handlers(action, f"{place}.lifecycle.{hook}")
        for probe in _PROBES:
            if container.get(probe) is not None:
                yield from _probe(container[probe], f"{place}.{probe}", probe)


def _container(container: Obj, path: str, volumes: set[str]) -> Iterator[Cause]:
    name = container.get("name") or ""
    yield from each(f"{path}.name", name, label_problems(name)) if name else [required(f"{path}.name")]
    if not container.get("image"):
        yield required(f"{path}.image")
    ports: set[str] = set()
    for index, port in enumerate(container.get("ports") or ()):
        yield from _port(port, f"{path}.ports[{index}]", ports)
    for index, variable in enumerate(container.get("env") or ()):
        yield from _variable(variable, f"{path}.env[{index}]")
    paths: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        yield from _mount(mount, f"{path}.volumeMounts[{index}]", volumes, paths)
    if container.get("imagePullPolicy") not in ("Always", "IfNotPresent", "Never"):
        yield not_supported(
            f"{path}.imagePullPolicy", container.get("imagePullPolicy"), ("Always", "IfNotPresent", "Never")
        )
    yield from _resources(container.get("resources") or {}, f"{path}.resources")


def _port(port: Obj, path: str, names: set[str]) -> Iterator[Cause]:
    if name := port.get("name"):
        problems = port_name_problems(name)
        yield from each(f"{path}.name", name, problems)
        if not problems and name in names:
            yield duplicate(f"{path}.name", name)
        names.add(name)
    number = port.get("containerPort") or 0
    yield from port_number(f"{path}.containerPort", number) if number else [required(f"{path}.containerPort")]
    if port.get("hostPort"):
        yield from port_number(f"{path}.hostPort", port["hostPort"])
    if port.get("protocol") not in _PROTOCOLS:
        yield not_supported(f"{path}.protocol", port.get("protocol"), _PROTOCOLS)


def _variable(variable: Obj, path: str) -> Iterator[Cause]:
    name = variable.get("name") or ""
    yield from each(f"{path}.name", name, environment_problems(name)) if name else [required(f"{path}.name")]
    source = variable.get("valueFrom")
    if source is None:
        return
    if not source:
        known = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        yield invalid(f"{path}.valueFrom", "", f"must specify one of: {known}")
    elif variable.get("value"):
        yield invalid(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")
    elif len(source) > 1:
        yield invalid(f"{path}.valueFrom", "", "may not have more than one field specified at a time")
    for reference in ("configMapKeyRef", "secretKeyRef"):
        if reference in source:
            yield from _key_reference(source[reference], f"{path}.valueFrom.{reference}")


def _key_reference(reference: Obj, path: str) -> Iterator[Cause]:
    name, key = reference.get("name") or "", reference.get("key") or ""
    yield from each(f"{path}.name", name, subdomain_problems(name))
    yield from each(f"{path}.key", key, config_key_problems(key)) if key else [required(f"{path}.key")]


def _mount(mount: Obj, path: str, volumes: set[str], paths: set[str]) -> Iterator[Cause]:
    name, where = mount.get("name") or "", mount.get("mountPath") or ""
    if not name:
        yield required(f"{path}.name")
    if name not in volumes:
        yield not_found(f"{path}.name", name)
    if not where:
        yield required(f"{path}.mountPath")
    if where in paths:
        yield invalid(f"{path}.mountPath", where, "must be unique")
    paths.add(where)


def _probe(probe: Obj, path: str, kind: str) -> Iterator[Cause]:
    yield from _handlers(probe, path)
    for number in _PROBE_NUMBERS:
        yield from not_negative(f"{path}.{number}", probe.get(number))
    if kind != "readinessProbe" and probe.get("successThreshold") != 1:
        yield invalid(f"{path}.successThreshold", probe.get("successThreshold"), "must be 1")


def _handlers(what: Obj, path: str) -> Iterator[Cause]:
    """The one handler that a probe or a hook has."""
    handlers = [handler for handler in _HANDLERS if what.get(handler) is not None]
    for extra in handlers[1:]:
        yield forbidden(f"{path}.{extra}", "may not specify more than 1 handler type")
    if not handlers:
        yield required(path, "must specify a handler type")
    else:
        yield from _handler(handlers[0], what[handlers[0]], f"{path}.{handlers[0]}")


def _handler(kind: str, action: Obj, path: str) -> Iterator[Cause]:
    if kind == "exec" and not action.get("command"):
        yield required(f"{path}.command")
    if kind in ("httpGet", "tcpSocket"):
        yield from port_or_name(action.get("port", 0), f"{path}.port")
    if kind == "grpc":
        yield from port_number(f"{path}.port", action.get("port", 0))
    if kind == "httpGet" and action.get("scheme") not in ("HTTP", "HTTPS"):
        yield not_supported(f"{path}.scheme", action.get("scheme"), ("HTTP", "HTTPS"))


def port_or_name(port: int | str, path: str) -> Iterator[Cause]:
    """A port as probes and services name it: its number, or the name that a container gives it."""
    if isinstance(port, int):
        yield from port_number(path, port)
    else:
        yield from each(path, port, port_name_problems(port))


def _resources(resources: Obj, path: str) -> Iterator[Cause]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            if "/" not in name and name not in _COMPUTE and not name.startswith("hugepages-"):
                yield invalid(f"{path}.{field}[{name}]", name, "must be a standard resource type or fully qualified")
                yield invalid(f"{path}.{field}[{name}]", name, "must be a standard resource for containers")
            if value_of(amount) < 0:
                yield invalid(f"{path}.{field}[{name}]", amount, "must be greater than or equal to 0")
    for name, amount in requests.items():
        if name in limits and value_of(amount) > value_of(limits[name]):
            yield invalid(f"{path}.requests", amount, f"must be less than or equal to {name} limit of {limits[name]}")
