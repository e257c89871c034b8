"""What is to be looked at again when something changes: the watches of the real controllers.

pkg/controller/deployment/deployment_controller.go and its like (their event handlers), pkg/controller/endpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import is_ready, is_terminating, labels_of, status_of, uid_of
from kdeploy.sandbox.core.agenda import Agenda, Key
from kdeploy.sandbox.core.metadata import controller_uid, key_of
from kdeploy.sandbox.core.pods import phase_of
from kdeploy.sandbox.core.resources import (
    CONFIG_MAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    ENDPOINTS,
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
from kdeploy.sandbox.core.selection import has_all, selects
from kdeploy.sandbox.core.simulated import Kubelet
from kdeploy.sandbox.core.store import Event
from kdeploy.sandbox.core.view import View

ORDER = (PODS, REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS, DEPLOYMENTS, SERVICES, NAMESPACES)
"""Whose objects are looked at, and in which order: what owns others comes after them."""

_OWN_PODS = (REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS)
_BY_KIND = {resource.kind: resource for resource in (*_OWN_PODS, DEPLOYMENTS)}
_QUIET = (PODS, REPLICA_SETS, DEPLOYMENTS)


class Watch:
    """Marks on an agenda what each event concerns. `at_work` is the object that is being looked at just now."""

    def __init__(self, view: View, agenda: Agenda, kubelet: Kubelet) -> None:
        self._view, self._agenda, self._kubelet = view, agenda, kubelet
        self._unscheduled: dict[Key, None] = {}
        self.at_work: tuple[Resource, Key] | None = None

    def heed(self, event: Event) -> None:
        """Takes an event of the store."""
        heed = _HEED.get(event.resource)
        if heed is not None:
            heed(self, event)

    def pod(self, event: Event) -> None:
        """A pod concerns its kubelet, its owner, the services that select it, and the pods that want its room."""
        key, before, now = key_of(event.obj), event.previous, event.obj
        gone = event.type == "DELETED"
        if gone:
            self._kubelet.forget(uid_of(now))
            self.unscheduled()
        self._scheduling(key, None if gone else now)
        self._own(event)
        seen = None if before is None else _seen(before)
        if not gone and seen == _seen(now):
            return
        self._owner(now, REPLICA_SETS)
        if before is not None and controller_uid(before) != controller_uid(now):
            self._owner(before, REPLICA_SETS)
        self._orphan(now, _OWN_PODS)
        for service in self._view.list(SERVICES, key[0]):
            selector = service["spec"].get("selector")
            if selector and any(has_all(selector, labels_of(each)) for each in (now, before) if each is not None):
                self._agenda.mark(SERVICES, key_of(service))

    def owned(self, event: Event) -> None:
        """A ReplicaSet concerns itself and its Deployment."""
        self._own(event)
        self._owner(event.obj, DEPLOYMENTS)
        if event.previous is not None:
            self._owner(event.previous, DEPLOYMENTS)
        self._orphan(event.obj, (DEPLOYMENTS,))

    def own(self, event: Event) -> None:
        """Anything else concerns itself."""
        self._own(event)

    def node(self, event: Event) -> None:
        """A node concerns every DaemonSet and every pod that waits for one."""
        if (
            event.previous is not None
            and _node_seen(event.previous) == _node_seen(event.obj)
            and event.type != "DELETED"
        ):
            return
        for workload in self._view.list(DAEMON_SETS):
            self._agenda.mark(DAEMON_SETS, key_of(workload))
        self.unscheduled()

    def config(self, event: Event) -> None:
        """A ConfigMap or Secret concerns the pods that wait for one."""
        for key in self._kubelet.without_config(key_of(event.obj)[0]):
            self._agenda.mark(PODS, key)

    def account(self, event: Event) -> None:
        """A ServiceAccount concerns the workloads whose pods were refused."""
        if event.type == "ADDED":
            self._all(_OWN_PODS, key_of(event.obj)[0])

    def endpoints(self, event: Event) -> None:
        """Endpoints that somebody else changed are made right again."""
        if self.at_work is None or self.at_work[0] is not SERVICES:
            self._agenda.mark(SERVICES, key_of(event.obj))

    def unscheduled(self) -> None:
        """There may be room for the pods that no node took."""
        for key in self._unscheduled:
            self._agenda.mark(PODS, key)

    def _own(self, event: Event) -> None:
        """What its controller itself just wrote is no reason to look again, for those that write all at once."""
        mine = (event.resource, key_of(event.obj))
        if mine != self.at_work or event.resource not in _QUIET:
            self._agenda.mark(*mine)

    def _scheduling(self, key: Key, pod: Obj | None) -> None:
        if pod is not None and not pod["spec"].get("nodeName"):
            self._unscheduled[key] = None
        else:
            self._unscheduled.pop(key, None)

    def _owner(self, obj: Obj, default: Resource) -> None:
        for reference in obj["metadata"].get("ownerReferences") or ():
            if reference.get("controller"):
                self._agenda.mark(_BY_KIND.get(reference["kind"], default), (key_of(obj)[0], reference["name"]))

    def _orphan(self, obj: Obj, adopters: tuple[Resource, ...]) -> None:
        if controller_uid(obj) is not None or is_terminating(obj):
            return
        for resource in adopters:
            for workload in self._view.list(resource, key_of(obj)[0]):
                if selects(workload["spec"].get("selector"), labels_of(obj)):
                    self._agenda.mark(resource, key_of(workload))

    def _all(self, resources: tuple[Resource, ...], namespace: str) -> None:
        for resource in resources:
            for workload in self._view.list(resource, namespace):
                self._agenda.mark(resource, key_of(workload))


def _seen(pod: Obj) -> tuple[Any, ...]:
    """What others than its kubelet want to know of a pod."""
    metadata, status = pod["metadata"], status_of(pod)
    return (
        phase_of(pod),
        is_ready(pod),
        status.get("podIP"),
        metadata.get("deletionTimestamp"),
        metadata.get("labels"),
        metadata.get("ownerReferences"),
        pod["spec"].get("nodeName"),
    )


def _node_seen(node: Obj) -> tuple[Any, ...]:
    return labels_of(node), node["spec"], status_of(node).get("allocatable")


_HEED: dict[Resource, Callable[[Watch, Event], None]] = {
    PODS: Watch.pod,
    REPLICA_SETS: Watch.owned,
    STATEFUL_SETS: Watch.own,
    DAEMON_SETS: Watch.own,
    DEPLOYMENTS: Watch.own,
    SERVICES: Watch.own,
    NAMESPACES: Watch.own,
    NODES: Watch.node,
    CONFIG_MAPS: Watch.config,
    SECRETS: Watch.config,
    SERVICE_ACCOUNTS: Watch.account,
    ENDPOINTS: Watch.endpoints,
}
