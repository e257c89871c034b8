"""The requests. Each is sent to an empty namespace of its own kind of trouble: what people get right and wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Obj = dict[str, Any]

NAMESPACE = "sandbox-cases"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
APPS = f"/apis/apps/v1/namespaces/{NAMESPACE}"
DEPLOYMENTS = f"{APPS}/deployments"
LABELS = {"app": "web"}
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request. `body` is JSON, or bytes as they are; None is no body."""

    method: str
    path: str
    body: Any = None
    media_type: str = JSON
    accept: str = JSON
    token: bool = True


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request, and what has to be there before it."""

    name: str
    request: Request
    before: tuple[Request, ...] = ()


def template(spec: Mapping[str, Any] | None = None, labels: Any = LABELS, **container: Any) -> Obj:
    """A pod template with one container."""
    return {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "web", "image": "web:1", **container}], **(spec or {})},
    }


def workload(name: str = "web", **spec: Any) -> Obj:
    """What all workloads have."""
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": LABELS}, "template": template(), **spec},
    }


def pod(name: str = "web", spec: Mapping[str, Any] | None = None, **container: Any) -> Obj:
    """A pod without a token."""
    inside = template({"automountServiceAccountToken": False, **(spec or {})}, **container)["spec"]
    return {"metadata": {"name": name}, "spec": inside}


RICH: Obj = {
    "metadata": {"name": "web", "annotations": {"x": "1"}, "labels": {"l": "1"}},
    "spec": {
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {
                "initContainers": [{"name": "i", "image": "i:1"}],
                "containers": [
                    {
                        "name": "a",
                        "image": "a:1",
                        "env": [{"name": name, "value": name} for name in "ABC"],
                        "ports": [{"containerPort": 80}, {"containerPort": 81, "name": "x"}],
                        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                        "args": ["1", "2"],
                    },
                    {"name": "b", "image": "b:1"},
                    {"name": "c", "image": "c:1"},
                ],
                "volumes": [{"name": "v"}, {"name": "w", "configMap": {"name": "cm"}}],
                "imagePullSecrets": [{"name": "s1"}, {"name": "s2"}],
                "tolerations": [{"key": "a", "operator": "Exists"}],
                "nodeSelector": {"d": "1"},
            },
        },
    },
}
"""A Deployment with something of everything that a patch merges."""


def post(path: str, body: Any, **more: Any) -> Request:
    """A creation."""
    return Request(method="POST", path=path, body=body, **more)


def created() -> Iterator[Case]:
    """Objects that are created, or refused."""
    plurals = {"deployment": "deployments", "replicaset": "replicasets"}
    plurals |= {"statefulset": "statefulsets", "daemonset": "daemonsets"}
    roots = {"pod": CORE, "service": CORE, "configmap": CORE, "secret": CORE}
    for kind, name, obj in (*workloads(), *templates(), *wrong_types(), *others()):
        path = f"{roots.get(kind, APPS)}/{plurals.get(kind, f'{kind}s')}"
        yield Case(name=f"create {kind}: {name}", request=post(path, obj))


def workloads() -> Iterator[tuple[str, str, Obj]]:
    """The fields of the workloads themselves."""
    yield "deployment", "plain", workload()
    yield "deployment", "a name with capitals", workload("Web_App")
    yield "deployment", "a long name", workload("a" * 254)
    yield "deployment", "no name", {"metadata": {}, "spec": workload()["spec"]}
    yield "deployment", "no spec", {"metadata": {"name": "web"}}
    yield "deployment", "no selector", {"metadata": {"name": "web"}, "spec": {"template": template()}}
    yield "deployment", "an empty selector", workload(selector={})
    yield "deployment", "a selector of other labels", workload(selector={"matchLabels": {"app": "x"}})
    yield "deployment", "no labels", workload(template=template(labels=None))
    yield "deployment", "negative numbers", workload(replicas=-1, minReadySeconds=-1, revisionHistoryLimit=-1)
    yield "deployment", "a negative deadline", workload(progressDeadlineSeconds=-1)
    yield "deployment", "a short deadline", workload(minReadySeconds=600)
    yield "deployment", "zeros", workload(replicas=0, minReadySeconds=0, revisionHistoryLimit=0)
    yield "deployment", "an unknown strategy", workload(strategy={"type": "Foo"})
    yield "deployment", "recreate", workload(strategy={"type": "Recreate"})
    recreate = {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}
    yield "deployment", "recreate with a surge", workload(strategy=recreate)
    for name, surge, unavailable in (("none", 0, 0), ("odd", "x%", "101%"), ("minus", -1, "5"), ("all", 1, "100%")):
        rolling = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
        yield "deployment", f"a rolling update of {name}", workload(strategy=rolling)
    expressions = [
        {"key": "app", "operator": "In"},
        {"key": "app", "operator": "Exists", "values": ["x"]},
        {"key": "app", "operator": "Foo"},
        {"key": "a b", "operator": "In", "values": ["c d"]},
    ]
    yield "deployment", "bad expressions", workload(selector={"matchLabels": LABELS, "matchExpressions": expressions})
    good = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "x"]}]}
    yield "deployment", "an expression", workload(selector=good)
    # One mistake a map: the real server walks maps in no order.
    bad = (
        {"a b": "c"},
        {"d/e/f": "x"},
        {"/x": "y"},
        {"ok": "not ok!"},
        {"UPPER.com/x": "y"},
        {"x" * 64: "y"},
        {"x": "y" * 64},
    )
    for number, labels in enumerate(bad):
        named = {"name": "web", "labels": labels}
        yield "deployment", f"a bad label {number}", {"metadata": named, "spec": workload()["spec"]}
    annotated = {"name": "web", "annotations": {"a b": "c"}}
    yield "deployment", "a bad annotation", {"metadata": annotated, "spec": workload()["spec"]}
    yield "statefulset", "plain", workload(serviceName="web")
    yield "statefulset", "a dot in its name", workload("a.b")
    yield "statefulset", "a bad service name", workload(serviceName="_")
    yield "statefulset", "unknown policies", workload(podManagementPolicy="x", updateStrategy={"type": "Foo"})
    yield "statefulset", "a negative partition", workload(updateStrategy={"rollingUpdate": {"partition": -1}})
    yield "statefulset", "on delete", workload(updateStrategy={"type": "OnDelete"})
    yield "statefulset", "on delete, rolling", workload(updateStrategy={"type": "OnDelete", "rollingUpdate": {}})
    yield "statefulset", "a rolling update without its field", workload(updateStrategy={"type": "RollingUpdate"})
    yield "statefulset", "an empty selector", workload(selector={})
    yield "statefulset", "a selector of other labels", workload(selector={"matchLabels": {"app": "x"}})
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    mounted = template(volumeMounts=[{"name": "data", "mountPath": "/d"}])
    yield "statefulset", "claims", workload(template=mounted, volumeClaimTemplates=[claim])
    yield "daemonset", "plain", workload()
    yield "daemonset", "surge and unavailable", workload(updateStrategy={"rollingUpdate": {"maxSurge": 1}})
    yield "daemonset", "neither", workload(updateStrategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}})
    yield "daemonset", "an unknown strategy", workload(updateStrategy={"type": "X"})
    yield "daemonset", "an empty selector", workload(selector={})
    yield "replicaset", "plain", workload()
    yield "replicaset", "an empty selector", workload(selector={})


def templates() -> Iterator[tuple[str, str, Obj]]:
    """The fields of a pod template."""

    def of(title: str, spec: Mapping[str, Any] | None = None, /, **container: Any) -> tuple[str, str, Obj]:
        return "deployment", title, workload(template=template(spec, **container))

    yield "deployment", "no containers", workload(template={"metadata": {"labels": LABELS}, "spec": {}})
    yield of("no image", image="")
    yield of("latest", image="web")
    yield of("a digest", image="web@sha256:" + "0" * 64)
    yield of("a container's bad name", name="A B")
    yield of("a container's name with a dot", name="a.b")
    yield of("a restart policy for pods only", {"restartPolicy": "Never"})
    yield of("unknown policies", {"restartPolicy": "Foo", "dnsPolicy": "Bar"})
    yield of("a deadline", {"activeDeadlineSeconds": 3})
    ports: list[Obj] = [{"containerPort": 0}, {"containerPort": 70000}, {"containerPort": 1, "name": "a"}]
    ports += [{"containerPort": 80, "name": "Http--1-", "protocol": "X"}, {"containerPort": 2, "name": "a"}]
    yield of("bad ports", ports=ports)
    yield of("a host's network", {"hostNetwork": True}, ports=[{"containerPort": 80}])
    env: list[Obj] = [{"name": ""}, {"name": "a=b"}, {"name": "x", "valueFrom": {}}]
    env += [{"name": "y", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    env += [{"name": "z", "valueFrom": {"configMapKeyRef": {"name": "", "key": ""}}}]
    yield of("bad variables", env=env)
    fields: list[Obj] = [{"name": "x", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    fields += [{"name": "r", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]
    yield of("variables of fields", env=fields)
    yield of("mounts of nothing", volumeMounts=[{"name": "v", "mountPath": "/a"}, {"name": "", "mountPath": ""}])
    volumes: list[Obj] = [{"name": "v"}, {"name": "v"}, {"name": "B A"}, {"name": ""}, {"name": "s", "secret": {}}]
    volumes += [{"name": "c", "configMap": {}}, {"name": "t", "emptyDir": {}, "hostPath": {"path": "/"}}]
    twice = [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/a"}]
    yield of("bad volumes", {"volumes": volumes}, volumeMounts=twice)
    name = {"path": "x", "fieldRef": {"fieldPath": "metadata.name"}}
    projected: list[Obj] = [{"configMap": {"name": "x"}}, {"serviceAccountToken": {"path": "t"}}]
    projected += [{"downwardAPI": {"items": [name]}}]
    sources: list[Obj] = [{}, {"configMap": {"name": "x"}}, {"secret": {"secretName": "x"}}]
    sources += [{"hostPath": {"path": "/"}}, {"projected": {"sources": projected}}, {"downwardAPI": {"items": [name]}}]
    yield of("volumes", {"volumes": [{"name": f"v{at}", **one} for at, one in enumerate(sources)]})
    yield of("a probe of nothing", readinessProbe={}, livenessProbe={"httpGet": {"port": 0, "scheme": "X"}})
    yield of(
        "a probe's numbers", livenessProbe={"exec": {"command": ["x"]}, "successThreshold": 2, "periodSeconds": -1}
    )
    both = {"httpGet": {"port": "http"}, "tcpSocket": {"port": 1}}
    yield of("two handlers", readinessProbe=both, livenessProbe={"exec": {}}, startupProbe={"grpc": {"port": 0}})
    alive = {"exec": {"command": ["x"]}}
    yield of(
        "probes", readinessProbe={"httpGet": {"port": "http"}}, livenessProbe=alive, startupProbe={"grpc": {"port": 5}}
    )
    yield of("an unknown pull policy", imagePullPolicy="Sometimes")
    yield of("more than the limit", resources={"requests": {"cpu": "2"}, "limits": {"cpu": 1}})
    yield of("less than nothing", resources={"limits": {"cpu": "-1"}})
    yield of("an unknown resource", resources={"requests": {"cpus": "1"}})
    yield of("a bad quantity", resources={"requests": {"cpu": "1 core"}})
    amounts = {"requests": {"cpu": 0.1, "memory": "64Mi", "ephemeral-storage": "1G"}, "limits": {"memory": "0.5Gi"}}
    yield of("quantities", resources=amounts)
    yield of("an account", {"serviceAccountName": "robot", "imagePullSecrets": [{"name": "x"}]})
    hooks = {"preStop": {"httpGet": {"port": 80}}, "postStart": {"exec": {"command": ["x"]}}}
    yield of("hooks", lifecycle=hooks)
    yield of("a hook of nothing", lifecycle={"preStop": {}})
    tolerations: list[Obj] = [{}, {"key": "a", "operator": "Exists", "value": "b"}, {"key": "a b"}]
    tolerations += [{"key": "a", "operator": "Foo"}, {"key": "a", "tolerationSeconds": 3}, {"operator": "Exists"}]
    yield of("tolerations", {"tolerations": tolerations})
    yield of("two sources of a volume", {"volumes": [{"name": "v", "configMap": {"name": "x"}, "emptyDir": {}}]})
    yield "deployment", "a bad label of the pods", workload(template=template(labels={**LABELS, "x": "a b"}))


def wrong_types() -> Iterator[tuple[str, str, Obj]]:
    """Values of another type than their field's."""
    mistakes: dict[str, Any] = {
        "text for a number": workload(replicas="3"),
        "a fraction for a number": workload(replicas=3.5),
        "too large a number": workload(replicas=2**40),
        "a number for text": workload(template=template(env=[{"name": "A", "value": 1}])),
        "an object for a list": workload(template={"spec": {"containers": {"a": 1}}}),
        "a number for a label": workload(selector={"matchLabels": {"a": 1}}),
        "text for an object": workload(template="x"),
        "a list for a map": {"metadata": {"name": "x", "labels": ["a"]}},
        "text for the metadata": {"metadata": "x"},
        "a boolean for a number or text": workload(strategy={"rollingUpdate": {"maxSurge": True}}),
        "a number for the name": {"metadata": {"name": 1}},
        "text for a list": workload(template=template(command="sh")),
        "no time": {"metadata": {"name": "x", "creationTimestamp": "yesterday"}},
        "a list for the spec": {"metadata": {"name": "x"}, "spec": []},
        "an object for a quantity": workload(template=template(resources={"limits": {"cpu": {}}})),
        "a field that there is not": workload(replcas=3),
    }
    for name, sent in mistakes.items():
        yield "deployment", name, sent


def others() -> Iterator[tuple[str, str, Obj]]:
    """Pods, services, and what they read."""
    yield "pod", "plain", pod()
    yield "pod", "limits", pod(resources={"limits": {"cpu": "1"}})
    yield "pod", "no containers", {"metadata": {"name": "a"}}
    yield "pod", "a name twice", pod(spec={"initContainers": [{"name": "web", "image": "x"}, {"image": "y"}]})
    yield "pod", "its own toleration", pod(spec={"tolerations": [{"key": "node.kubernetes.io/not-ready"}]})
    yield "pod", "an account that there is not", pod(spec={"serviceAccountName": "robot"})
    service = {"ports": [{"port": 80}], "selector": LABELS}
    yield "service", "plain", {"metadata": {"name": "web"}, "spec": service}
    yield "service", "no ports", {"metadata": {"name": "web"}, "spec": {"selector": LABELS}}
    yield "service", "a name that begins with a digit", {"metadata": {"name": "1web"}, "spec": service}
    ports: list[Obj] = [{"port": 0}, {"port": 70000, "name": "A"}, {"port": 1, "name": "x"}]
    ports += [{"port": 2, "name": "x", "protocol": "Y", "targetPort": "a--"}]
    yield "service", "bad ports", {"metadata": {"name": "web"}, "spec": {"ports": ports}}
    unknown = {"type": "Foo", "sessionAffinity": "Bar", "ports": [{"port": 80}]}
    yield "service", "unknown types", {"metadata": {"name": "web"}, "spec": unknown}
    yield "service", "no external name", {"metadata": {"name": "web"}, "spec": {"type": "ExternalName"}}
    headless = {"clusterIP": "None", "selector": LABELS}
    yield "service", "headless", {"metadata": {"name": "web"}, "spec": headless}
    yield "service", "a client's pod", {"metadata": {"name": "web"}, "spec": {**service, "sessionAffinity": "ClientIP"}}
    yield "configmap", "plain", {"metadata": {"name": "x"}, "data": {"a": "b"}}
    yield "configmap", "empty", {"metadata": {"name": "x"}}
    for key in ("a b", "..x", "..", "x" * 254):
        yield "configmap", f"a bad key {key[:3]}", {"metadata": {"name": "x"}, "data": {key: "y"}}
    yield "configmap", "a number", {"metadata": {"name": "x"}, "data": {"a": 1}}
    yield "secret", "text", {"metadata": {"name": "x"}, "stringData": {"a": "b"}, "data": {"a": "eA==", "c": "eA=="}}
    yield "secret", "no base 64", {"metadata": {"name": "x"}, "data": {"a": "!!"}}


def _of_pods(**spec: Any) -> Obj:
    return {"spec": {"template": {"spec": spec}}}


def patched() -> Iterator[Case]:
    """Patches of the rich Deployment."""
    kinds = (("strategic", STRATEGIC, strategic()), ("merge", MERGE, merges()), ("json", JSON_PATCH, json_patches()))
    for kind, media_type, patches in kinds:
        for name, body in patches:
            sent = Request(method="PATCH", path=f"{DEPLOYMENTS}/web", body=body, media_type=media_type)
            yield Case(name=f"{kind} patch: {name}", before=(post(DEPLOYMENTS, RICH),), request=sent)


def strategic() -> Iterator[tuple[str, Any]]:
    """Strategic merge patches."""
    order, value = "$setElementOrder/containers", {"fieldRef": {"fieldPath": "status.podIP"}}
    yield "an image", _of_pods(containers=[{"name": "b", "image": "b:2"}])
    yield "one container more", _of_pods(containers=[{"name": "d", "image": "d"}])
    yield "one container less", _of_pods(containers=[{"name": "b", "$patch": "delete"}])
    yield "all containers", _of_pods(containers=[{"$patch": "replace"}, {"name": "z", "image": "z"}])
    yield "an order", _of_pods(**{order: [{"name": "c"}, {"name": "a"}], "containers": [{"name": "c", "image": "c:9"}]})
    yield "an order without a change", _of_pods(**{order: [{"name": "c"}, {"name": "b"}, {"name": "a"}]})
    inner = [{"name": "N", "value": "9"}, {"name": "B", "value": None, "valueFrom": value}]
    ordered = {"name": "a", "env": inner, "$setElementOrder/env": [{"name": "N"}, {"name": "C"}, {"name": "B"}]}
    wanted = [{"name": "c"}, {"name": "x"}, {"name": "a"}]
    yield "orders within orders", _of_pods(**{order: wanted, "containers": [{"name": "x", "image": "x"}, ordered]})
    yield (
        "ports",
        _of_pods(containers=[{"name": "a", "ports": [{"containerPort": 80, "name": "w"}, {"containerPort": 90}]}]),
    )
    yield "a list that is replaced", _of_pods(containers=[{"name": "a", "args": ["9"]}])
    yield "a list that goes", _of_pods(containers=[{"name": "a", "env": None}])
    yield "an empty list", _of_pods(containers=[{"name": "a", "env": []}])
    yield "no containers", _of_pods(containers=None)
    retained = {"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "x"}}
    yield "another source of a volume", _of_pods(volumes=[retained])
    yield "a volume less", _of_pods(volumes=[{"name": "w", "$patch": "delete"}])
    yield "a second source of a volume", _of_pods(volumes=[{"name": "v", "secret": {"secretName": "x"}}])
    yield "keys that are not retained", _of_pods(volumes=[{**retained, "$retainKeys": ["name"]}])
    yield "tolerations", _of_pods(tolerations=[{"key": "b", "operator": "Exists"}])
    yield "a map", _of_pods(nodeSelector={"e": "2", "d": None})
    yield "another map", _of_pods(nodeSelector={"$patch": "replace", "e": "1"})
    yield "no map", _of_pods(nodeSelector={"$patch": "delete"})
    yield "a pull secret", _of_pods(imagePullSecrets=[{"name": "s3"}])
    yield "recreate", {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    yield "recreate, and the surge stays", {"spec": {"strategy": {"type": "Recreate"}}}
    whole = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "q", "image": "q"}]}}
    yield "another template", {"spec": {"template": {"$patch": "replace", **whole}}}
    yield "annotations", {"metadata": {"annotations": {"x": None, "y": "2"}}}
    yield "finalizers", {"metadata": {"finalizers": ["a/b"]}}
    yield "another name", {"metadata": {"name": "other"}}
    yield "another uid", {"metadata": {"uid": "x"}}
    yield "another namespace", {"metadata": {"namespace": "x"}}
    yield "an old version", {"metadata": {"resourceVersion": "1"}}
    yield "another selector", {"spec": {"selector": {"matchLabels": {"app": "x"}}}}
    yield "a negative number", {"spec": {"replicas": -1}}
    yield "an unknown field", {"spec": {"foo": 1}}
    yield "no spec", {"spec": None}
    yield "no metadata", {"metadata": None}
    yield "nothing", {}
    yield "a list", []


def merges() -> Iterator[tuple[str, Any]]:
    """JSON merge patches."""
    yield "replicas", {"spec": {"replicas": 3}}
    yield "a default", {"spec": {"replicas": None}}
    yield "all containers", _of_pods(containers=[{"name": "z", "image": "z"}])
    yield "an annotation less", {"metadata": {"annotations": {"x": None}}}
    yield "another selector", {"spec": {"selector": {"matchLabels": {"app": "other"}}}}
    yield "an unknown field", {"foo": 1}
    yield "no metadata", {"metadata": None}
    yield "a list", []


def json_patches() -> Iterator[tuple[str, Any]]:
    """JSON patches."""

    def op(name: str, path: str, *value: Any, **more: Any) -> Obj:
        return {"op": name, "path": path, **({"value": value[0]} if value else {}), **more}

    containers = "/spec/template/spec/containers"
    yield "a test that holds", [op("test", "/metadata/name", "web"), op("replace", "/spec/replicas", 5)]
    yield "a test that fails", [op("test", "/metadata/name", "q"), op("replace", "/spec/replicas", 5)]
    yield (
        "a test of what is absent",
        [op("test", "/metadata/nope", None), op("test", "/metadata/annotations/nope", None)],
    )
    yield "a test below what is absent", [op("test", "/metadata/nope/deeper", None)]
    yield "a test without a value", [op("test", "/metadata/nope")]
    yield "a test of null where something is", [op("test", "/metadata/name", None)]
    yield "a test of a number", [op("test", "/spec/replicas", 1)]
    yield "a test of true for 1", [op("test", "/spec/replicas", True)]
    yield "a replacement of what is absent", [op("replace", "/metadata/labels/new", "v")]
    yield "a replacement below what is absent", [op("replace", "/metadata/nope/new", "v")]
    yield "a removal", [op("remove", "/metadata/labels")]
    yield "a removal of what is absent", [op("remove", "/metadata/labels/nope")]
    yield "an escaped key", [op("add", "/metadata/annotations/a~1b", "c")]
    yield "an item at the end", [op("add", f"{containers}/-", {"name": "n", "image": "n"})]
    yield "an item in between", [op("add", f"{containers}/1", {"name": "n", "image": "n"})]
    yield "an item beyond the end", [op("add", f"{containers}/9", {})]
    yield "an item that is not there", [op("replace", f"{containers}/7/image", "x")]
    yield "no index", [op("replace", f"{containers}/x/image", "x")]
    yield "an image", [op("replace", f"{containers}/0/image", "x")]
    copied = {"from": f"{containers}/0/image"}
    yield "a copy", [op("copy", f"{containers}/1/image", **copied)]
    yield "a move", [op("move", "/metadata/annotations/l", **{"from": "/metadata/labels/l"})]
    yield "an unknown operation", [op("foo", "/x")]
    yield "no path", [{"op": "add"}]
    yield "another name", [op("replace", "/metadata/name", "zz")]
    yield "no metadata", [op("remove", "/metadata")]
    yield "another selector", [op("replace", "/spec/selector/matchLabels/app", "zz")]
    yield "nothing", []
    yield "an object", {"op": "x"}


def asked() -> Iterator[Case]:
    """What people ask for that is not there, and in ways that there are not."""
    web = (post(DEPLOYMENTS, workload()),)
    paths = {
        "an object that is not there": f"{DEPLOYMENTS}/nope",
        "a pod that is not there": f"{CORE}/pods/nope",
        "an unknown resource": f"{CORE}/foos",
        "an unknown resource of a group": "/apis/apps/v1/foos/x",
        "an unknown version": "/apis/apps/v2/deployments",
        "an unknown subresource": f"{DEPLOYMENTS}/web/foo",
        "a selector of nonsense": f"{DEPLOYMENTS}?labelSelector=a%20b",
        "a selector with two signs": f"{DEPLOYMENTS}?labelSelector=a%3D%3D%3Db",
        "an unknown field": f"{DEPLOYMENTS}?fieldSelector=spec.foo%3Dx",
        "an unknown field of pods": f"{CORE}/pods?fieldSelector=spec.foo%3Dx",
        "a field selector of nonsense": f"{DEPLOYMENTS}?fieldSelector=foo",
        "no version": f"{DEPLOYMENTS}?resourceVersion=abc",
        "a version to come": f"{DEPLOYMENTS}?resourceVersion=99999999",
        "a match without a version": f"{DEPLOYMENTS}?resourceVersionMatch=Exact",
        "an exact zero": f"{DEPLOYMENTS}?resourceVersion=0&resourceVersionMatch=Exact",
        "no limit": f"{DEPLOYMENTS}?limit=x",
        "an empty list": f"{CORE}/pods",
        "the scale of nothing": f"{DEPLOYMENTS}/nope/scale",
        "the log of nothing": f"{CORE}/pods/nope/log",
        "the proxy of nothing": f"{CORE}/pods/nope/proxy/x",
        "the proxy of no service": f"{CORE}/services/nope/proxy/x",
        "a review by reading": "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    }
    for name, path in paths.items():
        yield Case(name=f"get {name}", request=Request(method="GET", path=path))
    yield Case(name="get a scale", before=web, request=Request(method="GET", path=f"{DEPLOYMENTS}/web/scale"))
    yield Case(name="get without a token", request=Request(method="GET", path=DEPLOYMENTS, token=False))
    foo = "application/json;as=Foo;v=v1;g=meta.k8s.io"
    for method, path in (("POST", f"{DEPLOYMENTS}/web"), ("PUT", DEPLOYMENTS), ("PATCH", DEPLOYMENTS)):
        yield Case(
            name=f"{method.lower()} where there is no such verb", request=Request(method=method, path=path, body={})
        )
    yield Case(name="create in no namespace", request=post("/apis/apps/v1/deployments", workload()))
    elsewhere = "/apis/apps/v1/namespaces/sandbox-nowhere/deployments"
    yield Case(name="create in a namespace that is not there", request=post(elsewhere, workload()))
    other = {**workload(), "metadata": {"name": "web", "namespace": "other"}}
    yield Case(name="create for another namespace", request=post(DEPLOYMENTS, other))
    yield Case(name="create twice", before=web, request=post(DEPLOYMENTS, workload()))
    yield Case(name="create nothing", request=post(DEPLOYMENTS, {}))
    yield Case(
        name="create with a version",
        request=post(DEPLOYMENTS, {**workload(), "metadata": {"name": "w", "resourceVersion": "3"}}),
    )
    yield Case(name="create from text", request=post(DEPLOYMENTS, b"x: 1", media_type="text/plain"))
    strict = {**workload(replcas=3), "foo": 1}
    yield Case(name="create strictly", request=post(f"{DEPLOYMENTS}?fieldValidation=Strict", strict))
    yield Case(name="create with an unknown validation", request=post(f"{DEPLOYMENTS}?fieldValidation=Foo", workload()))
    yield Case(name="create with an unknown dry run", request=post(f"{DEPLOYMENTS}?dryRun=Some", workload()))
    yield Case(name="create dry", request=post(f"{DEPLOYMENTS}?dryRun=All", workload()))
    yield Case(name="get in a form that there is not", request=Request(method="GET", path=DEPLOYMENTS, accept=foo))


def changed() -> Iterator[Case]:
    """Whole objects put in the place of others, scales, deletions."""
    web, path = (post(DEPLOYMENTS, workload()),), f"{DEPLOYMENTS}/web"

    def put(name: str, obj: Obj, where: str = path, before: tuple[Request, ...] = web) -> Case:
        return Case(name=f"put {name}", before=before, request=Request(method="PUT", path=where, body=obj))

    yield put("what is there", workload(replicas=2))
    yield put("what is not there", workload(), before=())
    yield put("another name", workload("other"))
    yield put("no name", {"metadata": {}, "spec": workload()["spec"]})
    yield put("an old version", {**workload(), "metadata": {"name": "web", "resourceVersion": "1"}})
    yield put(
        "another selector", workload(selector={"matchLabels": {"app": "x"}}, template=template(labels={"app": "x"}))
    )
    stateful = f"{APPS}/statefulsets"
    yield put(
        "another service of a stateful set",
        workload(serviceName="other"),
        f"{stateful}/web",
        (post(stateful, workload(serviceName="web")),),
    )
    sets = (post(f"{APPS}/daemonsets", workload()),)
    yield put(
        "another template of a daemon set", workload(template=template(image="web:2")), f"{APPS}/daemonsets/web", sets
    )
    scale = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "web"}}
    yield put("a scale", {**scale, "spec": {"replicas": 2}}, f"{path}/scale")
    yield put("a negative scale", {**scale, "spec": {"replicas": -1}}, f"{path}/scale")
    old = {**scale, "metadata": {"name": "web", "resourceVersion": "1"}, "spec": {"replicas": 2}}
    yield put("a scale of an old version", old, f"{path}/scale")
    body = {"spec": {"replicas": 3}}
    sent = Request(method="PATCH", path=f"{path}/scale", body=body, media_type=MERGE)
    yield Case(name="patch a scale", before=web, request=sent)
    status = {"metadata": {"name": "web"}, "status": {"replicas": 3, "readyReplicas": 1}}
    yield Case(
        name="patch a status",
        before=web,
        request=Request(
            method="PATCH", path=f"{path}/status", body={**status, "spec": {"replicas": 9}}, media_type=MERGE
        ),
    )
    options = {"kind": "DeleteOptions", "apiVersion": "v1"}
    deletions: dict[str, Obj] = {
        "": {},
        " of another uid": {"preconditions": {"uid": "nope"}},
        " of another version": {"preconditions": {"resourceVersion": "1"}},
        " with an unknown policy": {"propagationPolicy": "Foo"},
        " that only looks": {"dryRun": ["All"]},
    }
    for name, more in deletions.items():
        sent = Request(method="DELETE", path=path, body={**options, **more})
        yield Case(name=f"delete{name}", before=web, request=sent)
    yield Case(name="delete what is not there", request=Request(method="DELETE", path=path))
    service = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    gone = Request(method="DELETE", path=f"{CORE}/services/web")
    yield Case(name="delete a service", before=(post(f"{CORE}/services", service),), request=gone)
    yield Case(name="delete all", before=web, request=Request(method="DELETE", path=DEPLOYMENTS))
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    yield Case(name="review", request=post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review))


def all_cases() -> list[Case]:
    """Every request."""
    return [*created(), *patched(), *asked(), *changed()]


def encoded() -> Iterator[tuple[str, Obj]]:
    """Collections, and objects whose protobuf is recorded: with every shape that a field can have."""
    yield DEPLOYMENTS, RICH
    hooks = {"preStop": {"sleep": {"seconds": 3}}}
    probe = {"httpGet": {"port": "http", "httpHeaders": [{"name": "a", "value": "b"}]}, "initialDelaySeconds": 3}
    limits = {"resources": {"limits": {"cpu": "1500m", "memory": "1Gi"}}}
    spec = {"hostNetwork": True, "terminationGracePeriodSeconds": 9, "securityContext": {"runAsUser": 1000}}
    tolerations = [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}]
    yield (
        f"{CORE}/pods",
        pod("web", {**spec, "tolerations": tolerations}, lifecycle=hooks, livenessProbe=probe, **limits),
    )
    ports = [{"port": 80, "targetPort": "http", "name": "a"}, {"port": 443, "targetPort": 8443, "name": "b"}]
    yield f"{CORE}/services", {"metadata": {"name": "web"}, "spec": {"ports": ports, "selector": LABELS}}
    yield f"{CORE}/configmaps", {"metadata": {"name": "web"}, "data": {"a": "\u00e4"}, "binaryData": {"b": "AAEC"}}
    yield f"{CORE}/secrets", {"metadata": {"name": "web"}, "data": {"a": "AAEC"}}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claims: Obj = {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}], "serviceName": "web"}
    yield f"{APPS}/statefulsets", workload(**claims)
    rolling = {"rollingUpdate": {"maxSurge": "30%", "maxUnavailable": 0}}
    yield f"{APPS}/daemonsets", workload(updateStrategy=rolling, minReadySeconds=5)
