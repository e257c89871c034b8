"""What an API server fills in where a manifest says nothing, so that templates compare as they do on a real one. Pure.

The values are those of Kubernetes 1.35: pkg/apis/core/v1/defaults.go and pkg/apis/apps/v1/defaults.go. What a real
server adds to a pod besides by admission plugins is in `admitted`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.core.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINTS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_NUMBERS = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}
_CONTAINERS = ("initContainers", "containers")
_MODE = 0o644
_ROLLING = "RollingUpdate"
# A tag is what follows the last ":" that is no port's; a digest has no influence (pkg/util/parsers/parsers.go).
_TAGGED = re.compile(r":([\w][\w.-]*)$")


def with_defaults(resource: Resource, obj: Obj) -> Obj:
    """`obj` with every field that an API server would have filled in; `obj` itself where none is missing."""
    fill = _OF_OBJECTS.get(resource)
    return fill(obj) if fill is not None else obj


def with_template_defaults(template: Obj) -> Obj:
    """A pod template as it stands in a workload once an API server has stored it."""
    return _within(_fill(template, metadata={}), "spec", _pod_spec)


def admitted(pod: Obj) -> Obj:
    """A new pod as the admission plugins pass it on, with a service account, a priority and the usual tolerations.

    plugin/pkg/admission: serviceaccount, priority, defaulttolerationseconds. No token is mounted: nothing in the
    sandbox would accept it.
    """
    spec = pod.get("spec") or {}
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    admitted_ = _fill(
        spec, serviceAccountName=account, serviceAccount=account, priority=0, preemptionPolicy="PreemptLowerPriority"
    )
    missing = [one for one in _TOLERATIONS if not any(_tolerates(t, one) for t in spec.get("tolerations") or ())]
    if missing:
        admitted_ = {**admitted_, "tolerations": [*(spec.get("tolerations") or ()), *missing]}
    return {**pod, "spec": admitted_}


_TOLERATIONS: tuple[dict[str, Any], ...] = tuple(
    {"key": f"node.kubernetes.io/{state}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for state in ("not-ready", "unreachable")
)


def _tolerates(has: Obj, wanted: Obj) -> bool:
    return has.get("key") in (None, "", wanted["key"]) and has.get("effect") in (None, "", wanted["effect"])


def _fill(obj: Obj, **defaults: Any) -> Obj:
    """`obj` with the defaults for what is missing; an empty text counts as missing, 0 and false do not."""
    missing = {key: value for key, value in defaults.items() if obj.get(key) in (None, "")}
    return {**obj, **missing} if missing else obj


def _within(obj: Obj, field: str, change: Callable[[Obj], Obj]) -> Obj:
    """`obj` with its field changed; a missing field counts as an empty object."""
    before = obj.get(field)
    after = change(before if before is not None else {})
    return obj if after is before else {**obj, field: after}


def _if_there(obj: Obj, field: str, change: Callable[[Obj], Obj]) -> Obj:
    return _within(obj, field, change) if obj.get(field) is not None else obj


def _each(obj: Obj, field: str, change: Callable[[Obj], Obj]) -> Obj:
    """`obj` with every item of a list field changed."""
    before = obj.get(field)
    if not before:
        return obj
    after = [change(one) for one in before]
    return obj if all(new is old for new, old in zip(after, before, strict=True)) else {**obj, field: after}


def _pod_spec(spec: Obj) -> Obj:
    filled = _fill(
        spec,
        dnsPolicy="ClusterFirst",
        restartPolicy="Always",
        schedulerName="default-scheduler",
        securityContext={},
        terminationGracePeriodSeconds=30,
    )
    account = filled.get("serviceAccountName") or filled.get("serviceAccount")
    if account:
        filled = _fill(filled, serviceAccountName=account, serviceAccount=account)
    for field in _CONTAINERS:
        filled = _each(filled, field, _container)
    return _each(filled, "volumes", _volume)


def _container(container: Obj) -> Obj:
    image = str(container.get("image") or "")
    filled = _fill(
        container,
        imagePullPolicy="Always" if _is_latest(image) else "IfNotPresent",
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    filled = _each(filled, "ports", lambda port: _fill(port, protocol="TCP"))
    filled = _each(filled, "env", _environment)
    for probe in _PROBES:
        filled = _if_there(filled, probe, _probe)
    return _if_there(filled, "lifecycle", _lifecycle)


def _is_latest(image: str) -> bool:
    if "@" in image:
        return False
    tag = _TAGGED.search(image)
    return bool(image) and (tag is None or tag[1] == "latest")


def _host_port(port: Obj) -> Obj:
    return port if port.get("hostPort") else {**port, "hostPort": port["containerPort"]}


def _environment(variable: Obj) -> Obj:
    return _if_there(variable, "valueFrom", _field_source)


def _field_source(source: Obj) -> Obj:
    """What names a field of the pod or a resource of its containers: a variable, or a file of a volume."""
    source = _if_there(source, "fieldRef", lambda field: _fill(field, apiVersion="v1"))
    return _if_there(source, "resourceFieldRef", lambda field: _fill(field, divisor="0"))


def _probe(probe: Obj) -> Obj:
    missing = {key: value for key, value in _PROBE_NUMBERS.items() if not probe.get(key)}
    filled = {**probe, **missing} if missing else probe
    filled = _if_there(filled, "grpc", lambda grpc: grpc if "service" in grpc else {**grpc, "service": ""})
    return _if_there(filled, "httpGet", _http_get)


def _http_get(action: Obj) -> Obj:
    return _fill(action, path="/", scheme="HTTP")


def _lifecycle(lifecycle: Obj) -> Obj:
    for hook in ("postStart", "preStop"):
        lifecycle = _if_there(lifecycle, hook, lambda one: _if_there(one, "httpGet", _http_get))
    return lifecycle


def _volume(volume: Obj) -> Obj:
    if len(volume) == 1 and "name" in volume:
        return {**volume, "emptyDir": {}}
    for source in ("configMap", "secret", "downwardAPI", "projected"):
        volume = _if_there(volume, source, lambda one: _fill(one, defaultMode=_MODE))
    volume = _if_there(volume, "downwardAPI", lambda one: _each(one, "items", _field_source))
    volume = _if_there(volume, "projected", lambda one: _each(one, "sources", _projection))
    return _if_there(volume, "hostPath", lambda one: one if "type" in one else {**one, "type": ""})


def _projection(source: Obj) -> Obj:
    source = _if_there(source, "serviceAccountToken", lambda token: _fill(token, expirationSeconds=3600))
    return _if_there(source, "downwardAPI", lambda one: _each(one, "items", _field_source))


def _pod(pod: Obj) -> Obj:
    def of_pods_only(spec: Obj) -> Obj:
        spec = _fill(_pod_spec(spec), enableServiceLinks=True)
        for field in _CONTAINERS:
            spec = _each(spec, field, lambda one: _within(one, "resources", _requests_from_limits))
            if spec.get("hostNetwork"):
                spec = _each(spec, field, lambda one: _each(one, "ports", _host_port))
        return spec

    return _within(pod, "spec", of_pods_only)


def _requests_from_limits(resources: Obj) -> Obj:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    missing = {name: amount for name, amount in limits.items() if name not in requests}
    return {**resources, "requests": {**requests, **missing}} if missing else resources


def _workload(obj: Obj, change: Callable[[Obj], Obj]) -> Obj:
    return _within(obj, "spec", lambda spec: _within(change(spec), "template", with_template_defaults))


def _deployment(obj: Obj) -> Obj:
    def fill(spec: Obj) -> Obj:
        filled = _fill(spec, replicas=1, progressDeadlineSeconds=600, revisionHistoryLimit=10)
        return _within(filled, "strategy", lambda one: _rolling(one, maxSurge="25%", maxUnavailable="25%"))

    return _workload(obj, fill)


def _daemon_set(obj: Obj) -> Obj:
    def fill(spec: Obj) -> Obj:
        filled = _fill(spec, revisionHistoryLimit=10)
        return _within(filled, "updateStrategy", lambda one: _rolling(one, maxSurge=0, maxUnavailable=1))

    return _workload(obj, fill)


def _stateful_set(obj: Obj) -> Obj:
    def fill(spec: Obj) -> Obj:
        filled = _fill(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
        strategy = filled.get("updateStrategy") or {}
        # A RollingUpdate that is spelled out without its own field gets none (defaults.go, SetDefaults_StatefulSet).
        if strategy.get("type") in (None, "") or strategy.get("rollingUpdate") is not None:
            filled = _within(filled, "updateStrategy", lambda one: _rolling(one, partition=0))
        filled = _within(
            filled,
            "persistentVolumeClaimRetentionPolicy",
            lambda policy: _fill(policy, whenDeleted="Retain", whenScaled="Retain"),
        )
        return _each(filled, "volumeClaimTemplates", _claim)

    return _workload(obj, fill)


def _claim(claim: Obj) -> Obj:
    filled = _fill(claim, apiVersion="v1", kind="PersistentVolumeClaim")
    filled = _within(filled, "spec", lambda spec: _fill(spec, volumeMode="Filesystem"))
    return _within(filled, "status", lambda status: _fill(status, phase="Pending"))


def _rolling(strategy: Obj, **numbers: Any) -> Obj:
    filled = _fill(strategy, type=_ROLLING)
    return _within(filled, "rollingUpdate", lambda one: _fill(one, **numbers)) if filled["type"] == _ROLLING else filled


def _replica_set(obj: Obj) -> Obj:
    return _workload(obj, lambda spec: _fill(spec, replicas=1))


def _service(obj: Obj) -> Obj:
    def fill(spec: Obj) -> Obj:
        filled = _fill(spec, sessionAffinity="None", type="ClusterIP")
        if filled["type"] in ("ClusterIP", "NodePort", "LoadBalancer"):
            filled = _fill(filled, internalTrafficPolicy="Cluster")
        if filled["type"] in ("NodePort", "LoadBalancer"):
            filled = _fill(filled, externalTrafficPolicy="Cluster")
        if filled["type"] == "LoadBalancer":
            filled = _fill(filled, allocateLoadBalancerNodePorts=True)
        if filled["sessionAffinity"] == "ClientIP":
            filled = _fill(filled, sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10800}})
        return _each(filled, "ports", _service_port)

    return _within(obj, "spec", fill)


def _service_port(port: Obj) -> Obj:
    filled = _fill(port, protocol="TCP")
    return {**filled, "targetPort": port["port"]} if port.get("port") and not filled.get("targetPort") else filled


def _endpoints(obj: Obj) -> Obj:
    return _each(obj, "subsets", lambda one: _each(one, "ports", lambda port: _fill(port, protocol="TCP")))


def _namespace(obj: Obj) -> Obj:
    name = obj["metadata"].get("name")
    label = {"kubernetes.io/metadata.name": name}
    if name and (obj["metadata"].get("labels") or {}).items() & label.items() != label.items():
        labels = {**(obj["metadata"].get("labels") or {}), **label}
        obj = {**obj, "metadata": {**obj["metadata"], "labels": labels}}
    return _within(obj, "spec", lambda spec: _fill(spec, finalizers=["kubernetes"]))


_OF_OBJECTS: Mapping[Resource, Callable[[Obj], Obj]] = {
    PODS: _pod,
    DEPLOYMENTS: _deployment,
    REPLICA_SETS: _replica_set,
    STATEFUL_SETS: _stateful_set,
    DAEMON_SETS: _daemon_set,
    SERVICES: _service,
    ENDPOINTS: _endpoints,
    NAMESPACES: _namespace,
    SECRETS: lambda secret: _fill(secret, type="Opaque"),
}
