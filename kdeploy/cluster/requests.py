"""The requests about one target, as data; transport.py sends them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from kdeploy.cluster import paths
from kdeploy.cluster.stream import Resource
from kdeploy.cluster.transport import Purpose, Request
from kdeploy.model import Obj, Operation, Permission, Target

FIELD_MANAGER = "kdeploy"
JSON_PATCH = "application/json-patch+json"
LOG_LIMIT_BYTES = 64 * 1024


def get_workload(target: Target, purpose: Purpose = Purpose.STORY) -> Request:
    """GET of the workload."""
    doing = Permission(
        verb="get", resource=target.kind.plural, group="apps", namespace=target.namespace, name=target.name
    )
    return Request(method="GET", path=paths.workload(target), doing=doing, purpose=purpose)


def get_namespace(name: str) -> Request:
    """GET of a namespace, to learn whether it exists."""
    doing = Permission(verb="get", resource="namespaces", name=name)
    return Request(
        method="GET", path=f"{paths.CORE}/namespaces/{quote(name, safe='')}", doing=doing, purpose=Purpose.PREFLIGHT
    )


def rules_review(namespace: str) -> Request:
    """Asks the API server for all that this user may do in a namespace, as far as it can list that."""
    return _review("SelfSubjectRulesReview", {"namespace": namespace})


def access_review(asked: Permission) -> Request:
    """Asks the API server whether this user may do one thing."""
    resource, _, subresource = asked.resource.partition("/")
    attributes = {
        "namespace": asked.namespace,
        "verb": asked.verb,
        "group": asked.group,
        "resource": resource,
        "subresource": subresource,
        "name": asked.name,
    }
    return _review("SelfSubjectAccessReview", {"resourceAttributes": {k: v for k, v in attributes.items() if v}})


def _review(kind: str, spec: Obj) -> Request:
    plural = f"{kind.lower()}s"
    return Request(
        method="POST",
        path=f"/apis/authorization.k8s.io/v1/{plural}",
        doing=Permission(verb="create", resource=plural, group="authorization.k8s.io"),
        body={"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec},
        purpose=Purpose.PREFLIGHT,
    )


def workload_resource(target: Target) -> Resource:
    """The one workload as a collection that can be listed and watched."""
    return Resource(
        path=paths.collection(paths.APPS, target.namespace, target.kind.plural),
        doing=Permission(verb="list", resource=target.kind.plural, group="apps", namespace=target.namespace),
        query=(("fieldSelector", f"metadata.name={target.name}"),),
    )


def list_workloads(target: Target) -> Request:
    """LIST of all workloads of the target's kind in its namespace."""
    return replace(workload_resource(target).list_request(Purpose.PREFLIGHT), query=())


def revisions_resource(target: Target, workload: Obj) -> Resource:
    """The ReplicaSets or ControllerRevisions that the workload's selector finds."""
    plural = target.kind.revisions_plural
    return Resource(
        path=paths.collection(paths.APPS, target.namespace, plural),
        doing=Permission(verb="list", resource=plural, group="apps", namespace=target.namespace),
        query=_labels(workload),
    )


def pods_resource(target: Target, workload: Obj) -> Resource:
    """The pods that the workload's selector finds."""
    return Resource(
        path=paths.collection(paths.CORE, target.namespace, "pods"),
        doing=Permission(verb="list", resource="pods", namespace=target.namespace),
        query=_labels(workload),
    )


def _labels(workload: Obj) -> tuple[tuple[str, str], ...]:
    return (("labelSelector", paths.selector((workload.get("spec") or {}).get("selector") or {})),)


def patch_workload(target: Target, operations: Sequence[Operation], *, dry_run: bool) -> Request:
    """PATCH of the workload with JSON Patch operations."""
    return _patch(paths.workload(target), target, target.kind.plural, target.name, operations, dry_run=dry_run)


def patch_revision(target: Target, name: str, operations: Sequence[Operation]) -> Request:
    """PATCH of one of the workload's revisions."""
    plural = target.kind.revisions_plural
    path = f"{paths.collection(paths.APPS, target.namespace, plural)}/{quote(name, safe='')}"
    return _patch(path, target, plural, name, operations, dry_run=False)


def _patch(
    path: str, target: Target, plural: str, name: str, operations: Sequence[Operation], *, dry_run: bool
) -> Request:
    return Request(
        method="PATCH",
        path=path,
        doing=Permission(verb="patch", resource=plural, group="apps", namespace=target.namespace, name=name),
        query=(("fieldManager", FIELD_MANAGER), *((("dryRun", "All"),) if dry_run else ())),
        body=list(operations),
        content_type=JSON_PATCH,
    )


def delete_pod(target: Target, name: str, uid: str) -> Request:
    """DELETE of a pod if it still has that uid, with its own grace period."""
    return Request(
        method="DELETE",
        path=f"{paths.collection(paths.CORE, target.namespace, 'pods')}/{quote(name, safe='')}",
        doing=Permission(verb="delete", resource="pods", namespace=target.namespace, name=name),
        body={"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}},
    )


def pod_events(target: Target, pod: str) -> Request:
    """LIST of the Kubernetes events about a pod."""
    return Request(
        method="GET",
        path=paths.collection(paths.CORE, target.namespace, "events"),
        doing=Permission(verb="list", resource="events", namespace=target.namespace),
        query=(("fieldSelector", f"involvedObject.kind=Pod,involvedObject.name={pod}"),),
    )


def log_tail(target: Target, pod: str, container: str, *, previous: bool, lines: int) -> Request:
    """GET of the last lines of a container's log."""
    query = {"container": container, "tailLines": str(lines), "limitBytes": str(LOG_LIMIT_BYTES)}
    return Request(
        method="GET",
        path=f"{paths.collection(paths.CORE, target.namespace, 'pods')}/{quote(pod, safe='')}/log",
        doing=Permission(verb="get", resource="pods/log", namespace=target.namespace, name=pod),
        query=(*query.items(), *((("previous", "true"),) if previous else ())),
    )


def through_proxy(
    target: Target, pod: str, port: int, scheme: str, path_and_query: str, headers: Mapping[str, str]
) -> Request:
    """GET of a path of a pod's port through the API server."""
    return Request(
        method="GET",
        path=paths.pod_proxy(target.namespace, pod, port, scheme, path_and_query),
        doing=Permission(verb="get", resource="pods/proxy", namespace=target.namespace, name=pod),
        headers=headers,
        purpose=Purpose.CHECK,
    )
