"""The Deployment controller: one look at a Deployment and its ReplicaSets, and what is to change. Pure.

After pkg/controller/deployment: deployment_controller.go (syncDeployment), sync.go, rolling.go and recreate.go. What
the real one writes in several requests of one look is one change here: what comes out is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kdeploy.model import Obj
from kdeploy.rollout.objects import annotations_of, is_terminating, name_of, status_of, uid_of
from kdeploy.rollout.revisions import REVISION_ANNOTATION
from kdeploy.sandbox.core import conditions, progress
from kdeploy.sandbox.core.changes import Change, Create, Delete, Replace, SetStatus, Step, Tell
from kdeploy.sandbox.core.claims import claim
from kdeploy.sandbox.core.metadata import stamped
from kdeploy.sandbox.core.pods import phase_of
from kdeploy.sandbox.core.replicasets import (
    DESIRED,
    MOST,
    annotated_size,
    annotations_for,
    by_age,
    find_new,
    is_saturated,
    made,
    revision_of,
    size_annotations,
)
from kdeploy.sandbox.core.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from kdeploy.sandbox.core.rolling import (
    bounds,
    history_limit,
    is_rolling,
    new_size,
    progress_deadline,
    proportions,
    replicas_of,
)
from kdeploy.sandbox.core.selection import is_everything
from kdeploy.sandbox.core.templates import Templates, hash_of
from kdeploy.sandbox.core.view import View

_COMPONENT = "deployment-controller"


@dataclass(slots=True)
class _Look:
    """One look: what was found, and what is to become of it. Names are ReplicaSets'; `size` is what each is to have."""

    deployment: Obj
    now: float
    new: Obj | None
    old: list[Obj]
    conditions: list[Obj]
    surge: int
    unavailable: int
    desired: int
    size: dict[str, int]
    annotations: dict[str, dict[str, str]] = field(default_factory=dict)
    created: bool = False
    collisions: int | None = None
    revision: str | None = None
    told: list[Change] = field(default_factory=list)
    deleted: list[Change] = field(default_factory=list)

    @property
    def sets(self) -> list[Obj]:
        return [*self.old, self.new] if self.new is not None else self.old

    def tell(self, reason: str, message: str) -> None:
        self.told.append(Tell(self.deployment, reason, message, _COMPONENT))

    def resize(self, replica_set: Obj, size: int, *, annotate: bool = False) -> bool:
        """Gives it that size, and says so. `annotate` keeps up its size annotations where the size stays."""
        name, before = name_of(replica_set), self.size[name_of(replica_set)]
        if before == size and not annotate:
            return False
        kept = self.annotations.get(name) or dict(annotations_of(replica_set))
        self.annotations[name] = {**kept, **size_annotations(self.desired, self.surge)}
        if before == size:
            return False
        self.size[name] = size
        way = "up" if before < size else "down"
        self.tell("ScalingReplicaSet", f"Scaled {way} replica set {name} from {before} to {size}")
        return True


def reconcile(view: View, deployment: Obj, now: float) -> Step:
    """What is to change for a Deployment, and when it may time out."""
    namespace = deployment["metadata"]["namespace"]
    if is_everything(deployment["spec"].get("selector")):
        return _refused(deployment)
    owned = view.owned_by(uid_of(deployment), REPLICA_SETS)
    sets, claims = claim(deployment, REPLICA_SETS, owned, view.orphans(REPLICA_SETS, namespace))
    if claims:
        return Step(claims)

    def old_pods(new: Obj | None) -> bool:
        others = (each for each in sets if new is None or uid_of(each) != uid_of(new))
        pods = (pod for each in others for pod in view.owned_by(uid_of(each), PODS))
        return any(phase_of(pod) not in ("Failed", "Succeeded") for pod in pods)

    def taken(name: str) -> bool:
        return view.get(REPLICA_SETS, namespace, name) is not None

    return decide(deployment, sets, view.templates, now, taken=taken, old_pods=old_pods)


def decide(
    deployment: Obj,
    sets: Sequence[Obj],
    templates: Templates,
    now: float,
    *,
    taken: Callable[[str], bool],
    old_pods: Callable[[Obj | None], bool],
) -> Step:
    """What is to change, given its own ReplicaSets.

    `taken` tells whether a ReplicaSet of a name is there, `old_pods` whether pods of others than the new one still run.
    """
    look = _begin(deployment, sets, templates, now)
    if is_terminating(deployment):
        return _end(look, rollout=False)
    _note_pause(look)
    _keep_new(look)
    spec = deployment["spec"]
    if spec.get("paused") or _is_scaling(look):
        _scale(look)
        if spec.get("paused"):
            _forget_old(look)
        return _end(look, rollout=False)
    if is_rolling(deployment):
        if look.new is not None or _create_new(look, templates, taken):
            _roll(look)
    elif (
        not _end_old(look) and not old_pods(look.new) and (look.new is not None or _create_new(look, templates, taken))
    ):
        assert look.new is not None
        look.resize(look.new, look.desired)
    return _end(look, rollout=True)


def _begin(deployment: Obj, sets: Sequence[Obj], templates: Templates, now: float) -> _Look:
    ordered = sorted(sets, key=by_age)
    new = find_new(deployment, ordered, templates)
    surge, unavailable = bounds(deployment)
    status = status_of(deployment)
    return _Look(
        deployment=deployment,
        now=now,
        new=new,
        old=[each for each in ordered if each is not new],
        conditions=list(status.get("conditions") or ()),
        surge=surge,
        unavailable=unavailable,
        desired=replicas_of(deployment),
        size={name_of(each): replicas_of(each) for each in ordered},
        collisions=status.get("collisionCount"),
    )


def _refused(deployment: Obj) -> Step:
    message = "This deployment is selecting all pods. A non-empty selector is required."
    told = Tell(deployment, "SelectingAll", message, _COMPONENT, type="Warning")
    status = {**status_of(deployment), "observedGeneration": deployment["metadata"]["generation"]}
    return Step((told, SetStatus(DEPLOYMENTS, deployment, status)))


def _note_pause(look: _Look) -> None:
    """So that a resumed rollout is not taken for one that had no progress all the while."""
    found = conditions.find(look.conditions, "Progressing")
    reason = found.get("reason") if found is not None else None
    if progress_deadline(look.deployment) is None or reason == progress.TIMED_OUT:
        return
    paused = bool(look.deployment["spec"].get("paused"))
    if paused == (reason == progress.PAUSED):
        return
    reason, verb = (progress.PAUSED, "paused") if paused else (progress.RESUMED, "resumed")
    new = conditions.made("Progressing", "Unknown", reason, f"Deployment is {verb}", look.now)
    look.conditions = conditions.put(look.conditions, new)


def _keep_new(look: _Look) -> None:
    """The new ReplicaSet's annotations and the Deployment's revision number follow each other."""
    if look.new is None:
        return
    revision = max(map(revision_of, look.old), default=0) + 1
    annotations = annotations_for(look.deployment, look.new, revision)
    if annotations != annotations_of(look.new):
        look.annotations[name_of(look.new)] = annotations
    look.revision = annotations.get(REVISION_ANNOTATION)
    if progress_deadline(look.deployment) is not None and conditions.find(look.conditions, "Progressing") is None:
        message = f'Found new replica set "{name_of(look.new)}"'
        found = conditions.made("Progressing", "True", progress.FOUND, message, look.now)
        look.conditions = conditions.put(look.conditions, found)


def _create_new(look: _Look, templates: Templates, taken: Callable[[str], bool]) -> bool:
    """Makes the new ReplicaSet; False where its name is another one's, so that the hash must be another."""
    deployment = look.deployment
    revision = max(map(revision_of, look.old), default=0) + 1
    annotations = {
        **annotations_for(deployment, None, revision),
        **size_annotations(look.desired, look.surge),
    }
    total = sum(look.size.values())
    replicas = new_size(look.desired, look.surge, 0, total) if is_rolling(deployment) else look.desired
    hash_ = hash_of(templates.key(deployment["spec"]["template"]), look.collisions)
    new = made(deployment, hash_, replicas, annotations)
    templates.note_equal(new["spec"]["template"], deployment["spec"]["template"])
    name = name_of(new)
    if taken(name):
        look.collisions = (look.collisions or 0) + 1
        return False
    look.new, look.created, look.size[name], look.revision = new, True, replicas, str(revision)
    if replicas:
        look.tell("ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {replicas}")
    if progress_deadline(deployment) is not None:
        message = f'Created new replica set "{name}"'
        begun = conditions.made("Progressing", "True", progress.CREATED, message, look.now)
        look.conditions = conditions.put(look.conditions, begun)
    return True


def _roll(look: _Look) -> None:
    """Up first, then down; one of the two in a look."""
    assert look.new is not None
    size, total = look.size[name_of(look.new)], sum(look.size.values())
    wanted = look.desired if size > look.desired else new_size(look.desired, look.surge, size, total)
    if size != look.desired and look.resize(look.new, wanted):
        return
    active = [each for each in look.old if look.size[name_of(each)] > 0]
    least = look.desired - look.unavailable
    room = total - least - (size - _available(look.new))
    if active and room > 0:
        _end_unhealthy(look, active, room)
        _end_healthy(look, active, sum(map(_available, [*active, look.new])) - least)


def _end_unhealthy(look: _Look, old: Sequence[Obj], room: int) -> None:
    """Old pods that are not available are of no use, and would be in the way for ever."""
    for each in old:
        size = look.size[name_of(each)]
        gone = min(room, size - _available(each))
        if gone > 0:
            room -= gone
            look.resize(each, size - gone)


def _end_healthy(look: _Look, old: Sequence[Obj], room: int) -> None:
    for each in old:
        gone = min(room, look.size[name_of(each)])
        if gone > 0:
            room -= gone
            look.resize(each, look.size[name_of(each)] - gone)


def _end_old(look: _Look) -> bool:
    """Whether there was an old ReplicaSet to scale to 0."""
    return sum(look.resize(each, 0) for each in look.old) > 0


def _is_scaling(look: _Look) -> bool:
    """Whether spec.replicas was changed since the ReplicaSets were sized."""
    active = (each for each in look.sets if replicas_of(each) > 0)
    return any(annotated_size(each, DESIRED) not in (None, look.desired) for each in active)


def _scale(look: _Look) -> None:
    """Sizes the one active ReplicaSet, or all in proportion, so that scaling neither hastens nor undoes a rollout."""
    sets = look.sets
    active = [each for each in sets if replicas_of(each) > 0]
    if len(active) <= 1:
        only = active[0] if active else look.new or max(look.old, key=by_age, default=None)
        if only is not None:
            look.resize(only, look.desired)
        return
    if is_saturated(look.deployment, look.new):
        for each in look.old:
            look.resize(each, 0)
        return
    if not is_rolling(look.deployment):
        return
    growing = (look.desired + look.surge if look.desired else 0) > sum(map(replicas_of, active))
    active.sort(key=by_age, reverse=growing)
    active.sort(key=replicas_of, reverse=True)
    sizes = [(replicas_of(each), annotated_size(each, MOST) or 0) for each in active]
    replicas = int(status_of(look.deployment).get("replicas") or 0)
    for each, size in zip(active, proportions(sizes, look.desired, look.surge, replicas), strict=True):
        look.resize(each, size, annotate=True)


def _forget_old(look: _Look) -> None:
    """Deletes old ReplicaSets without pods, the oldest first, beyond the revision history's limit."""
    alive = sorted((each for each in look.old if not is_terminating(each)), key=lambda s: (revision_of(s), by_age(s)))
    for each in alive[: max(len(alive) - history_limit(look.deployment), 0)]:
        status, generation = status_of(each), each["metadata"]["generation"]
        observed = (status.get("observedGeneration") or 0) >= generation
        if not status.get("replicas") and not look.size[name_of(each)] and not replicas_of(each) and observed:
            look.deleted.append(Delete(REPLICA_SETS, each))


def _end(look: _Look, *, rollout: bool) -> Step:
    """The changes of a look, the status last."""
    deployment = look.deployment
    status = progress.status(
        deployment, look.sets, look.new, look.conditions, look.collisions, look.unavailable, look.now
    )
    if rollout:
        status = progress.with_rollout(deployment, look.sets, look.new, status, look.now)
        if progress.is_complete(deployment, status):
            _forget_old(look)
    changes: list[Change] = [*_set_changes(look), *look.deleted]
    if look.revision is not None and annotations_of(deployment).get(REVISION_ANNOTATION) != look.revision:
        annotations = {**annotations_of(deployment), REVISION_ANNOTATION: look.revision}
        numbered = {**stamped(deployment, annotations=annotations), "status": status}
        changes.append(Replace(DEPLOYMENTS, numbered, "status"))
    elif status != status_of(deployment):
        changes.append(SetStatus(DEPLOYMENTS, deployment, status))
    if look.collisions != status_of(deployment).get("collisionCount"):
        return Step([*changes, *look.told], look.now)
    return Step([*changes, *look.told], progress.next_check(deployment, status) if rollout else None)


def _set_changes(look: _Look) -> list[Change]:
    changes: list[Change] = []
    ready = look.deployment["spec"].get("minReadySeconds") or 0
    for each in look.sets:
        name = name_of(each)
        if look.created and each is look.new:
            changes.append(Create(REPLICA_SETS, each))
            continue
        spec, annotations = each["spec"], look.annotations.get(name)
        if look.size[name] != replicas_of(each):
            spec = {**spec, "replicas": look.size[name]}
        if each is look.new and ready != (spec.get("minReadySeconds") or 0):
            spec = {**spec, "minReadySeconds": ready}
        if annotations is not None or spec is not each["spec"]:
            kept = each if annotations is None else stamped(each, annotations=annotations)
            changes.append(Replace(REPLICA_SETS, {**kept, "spec": spec}))
    return changes


def _available(replica_set: Obj) -> int:
    return int(status_of(replica_set).get("availableReplicas") or 0)
