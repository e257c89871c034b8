"""The DaemonSet controller: one pod on each node that is to have one. Pure.

After pkg/controller/daemon: daemon_controller.go (manage, updateDaemonSetStatus), update.go (rollingUpdate).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import annotations_of, is_ready, is_terminating, labels_of, name_of, status_of, uid_of
from kdeploy.rollout.revisions import POD_REVISION_LABEL
from kdeploy.sandbox.core.admission import refusal
from kdeploy.sandbox.core.changes import Change, Create, Delete, SetStatus, Step, Tell
from kdeploy.sandbox.core.claims import claim
from kdeploy.sandbox.core.history import History, observe
from kdeploy.sandbox.core.metadata import TEMPLATE_GENERATION
from kdeploy.sandbox.core.nodes import matches, untolerated
from kdeploy.sandbox.core.pods import from_template, is_available, min_ready_seconds, next_available, phase_of
from kdeploy.sandbox.core.replicaset import RETRY
from kdeploy.sandbox.core.resources import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from kdeploy.sandbox.core.rolling import history_limit, scaled
from kdeploy.sandbox.core.templates import admitted_spec
from kdeploy.sandbox.core.view import View

_COMPONENT = "daemonset-controller"
_GENERATION_LABEL = "pod-template-generation"
_TOLERATIONS: list[Obj] = [
    {"key": f"node.kubernetes.io/{problem}", "operator": "Exists", "effect": effect}
    for problem, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    )
]


@dataclass(frozen=True, slots=True)
class _Place:
    """A node and this DaemonSet's pods on it, oldest first. `wanted`: one is to run there; `kept`: one may stay."""

    name: str
    pods: tuple[Obj, ...]
    wanted: bool
    kept: bool


@dataclass(slots=True)
class _Look:
    """One look at a DaemonSet, and what is to do."""

    workload: Obj
    now: float
    hash: str
    places: list[_Place]
    deletes: list[Obj] = field(default_factory=list)
    creates: list[str] = field(default_factory=list)
    told: list[Change] = field(default_factory=list)

    def available(self, pod: Obj) -> bool:
        return is_available(pod, min_ready_seconds(self.workload), self.now)

    def updated(self, pod: Obj) -> bool:
        generation = annotations_of(self.workload).get(TEMPLATE_GENERATION)
        labels = labels_of(pod)
        same_generation = generation is not None and labels.get(_GENERATION_LABEL) == generation
        return labels.get(POD_REVISION_LABEL) == self.hash or same_generation


def reconcile(view: View, workload: Obj, now: float) -> Step:
    """What is to change for a DaemonSet, and when the next pod becomes available."""
    if is_terminating(workload):
        return Step()
    namespace, uid = workload["metadata"]["namespace"], uid_of(workload)
    pods, claims = claim(workload, PODS, view.owned_by(uid, PODS), view.orphans(PODS, namespace))
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

    def free_name(index: int) -> str:
        return view.free_name(PODS, namespace, f"{name_of(workload)}-", index)

    spec, name = workload["spec"]["template"]["spec"], f"{name_of(workload)}-"
    refused = refusal(view.get, namespace, name, spec)
    history = observe(workload, revisions, view.templates, named, POD_REVISION_LABEL)
    return decide(workload, pods, view.list(NODES), history, now, refused, free_name)


def decide(
    workload: Obj,
    pods: Sequence[Obj],
    nodes: Sequence[Obj],
    history: History,
    now: float,
    refused: str | None,
    free_name: Callable[[int], str],
) -> Step:
    """What is to change, given its own pods and revisions, and all nodes.

    `refused` is why a pod may not be created, `free_name` gives a name for the nth new pod.
    """
    look = _Look(workload, now, labels_of(history.current)[POD_REVISION_LABEL], _places(workload, pods, nodes))
    _manage(look)
    surge, unavailable = _bounds(look)
    if not look.creates and not look.deletes and _is_rolling(workload):
        (_surge if surge else _replace)(look, surge or unavailable)
    changes: list[Change] = [*history.changes, *look.told]
    was_refused = bool(look.creates) and refused is not None
    if was_refused:
        message = f"Error creating: {refused}"
        changes.append(Tell(workload, "FailedCreate", message, _COMPONENT, type="Warning"))
    else:
        changes += _created(look, free_name)
    changes += _deleted(look)
    changes += _truncated(look, history)
    status = _status(look, history)
    if status != status_of(workload):
        changes.append(SetStatus(DAEMON_SETS, workload, status))
    wake = now + RETRY if was_refused else next_available(pods, min_ready_seconds(workload), now)
    return Step(changes, wake)


def _places(workload: Obj, pods: Sequence[Obj], nodes: Sequence[Obj]) -> list[_Place]:
    on: dict[str, list[Obj]] = {}
    for pod in sorted(
        pods, key=lambda p: (not p["spec"].get("nodeName"), p["metadata"]["creationTimestamp"], name_of(p))
    ):
        on.setdefault(_target(pod), []).append(pod)
    spec = workload["spec"]["template"]["spec"]
    tolerations = [*(spec.get("tolerations") or ()), *_TOLERATIONS]
    places = []
    for node in nodes:
        name = name_of(node)
        fits = spec.get("nodeName") in (None, "", name) and matches(spec, node)
        wanted = fits and not untolerated(tolerations, node, ("NoSchedule", "NoExecute"))
        kept = fits and not untolerated(tolerations, node, ("NoExecute",))
        places.append(_Place(name, tuple(on.get(name, ())), wanted, kept))
    return places


def _target(pod: Obj) -> str:
    """The node of a pod, or the one that it is made for."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity")) or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or ()
    fields = (each for term in terms for each in term.get("matchFields") or () if each.get("key") == "metadata.name")
    return next((str(each["values"][0]) for each in fields if each.get("values")), "")


def _manage(look: _Look) -> None:
    """Makes the pods that are missing, and ends those that have failed or are too many."""
    for place in look.places:
        running = [pod for pod in place.pods if not is_terminating(pod)]
        if place.wanted and not place.pods:
            look.creates.append(place.name)
        elif place.kept:
            ended = [pod for pod in running if phase_of(pod) in ("Failed", "Succeeded")]
            for pod in ended:
                _tell_ended(look, pod, place.name)
            look.deletes += ended
            _prune(look, place, [pod for pod in running if pod not in ended])
        else:
            look.deletes += running


def _prune(look: _Look, place: _Place, running: list[Obj]) -> None:
    """One pod a node; with surge an old one and a new one, until the new one is available."""
    if _bounds_for(look.workload, 1)[0] == 0:
        look.deletes += running[1:]
        return
    if not running and place.wanted:
        look.creates.append(place.name)
    new = [pod for pod in running if labels_of(pod).get(POD_REVISION_LABEL) == look.hash]
    old = [pod for pod in running if labels_of(pod).get(POD_REVISION_LABEL) != look.hash]
    look.deletes += [*new[1:], *old[1:]]
    if new and old and (not is_ready(old[0]) or look.available(new[0])):
        look.deletes.append(old[0])


def _tell_ended(look: _Look, pod: Obj, node: str) -> None:
    where = f"daemon pod {pod['metadata']['namespace']}/{name_of(pod)} on node {node}"
    if phase_of(pod) == "Failed":
        message = f"Found failed {where}, will try to kill it"
        look.told.append(Tell(look.workload, "FailedDaemonPod", message, _COMPONENT, type="Warning"))
    else:
        message = f"Found succeeded {where}, will try to delete it"
        look.told.append(Tell(look.workload, "SucceededDaemonPod", message, _COMPONENT))


def _replace(look: _Look, unavailable: int) -> None:
    """Ends old pods: those of no use, and as many others as may be unavailable. New ones come when they are gone."""
    missing, useless, candidates = 0, list[Obj](), list[Obj]()
    for place in look.places:
        if not place.pods and not place.wanted:
            continue
        new, old, clear = _new_and_old(look, place)
        if not clear or (new is None) == (old is None):
            missing += 1
        elif new is not None:
            missing += not look.available(new)
        elif old is not None and not look.available(old):
            useless.append(old)
            missing += 1
        elif old is not None:
            candidates.append(old)
    look.deletes += [*useless, *candidates[: max(unavailable - missing, 0)]]


def _surge(look: _Look, surge: int) -> None:
    """Makes new pods beside old ones, and ends an old one when its new one is available."""
    waiting, urgent, candidates = 0, list[str](), list[str]()
    for place in look.places:
        new, old, clear = _new_and_old(look, place)
        if not clear:
            waiting += 1
        elif old is None:
            continue
        elif new is not None:
            if look.available(new):
                look.deletes.append(old)
            else:
                waiting += 1
        elif place.wanted:
            (candidates if look.available(old) else urgent).append(place.name)
        elif not look.available(old):
            look.deletes.append(old)
    look.creates += [*urgent, *candidates[: max(surge - waiting, 0)]]


def _new_and_old(look: _Look, place: _Place) -> tuple[Obj | None, Obj | None, bool]:
    """The node's new pod and its old one; False where there is more than one of either."""
    running = [pod for pod in place.pods if not is_terminating(pod)]
    new = [pod for pod in running if look.updated(pod)]
    old = [pod for pod in running if not look.updated(pod)]
    return new[0] if new else None, old[0] if old else None, len(new) <= 1 and len(old) <= 1


def _is_rolling(workload: Obj) -> bool:
    return (workload["spec"].get("updateStrategy") or {}).get("type") != "OnDelete"


def _bounds(look: _Look) -> tuple[int, int]:
    wanted = sum(place.wanted for place in look.places)
    surge, unavailable = _bounds_for(look.workload, wanted)
    return surge, unavailable if surge or unavailable else 1


def _bounds_for(workload: Obj, nodes: int) -> tuple[int, int]:
    if not _is_rolling(workload):
        return 0, 0
    rolling = (workload["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    surge = scaled(rolling.get("maxSurge"), nodes, up=True, default=0)
    return surge, scaled(rolling.get("maxUnavailable"), nodes, up=True, default=1)


def _created(look: _Look, free_name: Callable[[int], str]) -> list[Change]:
    workload, changes = look.workload, list[Change]()
    labels = {POD_REVISION_LABEL: look.hash}
    generation = annotations_of(workload).get(TEMPLATE_GENERATION)
    if generation is not None:
        labels[_GENERATION_LABEL] = generation
    template, prefix = workload["spec"]["template"], f"{name_of(workload)}-"
    tolerations = [*(template["spec"].get("tolerations") or ()), *_TOLERATIONS]
    for index, node in enumerate(look.creates):
        name, affinity = free_name(index), _only_on(template["spec"].get("affinity") or {}, node)
        spec = admitted_spec({**template["spec"], "affinity": affinity, "tolerations": tolerations})
        changes.append(Create(PODS, from_template(template, workload, name, spec, labels=labels, generate=prefix)))
        changes.append(Tell(workload, "SuccessfulCreate", f"Created pod: {name}", _COMPONENT))
    return changes


def _only_on(affinity: Obj, node: str) -> Obj:
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {**affinity, "nodeAffinity": {**(affinity.get("nodeAffinity") or {}), **required}}


def _deleted(look: _Look) -> list[Change]:
    changes: list[Change] = []
    for pod in look.deletes:
        changes.append(Delete(PODS, pod))
        changes.append(Tell(look.workload, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", _COMPONENT))
    return changes


def _truncated(look: _Look, history: History) -> list[Change]:
    """Deletes the oldest revisions beyond the limit, but not one that a pod has."""
    old = [each for each in history.revisions if each is not history.current]
    live = {labels_of(pod).get(POD_REVISION_LABEL) for place in look.places for pod in place.pods}
    dead = [each for each in old if labels_of(each).get(POD_REVISION_LABEL) not in live]
    return [Delete(CONTROLLER_REVISIONS, each) for each in dead[: max(len(old) - history_limit(look.workload), 0)]]


def _status(look: _Look, history: History) -> Obj:
    places = [place for place in look.places if place.wanted]
    first = [place.pods[0] for place in places if place.pods]
    available = sum(map(look.available, first))
    status: dict[str, Any] = {
        "desiredNumberScheduled": len(places),
        "currentNumberScheduled": len(first),
        "numberMisscheduled": sum(bool(place.pods) for place in look.places if not place.wanted),
        "numberReady": sum(map(is_ready, first)),
    }
    counts = {
        "observedGeneration": look.workload["metadata"]["generation"],
        "updatedNumberScheduled": sum(map(look.updated, first)),
        "numberAvailable": available,
        "numberUnavailable": len(places) - available,
        "collisionCount": history.collisions,
    }
    return status | {key: count for key, count in counts.items() if count}
