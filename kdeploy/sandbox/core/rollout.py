"""What a Deployment's controller does with its ReplicaSets at one look: makes, rolls, scales and forgets them. Pure.

pkg/controller/deployment: sync.go (getNewReplicaSet, scale, cleanupDeployment), rolling.go, recreate.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kdeploy.model import Obj
from kdeploy.rollout.objects import annotations_of, is_terminating, name_of, status_of
from kdeploy.rollout.revisions import REVISION_ANNOTATION
from kdeploy.sandbox.core import conditions, progress
from kdeploy.sandbox.core.changes import Change, Delete, Tell
from kdeploy.sandbox.core.replicasets import (
    DESIRED,
    MOST,
    annotated_size,
    annotations_for,
    by_age,
    is_saturated,
    made,
    revision_of,
    size_annotations,
)
from kdeploy.sandbox.core.resources import REPLICA_SETS
from kdeploy.sandbox.core.rolling import (
    history_limit,
    is_rolling,
    new_size,
    progress_deadline,
    proportions,
    replicas_of,
)
from kdeploy.sandbox.core.templates import Templates, hash_of

COMPONENT = "deployment-controller"


@dataclass(slots=True)
class Look:
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
        """All ReplicaSets, the new one last."""
        return [*self.old, self.new] if self.new is not None else self.old

    def tell(self, reason: str, message: str) -> None:
        """Makes an event about the Deployment."""
        self.told.append(Tell(self.deployment, reason, message, COMPONENT))

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


def note_pause(look: Look) -> None:
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


def keep_new(look: Look) -> None:
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


def create_new(look: Look, templates: Templates, taken: Callable[[str], bool]) -> bool:
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


def roll(look: Look) -> None:
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


def _end_unhealthy(look: Look, old: Sequence[Obj], room: int) -> None:
    """Old pods that are not available are of no use, and would be in the way for ever."""
    for each in old:
        size = look.size[name_of(each)]
        gone = min(room, size - _available(each))
        if gone > 0:
            room -= gone
            look.resize(each, size - gone)


def _end_healthy(look: Look, old: Sequence[Obj], room: int) -> None:
    for each in old:
        gone = min(room, look.size[name_of(each)])
        if gone > 0:
            room -= gone
            look.resize(each, look.size[name_of(each)] - gone)


def end_old(look: Look) -> bool:
    """Scales the old ReplicaSets to 0; True where one was larger."""
    return sum(look.resize(each, 0) for each in look.old) > 0


def is_scaling(look: Look) -> bool:
    """Whether spec.replicas was changed since the ReplicaSets were sized."""
    active = (each for each in look.sets if replicas_of(each) > 0)
    return any(annotated_size(each, DESIRED) not in (None, look.desired) for each in active)


def scale(look: Look) -> None:
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


def forget_old(look: Look) -> None:
    """Deletes old ReplicaSets without pods, the oldest first, beyond the revision history's limit."""
    alive = sorted((each for each in look.old if not is_terminating(each)), key=lambda s: (revision_of(s), by_age(s)))
    for each in alive[: max(len(alive) - history_limit(look.deployment), 0)]:
        status, generation = status_of(each), each["metadata"]["generation"]
        observed = (status.get("observedGeneration") or 0) >= generation
        if not status.get("replicas") and not look.size[name_of(each)] and not replicas_of(each) and observed:
            look.deleted.append(Delete(REPLICA_SETS, each))


def _available(replica_set: Obj) -> int:
    return int(status_of(replica_set).get("availableReplicas") or 0)
