"""The StatefulSet controller: pods with ordinals, made and replaced in order. Pure.

After pkg/controller/statefulset: stateful_set_control.go (updateStatefulSet) and stateful_set_utils.go. Claims of
volumes are named in the pods and not made: every volume counts as there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import is_ready, is_terminating, labels_of, name_of, status_of, uid_of
from kdeploy.rollout.revisions import POD_REVISION_LABEL
from kdeploy.sandbox.core.admission import refusal
from kdeploy.sandbox.core.changes import Change, Create, Delete, SetStatus, Step, Tell
from kdeploy.sandbox.core.claims import claim
from kdeploy.sandbox.core.history import History, observe, truncated
from kdeploy.sandbox.core.pods import from_template, is_available, min_ready_seconds, next_available, phase_of
from kdeploy.sandbox.core.replicaset import RETRY
from kdeploy.sandbox.core.resources import CONTROLLER_REVISIONS, PODS, STATEFUL_SETS
from kdeploy.sandbox.core.rolling import history_limit, replicas_of
from kdeploy.sandbox.core.templates import admitted_spec, restored
from kdeploy.sandbox.core.view import View

_COMPONENT = "statefulset-controller"
_HASH_LABEL = "controller.kubernetes.io/hash"
_POD_NAME = "statefulset.kubernetes.io/pod-name"
_POD_INDEX = "apps.kubernetes.io/pod-index"
_ORDINAL = re.compile(r"(.*)-([0-9]+)")


@dataclass(slots=True)
class _Look:
    """One look at a set: its pods by ordinal (None where there is none), those that are too many, and what is to do."""

    workload: Obj
    now: float
    replicas: list[Obj | None]
    condemned: list[Obj]
    current: Obj
    update: Obj
    refused: Callable[[str, Obj], str | None]
    changes: list[Change] = field(default_factory=list)
    deleted_current: int = 0
    was_refused: bool = False

    @property
    def start(self) -> int:
        return int((self.workload["spec"].get("ordinals") or {}).get("start") or 0)

    @property
    def ordered(self) -> bool:
        return bool(self.workload["spec"].get("podManagementPolicy") != "Parallel")

    def available(self, pod: Obj | None) -> bool:
        return pod is not None and is_available(pod, min_ready_seconds(self.workload), self.now)

    def delete(self, pod: Obj) -> None:
        self.changes.append(Delete(PODS, pod))
        self._tell("SuccessfulDelete", f"delete Pod {name_of(pod)} in StatefulSet {name_of(self.workload)} successful")

    def create(self, ordinal: int) -> None:
        pod = _new_pod(self.workload, self.current, self.update, ordinal)
        name, owner = name_of(pod), name_of(self.workload)
        refusal_ = self.refused(name, pod["spec"])
        if refusal_ is None:
            self.changes.append(Create(PODS, pod))
            self._tell("SuccessfulCreate", f"create Pod {name} in StatefulSet {owner} successful")
        else:
            self.was_refused = True
            message = f"create Pod {name} in StatefulSet {owner} failed error: {refusal_}"
            self.changes.append(Tell(self.workload, "FailedCreate", message, _COMPONENT, type="Warning"))

    def _tell(self, reason: str, message: str) -> None:
        self.changes.append(Tell(self.workload, reason, message, _COMPONENT))


def reconcile(view: View, workload: Obj, now: float) -> Step:
    """What is to change for a StatefulSet, and when the next pod becomes available."""
    namespace, uid = workload["metadata"]["namespace"], uid_of(workload)
    members = [pod for pod in view.orphans(PODS, namespace) if _parent(pod)[0] == name_of(workload)]
    pods, claims = claim(workload, PODS, view.owned_by(uid, PODS), members)
    revisions, revision_claims = claim(
        workload,
        CONTROLLER_REVISIONS,
        view.owned_by(uid, CONTROLLER_REVISIONS),
        view.orphans(CONTROLLER_REVISIONS, namespace),
    )
    if claims or revision_claims:
        return Step([*claims, *revision_claims], now)

    def named(name: str) -> Obj | None:
        return view.get(CONTROLLER_REVISIONS, namespace, name)

    def refused(name: str, spec: Obj) -> str | None:
        taken = view.get(PODS, namespace, name) is not None
        return f'pods "{name}" already exists' if taken else refusal(view.get, namespace, name, spec)

    return decide(workload, pods, observe(workload, revisions, view.templates, named, _HASH_LABEL), now, refused)


def decide(
    workload: Obj, pods: Sequence[Obj], history: History, now: float, refused: Callable[[str, Obj], str | None]
) -> Step:
    """What is to change, given its own pods and revisions.

    `refused` tells why a pod of a name and spec may not be created.
    """
    update = history.current
    wanted = status_of(workload).get("currentRevision")
    current = next((each for each in history.revisions if name_of(each) == wanted), update)
    look = _begin(workload, pods, current, update, now, refused)
    if not is_terminating(workload) and not _fill(look) and not _shrink(look):
        _update(look)
    status = _status(look, pods, history)
    changes: list[Change] = [*history.changes, *look.changes]
    if status != status_of(workload):
        changes.append(SetStatus(STATEFUL_SETS, workload, status))
    live = {name_of(current), name_of(update), *(_revision(pod) for pod in pods)}
    changes += truncated(history, live, history_limit(workload))
    wake = now + RETRY if look.was_refused else next_available(pods, min_ready_seconds(workload), now)
    return Step(changes, wake)


def _begin(
    workload: Obj,
    pods: Sequence[Obj],
    current: Obj,
    update: Obj,
    now: float,
    refused: Callable[[str, Obj], str | None],
) -> _Look:
    look = _Look(workload, now, [None] * replicas_of(workload), [], current, update, refused)
    for pod in pods:
        index = _parent(pod)[1] - look.start
        if 0 <= index < len(look.replicas):
            look.replicas[index] = pod
        elif _parent(pod)[1] >= 0:
            look.condemned.append(pod)
    look.condemned.sort(key=lambda pod: -_parent(pod)[1])
    return look


def _fill(look: _Look) -> bool:
    """Makes what is missing, and replaces what has ended. True where the rest has to wait for that.

    In order, each pod waits until all before it are available.
    """
    waits = False
    for index, pod in enumerate(look.replicas):
        if pod is None:
            look.create(look.start + index)
        elif phase_of(pod) in ("Failed", "Succeeded"):
            if not is_terminating(pod):
                look.delete(pod)
        elif not look.ordered or (not is_terminating(pod) and _runs(pod) and look.available(pod)):
            continue
        waits = waits or look.ordered or look.was_refused
        if waits:
            break
    return waits


def _shrink(look: _Look) -> bool:
    """Deletes the pods that are too many, from the last; in order, each waits for the one before, and for all others.

    True where the rest has to wait.
    """
    if not look.ordered:
        for pod in look.condemned:
            if not is_terminating(pod):
                look.delete(pod)
        return False
    everyone = [*look.replicas, *reversed(look.condemned)]
    first_broken = next((p for p in everyone if not look.available(p) or (p is not None and is_terminating(p))), None)
    for pod in look.condemned[:1]:
        healthy = _runs(pod) and look.available(pod)
        if not is_terminating(pod) and (healthy or pod is first_broken):
            look.delete(pod)
    return bool(look.condemned)


def _update(look: _Look) -> None:
    """Deletes the last pod of another revision, unless one after it is not available yet: a broken pod blocks."""
    strategy = look.workload["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    for pod in reversed(look.replicas[partition:]):
        if pod is None:
            return
        if _revision(pod) != name_of(look.update) and not is_terminating(pod):
            look.delete(pod)
            look.deleted_current = 1
            return
        if not look.available(pod) or is_terminating(pod):
            return


def _status(look: _Look, pods: Sequence[Obj], history: History) -> Obj:
    workload, current, update = look.workload, name_of(look.current), name_of(look.update)
    revisions = [_revision(pod) for pod in pods if not is_terminating(pod)]
    replicas, ready, updated = len(pods), sum(map(_runs, pods)), revisions.count(update)
    counts = {
        "readyReplicas": ready,
        "currentReplicas": revisions.count(current) - look.deleted_current,
        "updatedReplicas": updated,
        "observedGeneration": workload["metadata"]["generation"],
    }
    rolling = (workload["spec"].get("updateStrategy") or {}).get("type") != "OnDelete"
    if rolling and updated == ready == replicas == replicas_of(workload):
        current, counts["currentReplicas"] = update, updated
    status: dict[str, Any] = {key: count for key, count in counts.items() if count}
    status |= {
        "replicas": replicas,
        "availableReplicas": sum(map(look.available, pods)),
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": history.collisions,
    }
    return status


def _new_pod(workload: Obj, current: Obj, update: Obj, ordinal: int) -> Obj:
    """The pod of an ordinal, at the revision that it is to have: below the partition it stays at the current one.

    A RollingUpdate that says no more than that keeps as many pods as have it (newVersionedStatefulSetPod).
    """
    start = int((workload["spec"].get("ordinals") or {}).get("start") or 0)
    strategy = workload["spec"].get("updateStrategy") or {}
    kept = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    if strategy.get("type") == "RollingUpdate" and strategy.get("rollingUpdate") is None:
        kept = int(status_of(workload).get("currentReplicas") or 0)
    revision = current if ordinal < start + kept else update
    name = f"{name_of(workload)}-{ordinal}"
    template = restored(revision)
    own = {"hostname": name, "subdomain": workload["spec"].get("serviceName") or ""}
    claims = [_volume(each, workload, ordinal) for each in workload["spec"].get("volumeClaimTemplates") or ()]
    if claims:
        named = {each["name"] for each in claims}
        own["volumes"] = claims + [v for v in template["spec"].get("volumes") or () if v["name"] not in named]
    labels = {POD_REVISION_LABEL: name_of(revision), _POD_NAME: name, _POD_INDEX: str(ordinal)}
    return from_template(template, workload, name, admitted_spec({**template["spec"], **own}), labels=labels)


def _volume(template: Obj, workload: Obj, ordinal: int) -> Obj:
    name = template["metadata"]["name"]
    return {"name": name, "persistentVolumeClaim": {"claimName": f"{name}-{name_of(workload)}-{ordinal}"}}


def _parent(pod: Obj) -> tuple[str, int]:
    """The set's name and the ordinal in a pod's name; ("", -1) where there are none."""
    match = _ORDINAL.fullmatch(name_of(pod))
    return (match[1], int(match[2])) if match else ("", -1)


def _revision(pod: Obj) -> str:
    return labels_of(pod).get(POD_REVISION_LABEL, "")


def _runs(pod: Obj) -> bool:
    return phase_of(pod) == "Running" and is_ready(pod)
