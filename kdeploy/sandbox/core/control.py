"""The control loop: looks at what has changed until nothing changes any more, and says when to look again.

Pods come first, then what owns them, then what owns that, so that each look is at a state that has come to rest. Each
controller is a function from what is there to what is to change; only this module writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from kdeploy.model import Obj
from kdeploy.sandbox.core import answers, daemonset, deployment, endpoints, replicaset, scheduler, statefulset
from kdeploy.sandbox.core.admission import DEFAULT_ACCOUNT
from kdeploy.sandbox.core.agenda import Agenda, Key
from kdeploy.sandbox.core.changes import Change, Create, Replace, SetStatus, Step, Tell
from kdeploy.sandbox.core.images import ImageInfo, Images
from kdeploy.sandbox.core.metadata import key_of
from kdeploy.sandbox.core.recorder import Recorder
from kdeploy.sandbox.core.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    RESOURCES,
    SERVICE_ACCOUNTS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)
from kdeploy.sandbox.core.simulated import IsProcess, Kubelet
from kdeploy.sandbox.core.store import Event, Store
from kdeploy.sandbox.core.view import View
from kdeploy.sandbox.core.watching import ORDER, Watch

_MOST = 1_000_000
"""Looks at one moment: more than that is a bug, not a cluster."""


def nobody(_: Obj, __: Sequence[ImageInfo]) -> bool:
    """Every pod is simulated."""
    return False


class Controllers:
    """The controllers, the scheduler and the simulated kubelet of a store.

    `images` looks images up; `is_process(pod, images)` tells which pods another kubelet runs as processes: these are
    bound to a node and annotated, and then left alone. Call `settle` after every write to the store, and when the time
    has come that it returned.
    """

    def __init__(self, store: Store, *, images: Images, is_process: IsProcess = nobody) -> None:
        self._store = store
        self._view = View(store)
        self._kubelet = Kubelet(self._view, images, is_process)
        self._recorder = Recorder(store)
        self._agenda = Agenda(ORDER)
        self._watch = Watch(self._view, self._agenda, self._kubelet)
        for resource in RESOURCES:
            for obj in store.list(resource):
                self._watch.heed(Event("ADDED", resource, obj, store.version, None))
        store.subscribe(self._watch.heed)

    def settle(self, now: float) -> float | None:
        """Makes all changes that are due now (Unix seconds); returns when there will be more, None where never."""
        self._recorder.forget_old(now)
        for _ in range(_MOST):
            item = self._agenda.take(now)
            if item is None:
                return self._agenda.next()
            resource, key = self._watch.at_work = item
            step = self._look(resource, key, now)
            self._agenda.wake(resource, key, step.wake)
            for change in step.changes:
                self._apply(change, now)
            self._watch.at_work = None
        raise RuntimeError("the controllers do not come to rest")

    def images_changed(self) -> None:
        """Says that `images` knows more than it did: pods whose images were not known are looked at again."""
        for key in self._kubelet.without_image():
            self._agenda.mark(PODS, key)

    def answer(self, pod: Obj, port: int, path: str, now: float) -> answers.Reply | answers.NoReply:
        """What a request to a simulated pod gets."""
        run = self._kubelet.run_of(pod)
        if run is None:
            return answers.NoReply(why="the pod does not run")
        serves = partial(endpoints.has_ready, self._view.get, pod["metadata"]["namespace"])
        return answers.answer(run, pod, port, path, now, serves)

    def log(self, pod: Obj, container: str, *, previous: bool = False) -> list[answers.Line] | None:
        """The log of a simulated pod's container; None where it has not run (or had no run before)."""
        run = self._kubelet.run_of(pod)
        return None if run is None else answers.log(run, container, previous=previous)

    def _look(self, resource: Resource, key: Key, now: float) -> Step:
        obj = self._store.get(resource, *key)
        if obj is None:
            return endpoints.forget(self._view, *key) if resource is SERVICES else Step()
        if resource is PODS:
            return self._pod(obj, now)
        if resource is SERVICES:
            return endpoints.reconcile(self._view, obj)
        if resource is NAMESPACES:
            return self._namespace(obj)
        return _RECONCILE[resource](self._view, obj, now)

    def _pod(self, pod: Obj, now: float) -> Step:
        if pod["spec"].get("nodeName"):
            return self._kubelet.reconcile(pod, now)
        step = scheduler.reconcile(self._view, self._kubelet.with_kind(pod), now)
        if any(isinstance(change, Replace) for change in step.changes):
            self._agenda.mark(PODS, key_of(pod))
        return step

    def _namespace(self, namespace: Obj) -> Step:
        name = namespace["metadata"]["name"]
        if self._view.get(SERVICE_ACCOUNTS, name, DEFAULT_ACCOUNT) is not None:
            return Step()
        account = {"metadata": {"name": DEFAULT_ACCOUNT, "namespace": name}}
        return Step((Create(SERVICE_ACCOUNTS, account),))

    def _apply(self, change: Change, now: float) -> None:
        if isinstance(change, Tell):
            self._recorder.tell(change, now)
        elif isinstance(change, SetStatus):
            namespace, name = key_of(change.obj)
            new = {"metadata": {"namespace": namespace, "name": name}, "status": change.status}
            self._store.replace(change.resource, new, now, subresource="status")
        elif isinstance(change, Replace):
            self._store.replace(change.resource, change.obj, now, subresource=change.subresource)
        elif isinstance(change, Create):
            self._store.create(change.resource, change.obj, now)
        elif self._store.get(change.resource, *key_of(change.obj)) is not None:
            self._store.delete(change.resource, *key_of(change.obj), now, grace=change.grace)


_RECONCILE = {
    DEPLOYMENTS: deployment.reconcile,
    REPLICA_SETS: replicaset.reconcile,
    STATEFUL_SETS: statefulset.reconcile,
    DAEMON_SETS: daemonset.reconcile,
}
