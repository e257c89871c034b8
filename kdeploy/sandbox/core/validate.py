"""What no API server takes (HTTP 422), of what people get wrong, worded as Kubernetes 1.35 words it. Pure.

The rules are those of pkg/apis/core/validation, pkg/apis/apps/validation and apimachinery's pkg/api/validation. They
expect an object whose fields have the right types and whose defaults are filled in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from kdeploy.model import Obj
from kdeploy.sandbox.core.errors import Cause, InvalidError
from kdeploy.sandbox.core.field_errors import (
    duplicate,
    each,
    forbidden,
    immutable,
    invalid,
    not_negative,
    not_supported,
    port_number,
    required,
)
from kdeploy.sandbox.core.names import (
    config_key_problems,
    dns1035_problems,
    label_key_problems,
    label_problems,
    label_value_problems,
    subdomain_problems,
)
from kdeploy.sandbox.core.resources import (
    CONFIG_MAPS,
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)
from kdeploy.sandbox.core.selection import is_everything, selects
from kdeploy.sandbox.core.validate_pods import (
    annotation_causes,
    label_causes,
    pod_spec_causes,
    pod_update_causes,
    port_or_name,
    template_causes,
)

_NAMES = {NAMESPACES: label_problems, SERVICES: dns1035_problems, STATEFUL_SETS: label_problems}
_SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_STRATEGIES = ("Recreate", "RollingUpdate")
_ROLLING = "RollingUpdate"
_PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
    "validation is '[0-9]+%')"
)
_STATEFUL_FIXED = ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates")
_STATEFUL_SENTENCE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def validate(resource: Resource, obj: Obj, old: Obj | None = None) -> None:
    """Raises InvalidError with all that is wrong with a new object, or with a change of `old`."""
    causes = [*_metadata(resource, obj["metadata"], old), *_RULES.get(resource, _no_rules)(obj, old)]
    if causes:
        raise InvalidError(resource, str(obj["metadata"].get("name") or ""), causes)


def _no_rules(_: Obj, __: Obj | None) -> Iterator[Cause]:
    yield from ()


def _metadata(resource: Resource, metadata: Obj, old: Obj | None) -> Iterator[Cause]:
    problems = _NAMES.get(resource, subdomain_problems)
    name, prefix = metadata.get("name") or "", metadata.get("generateName") or ""
    if old is None:
        if prefix:
            yield from each("metadata.generateName", prefix, problems(f"{prefix}x"))
        if name:
            yield from each("metadata.name", name, problems(name))
        elif not prefix:
            yield required("metadata.name", "name or generateName is required")
    yield from label_causes(metadata.get("labels"), "metadata.labels")
    yield from annotation_causes(metadata.get("annotations"), "metadata.annotations")
    for index, owner in enumerate(metadata.get("ownerReferences") or ()):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                detail = "must not be empty"
                yield invalid(f"metadata.ownerReferences[{index}].{field}", owner.get(field) or "", detail)


def _workload(kind: str, spec: Obj) -> Iterator[Cause]:
    """The rules that all workloads share."""
    for number in ("replicas", "minReadySeconds", "revisionHistoryLimit"):
        yield from not_negative(f"spec.{number}", spec.get(number))
    template = spec.get("template") or {}
    yield from _selection(kind, spec.get("selector"), (template.get("metadata") or {}).get("labels") or {})
    yield from template_causes(template, "spec.template")
    pod = template.get("spec") or {}
    if pod.get("restartPolicy") != "Always":
        yield not_supported("spec.template.spec.restartPolicy", pod.get("restartPolicy"), ("Always",))
    if pod.get("activeDeadlineSeconds") is not None:
        owner = "ReplicaSet" if kind == "Deployment" else kind
        said = f"activeDeadlineSeconds in {owner} is not Supported"
        yield forbidden("spec.template.spec.activeDeadlineSeconds", said)


def _selection(kind: str, selector: Obj | None, labels: Obj) -> Iterator[Cause]:
    """The selector, and that it selects the pods of the workload's own template."""
    problems = [] if selector is None else list(_selector(selector))
    yield from problems
    if selector is None:
        yield required("spec.selector")
    elif is_everything(selector):
        named = "Deployment" if kind == "ReplicaSet" else kind  # the real server says so
        yield invalid("spec.selector", selector, f"empty selector is invalid for {named.lower()}")
        return
    if problems:
        yield invalid("spec.selector", selector, "" if kind == "StatefulSet" else "invalid label selector")
    elif not selects(selector, labels):
        shown = dict(sorted(labels.items())) or None
        yield invalid("spec.template.metadata.labels", shown, "`selector` does not match template `labels`")


def _selector(selector: Obj) -> Iterator[Cause]:
    yield from label_causes(selector.get("matchLabels"), "spec.selector.matchLabels")
    for index, one in enumerate(selector.get("matchExpressions") or ()):
        path, operator, values = (
            f"spec.selector.matchExpressions[{index}]",
            one.get("operator"),
            one.get("values") or (),
        )
        if operator in ("In", "NotIn") and not values:
            yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist") and values:
            yield forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        elif operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            yield invalid(f"{path}.operator", operator or "", "not a valid selector operator")
        yield from each(f"{path}.key", one.get("key") or "", label_key_problems(one.get("key") or ""))
        for at, value in enumerate(values):
            yield from each(f"{path}.values[{at}]", value, label_value_problems(value))


def _deployment(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    yield from _workload("Deployment", spec)
    yield from _deployment_strategy(spec.get("strategy") or {})
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        yield from not_negative("spec.progressDeadlineSeconds", deadline)
        if deadline <= (spec.get("minReadySeconds") or 0):
            yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
    if old is not None:
        yield from immutable("spec.selector", spec.get("selector"), old["spec"].get("selector"))


def _deployment_strategy(strategy: Obj) -> Iterator[Cause]:
    kind, rolling, path = strategy.get("type"), strategy.get("rollingUpdate"), "spec.strategy.rollingUpdate"
    if kind == "Recreate" and rolling is not None:
        yield forbidden(path, "may not be specified when strategy `type` is 'Recreate'")
    elif kind == _ROLLING and rolling is not None:
        surge, unavailable = rolling.get("maxSurge", 0), rolling.get("maxUnavailable", 0)
        yield from _int_or_percent(unavailable, f"{path}.maxUnavailable")
        yield from _int_or_percent(surge, f"{path}.maxSurge")
        if _number(unavailable) == 0 and _number(surge) == 0:
            yield invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")
        yield from _at_most_all(unavailable, f"{path}.maxUnavailable")
    elif kind not in _STRATEGIES:
        yield not_supported("spec.strategy", _inside(strategy), _STRATEGIES)


def _daemon_set(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if old is not None:
        yield from immutable("spec.selector", spec.get("selector"), old["spec"].get("selector"))
    yield from _workload("DaemonSet", spec)
    strategy, path = spec.get("updateStrategy") or {}, "spec.updateStrategy.rollingUpdate"
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate") or {}
    if kind == _ROLLING:
        surge, unavailable = rolling.get("maxSurge", 0), rolling.get("maxUnavailable", 0)
        for value, field in ((unavailable, "maxUnavailable"), (surge, "maxSurge")):
            yield from _int_or_percent(value, f"{path}.{field}")
            yield from _at_most_all(value, f"{path}.{field}")
        if _number(surge) and _number(unavailable):
            yield invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero")
        elif not _number(surge) and not _number(unavailable):
            yield required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")
    elif kind != "OnDelete":
        yield not_supported("spec.updateStrategy", _inside(strategy), ("RollingUpdate", "OnDelete"))


def _inside(strategy: Obj) -> Obj:
    """A strategy as the real server prints it: its internal type, which has no JSON names."""
    return {"Type": strategy.get("type") or "", "RollingUpdate": strategy.get("rollingUpdate")}


def _stateful_set(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    policy, strategy = spec.get("podManagementPolicy"), spec.get("updateStrategy") or {}
    if policy not in ("OrderedReady", "Parallel"):
        yield invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'")
    rolling, path = strategy.get("rollingUpdate"), "spec.updateStrategy.rollingUpdate"
    if strategy.get("type") == "OnDelete" and rolling is not None:
        shown = {"Partition": rolling.get("partition", 0), "MaxUnavailable": rolling.get("maxUnavailable")}
        yield invalid(path, shown, "only allowed for updateStrategy 'RollingUpdate'")
    elif strategy.get("type") == _ROLLING:
        yield from not_negative(f"{path}.partition", (rolling or {}).get("partition"))
    elif strategy.get("type") != "OnDelete":
        yield invalid("spec.updateStrategy", _inside(strategy), "must be 'RollingUpdate' or 'OnDelete'")
    if old is None and spec.get("serviceName"):
        yield from each("spec.serviceName", spec["serviceName"], label_problems(spec["serviceName"]))
    yield from _workload("StatefulSet", _with_claims(spec))
    if old is not None and any(spec.get(field) != old["spec"].get(field) for field in _STATEFUL_FIXED):
        yield forbidden("spec", _STATEFUL_SENTENCE)


def _with_claims(spec: Obj) -> Obj:
    """The spec with the volumes that its claims will be, which containers mount by name."""
    template = spec.get("template") or {}
    claims = [claim.get("metadata", {}).get("name") or "" for claim in spec.get("volumeClaimTemplates") or ()]
    if not claims:
        return spec
    pod = template.get("spec") or {}
    volumes = [volume for volume in pod.get("volumes") or () if volume.get("name") not in claims]
    volumes += [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    return {**spec, "template": {**template, "spec": {**pod, "volumes": volumes}}}


def _replica_set(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    yield from _workload("ReplicaSet", spec)
    if old is not None:
        yield from immutable("spec.selector", spec.get("selector"), old["spec"].get("selector"))


def _pod(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    yield from pod_spec_causes(obj.get("spec") or {}, "spec")
    if old is not None:
        yield from pod_update_causes(obj, old)


def _service(obj: Obj, _: Obj | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    kind, headless, ports = spec.get("type"), spec.get("clusterIP") == "None", spec.get("ports") or ()
    if not ports and not headless and kind != "ExternalName":
        yield required("spec.ports")
    if kind == "ExternalName" and not spec.get("externalName"):
        yield required("spec.externalName")
    names: set[str] = set()
    for index, port in enumerate(ports):
        yield from _service_port(port, f"spec.ports[{index}]", names, needs_name=len(ports) > 1)
    yield from label_causes(spec.get("selector"), "spec.selector")
    if spec.get("sessionAffinity") not in ("ClientIP", "None"):
        yield not_supported("spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None"))
    if kind not in _SERVICE_TYPES:
        yield not_supported("spec.type", kind, _SERVICE_TYPES)


def _service_port(port: Obj, path: str, names: set[str], *, needs_name: bool) -> Iterator[Cause]:
    name = port.get("name") or ""
    if name:
        yield from each(f"{path}.name", name, label_problems(name))
        if name in names:
            yield duplicate(f"{path}.name", name)
        names.add(name)
    elif needs_name:
        yield required(f"{path}.name")
    yield from port_number(f"{path}.port", port.get("port", 0))
    if port.get("protocol") not in ("SCTP", "TCP", "UDP"):
        yield not_supported(f"{path}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP"))
    yield from port_or_name(port.get("targetPort", 0), f"{path}.targetPort")


def _config(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    for field in ("data", "binaryData"):
        for key in obj.get(field) or {}:
            yield from each(f"{field}[{key}]", key, config_key_problems(key))
    if old is not None and old.get("immutable"):
        if not obj.get("immutable"):
            yield forbidden("immutable", "field is immutable when `immutable` is set")
        for field in ("data", "binaryData"):
            if obj.get(field) != old.get(field):
                yield forbidden(field, "field is immutable when `immutable` is set")


def _secret(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    if old is not None:
        yield from immutable("type", obj.get("type"), old.get("type"))
    yield from _config(obj, old)


def _controller_revision(obj: Obj, old: Obj | None) -> Iterator[Cause]:
    yield from not_negative("revision", obj.get("revision"))
    if old is not None and obj.get("data") != old.get("data"):
        yield invalid("data", obj.get("data"), "field is immutable")


def _int_or_percent(value: int | str, path: str) -> Iterator[Cause]:
    if isinstance(value, int):
        yield from not_negative(path, value)
    elif not re.fullmatch("[0-9]+%", value):
        yield invalid(path, value, _PERCENT)


def _at_most_all(value: int | str, path: str) -> Iterator[Cause]:
    if isinstance(value, str) and _number(value) > 100:
        yield invalid(path, value, "must not be greater than 100%")


def _number(value: int | str) -> int:
    if isinstance(value, int):
        return value
    digits = value.removesuffix("%")
    return int(digits[:9]) if re.fullmatch("[0-9]+", digits) else 0


_Rules = Callable[[Obj, Obj | None], Iterator[Cause]]
_RULES: Mapping[Resource, _Rules] = {
    PODS: _pod,
    DEPLOYMENTS: _deployment,
    REPLICA_SETS: _replica_set,
    STATEFUL_SETS: _stateful_set,
    DAEMON_SETS: _daemon_set,
    CONTROLLER_REVISIONS: _controller_revision,
    SERVICES: _service,
    CONFIG_MAPS: _config,
    SECRETS: _secret,
}
