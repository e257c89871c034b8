"""Objects whose line in `kubectl get` is compared: above all pods, whose containers come to one word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.contract.sandbox.real.cases import CORE, DEPLOYMENTS, LABELS, Obj, pod, workload

LONG_AGO = "2020-01-01T00:00:00Z"
APPS = DEPLOYMENTS.rpartition("/")[0]

Shown = tuple[str, str, Obj, Obj | None]
"""A name for it, the path of its collection, the object, and its status."""


def _container(name: str = "web", *, restarts: int = 0, ready: bool = False, **state: Any) -> Obj:
    last = state.pop("last", None)
    found = {"name": name, "image": "web:1", "imageID": "", "restartCount": restarts, "ready": ready, "state": state}
    return {**found, "lastState": {"terminated": last}} if last else found


def _ended(code: int = 0, reason: str = "", **more: Any) -> Obj:
    times = {"startedAt": LONG_AGO, "finishedAt": LONG_AGO}
    return {"exitCode": code, **({"reason": reason} if reason else {}), **times, **more}


def _pods() -> Iterator[tuple[str, Obj, Obj]]:
    """Spec and status of pods in every state that has a word of its own."""
    running: Obj = {"running": {"startedAt": LONG_AGO}}
    two: Obj = {"containers": [{"name": "web", "image": "web:1"}, {"name": "side", "image": "side:1"}]}
    init: Obj = {"initContainers": [{"name": "one", "image": "i:1"}, {"name": "two", "image": "i:2"}]}
    sidecar: Obj = {"initContainers": [{"name": "one", "image": "i:1", "restartPolicy": "Always"}]}
    ready = [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}]
    addresses = {"podIP": "10.0.0.9", "podIPs": [{"ip": "10.0.0.9"}]}
    one = {"phase": "Running", "conditions": ready, **addresses}
    yield "pending", {}, {"phase": "Pending"}
    yield "creating", {}, {"containerStatuses": [_container(waiting={"reason": "ContainerCreating"})]}
    yield "running", {}, {**one, "containerStatuses": [_container(ready=True, **running)]}
    yield "not ready", {}, {"phase": "Running", "containerStatuses": [_container(**running)]}
    last = _ended(1, "Error")
    restarted = _container(ready=True, restarts=3, last=last, **running)
    yield "restarted", {}, {**one, "containerStatuses": [restarted]}
    yield "restarted at no time", {}, {**one, "containerStatuses": [_container(ready=True, restarts=3, **running)]}
    back_off = _container(restarts=5, last=last, waiting={"reason": "CrashLoopBackOff"})
    yield "crash loop", {}, {"phase": "Running", "containerStatuses": [back_off]}
    yield "no image", {}, {"containerStatuses": [_container(waiting={"reason": "ImagePullBackOff"})]}
    yield "error", {}, {"phase": "Failed", "containerStatuses": [_container(terminated=_ended(1, "Error"))]}
    yield "killed", {}, {"phase": "Failed", "containerStatuses": [_container(terminated=_ended(137, signal=9))]}
    yield "an exit code", {}, {"phase": "Failed", "containerStatuses": [_container(terminated=_ended(3))]}
    completed = _container(terminated=_ended(0, "Completed"))
    yield "completed", {}, {"phase": "Succeeded", "containerStatuses": [completed]}
    yield "evicted", {}, {"phase": "Failed", "reason": "Evicted"}
    side = _container("side", ready=True, **running)
    yield "one of two", two, {**one, "containerStatuses": [_container(**running), side]}
    yield "one ended, one ready", two, {**one, "containerStatuses": [completed, side]}
    other = _container("side", **running)
    yield "one ended, one not ready", two, {"phase": "Running", "containerStatuses": [completed, other]}
    failed = _container("side", terminated=_ended(2, "Error"))
    yield "one ended, one failed", two, {"phase": "Running", "containerStatuses": [completed, failed]}
    first = _container("one", terminated=_ended(0, "Completed"))
    yield "initializing", init, {"initContainerStatuses": [first, _container("two", **running)]}
    yield (
        "an init container's image",
        init,
        {
            "initContainerStatuses": [
                _container("one", waiting={"reason": "ErrImagePull"}),
                _container("two", waiting={}),
            ]
        },
    )
    crashed = _container("one", restarts=2, last=last, waiting={"reason": "CrashLoopBackOff"})
    yield "an init container's crash loop", init, {"initContainerStatuses": [crashed]}
    yield (
        "an init container's error",
        init,
        {"initContainerStatuses": [_container("one", terminated=_ended(1, "Error"))]},
    )
    yield "an init container's code", init, {"initContainerStatuses": [_container("one", terminated=_ended(4))]}
    yield (
        "an init container's signal",
        init,
        {"initContainerStatuses": [_container("one", terminated=_ended(137, signal=9))]},
    )
    done = [first, _container("two", restarts=1, terminated=_ended(0, "Completed"))]
    yield (
        "initialized",
        init,
        {
            **one,
            "initContainerStatuses": done,
            "containerStatuses": [_container(ready=True, **running)],
        },
    )
    started = {**_container("one", ready=True, restarts=4, last=last, **running), "started": True}
    yield (
        "a sidecar",
        sidecar,
        {
            **one,
            "initContainerStatuses": [started],
            "containerStatuses": [_container(ready=True, restarts=1, **running)],
        },
    )
    yield (
        "a sidecar that starts",
        sidecar,
        {"initContainerStatuses": [{**_container("one", **running), "started": False}]},
    )
    gates: Obj = {"readinessGates": [{"conditionType": "a.b/c"}, {"conditionType": "d.e/f"}]}
    met = [*ready, {"type": "a.b/c", "status": "True"}]
    yield "readiness gates", gates, {**one, "conditions": met, "containerStatuses": [_container(ready=True, **running)]}
    yield "nominated", {"nodeName": None}, {"phase": "Pending", "nominatedNodeName": "elsewhere"}


def table_cases() -> Iterator[Shown]:
    """All objects."""
    for index, (name, spec, status) in enumerate(_pods()):
        yield f"pod: {name}", f"{CORE}/pods", pod(f"p{index}", {"nodeName": "sandbox", **spec}), status
    yield "pod: on no node", f"{CORE}/pods", pod("nowhere"), None
    counts = {"replicas": 3, "readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}
    yield "deployment", DEPLOYMENTS, workload(replicas=3), counts
    expressions = [{"key": "b", "operator": "In", "values": ["z", "y"]}, {"key": "c", "operator": "DoesNotExist"}]
    labels = {**LABELS, "b": "y"}
    selector = {"matchLabels": LABELS, "matchExpressions": expressions}
    containers = [{"name": "web", "image": "web:1"}, {"name": "side", "image": "side:2"}]
    inside = {"metadata": {"labels": labels}, "spec": {"containers": containers, "nodeSelector": {"d": "e", "a": "b"}}}
    two = workload("two", selector=selector, template=inside)
    yield "deployment: two containers", DEPLOYMENTS, two, None
    yield "replica set", f"{APPS}/replicasets", two, {"replicas": 2, "readyReplicas": 1}
    yield "stateful set", f"{APPS}/statefulsets", workload(replicas=3), {"replicas": 3, "readyReplicas": 2}
    numbers = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled")
    daemons = {**{key: at for at, key in enumerate((*numbers, "numberAvailable"), 1)}, "numberMisscheduled": 0}
    yield "daemon set", f"{APPS}/daemonsets", two, daemons
    ports = [{"port": 80, "name": "a"}, {"port": 443, "protocol": "UDP", "name": "b"}]
    yield (
        "service",
        f"{CORE}/services",
        {"metadata": {"name": "s1"}, "spec": {"ports": ports, "selector": labels}},
        None,
    )
    yield "service: headless", f"{CORE}/services", {"metadata": {"name": "s2"}, "spec": {"clusterIP": "None"}}, None
    external = {"type": "ExternalName", "externalName": "example.com"}
    yield "service: external", f"{CORE}/services", {"metadata": {"name": "s3"}, "spec": external}, None
    outside = {"ports": [{"port": 80}], "externalIPs": ["192.0.2.1"]}
    yield "service: external addresses", f"{CORE}/services", {"metadata": {"name": "s4"}, "spec": outside}, None
    for count in (0, 1, 3, 5):
        addresses = [{"ip": f"10.1.0.{number}"} for number in range(1, count + 1)]
        subsets = [{"addresses": addresses, "ports": [{"port": 80}]}] if count else []
        found = {"metadata": {"name": f"e{count}"}, "subsets": subsets}
        yield f"endpoints: {count}", f"{CORE}/endpoints", found, None
    yield "secret", f"{CORE}/secrets", {"metadata": {"name": "x"}, "stringData": {"a": "b", "c": "d"}}, None
    data = {"metadata": {"name": "x"}, "data": {"a": "b"}, "binaryData": {"c": "eA=="}}
    yield "config map", f"{CORE}/configmaps", data, None
    about = {"kind": "Pod", "namespace": CORE.rpartition("/")[2], "name": "web-1", "fieldPath": "spec.containers{web}"}
    event = {
        "metadata": {"name": "web-1.1"},
        "involvedObject": about,
        "reason": "BackOff",
        "message": " Back-off restarting ",
        "type": "Warning",
        "source": {"component": "kubelet", "host": "sandbox"},
        "firstTimestamp": LONG_AGO,
        "lastTimestamp": LONG_AGO,
        "count": 7,
    }
    yield "event", f"{CORE}/events", event, None
    newer = {
        "metadata": {"name": "web-1.2"},
        "involvedObject": about,
        "reason": "Scheduled",
        "message": "done",
        "type": "Normal",
        "eventTime": "2020-01-01T00:00:00.000000Z",
        "reportingComponent": "scheduler",
        "reportingInstance": "one",
        "action": "Binding",
    }
    yield "event: of the newer kind", f"{CORE}/events", newer, None
