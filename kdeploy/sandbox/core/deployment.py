"""The Deployment controller: one look at a Deployment and its ReplicaSets, and what is to change. Pure.

After pkg/controller/deployment: deployment_controller.go (syncDeployment), sync.go, rolling.go and recreate.go. What
the real one writes in several requests of one look is one change here: what comes out is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kdeploy.model import Obj
from kdeploy.rollout.objects import annotations_of, is_terminating, name_of, status_of, uid_of
from kdeploy.rollout.revisions import REVISION_ANNOTATION
from kdeploy.sandbox.core import progress
from kdeploy.sandbox.core.changes import Change, Create, Replace, SetStatus, Step, Tell
from kdeploy.sandbox.core.claims import claim
from kdeploy.sandbox.core.metadata import stamped
from kdeploy.sandbox.core.pods import phase_of
from kdeploy.sandbox.core.replicasets import by_age, find_new
from kdeploy.sandbox.core.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from kdeploy.sandbox.core.rolling import bounds, is_rolling, replicas_of
from kdeploy.sandbox.core.rollout import (
    COMPONENT,
    Look,
    create_new,
    end_old,
    forget_old,
    is_scaling,
    keep_new,
    note_pause,
    roll,
    scale,
)
from kdeploy.sandbox.core.selection import is_everything
from kdeploy.sandbox.core.templates import Templates
from kdeploy.sandbox.core.view import View


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
    note_pause(look)
    keep_new(look)
    spec = deployment["spec"]
    if spec.get("paused") or is_scaling(look):
        scale(look)
        if spec.get("paused"):
            forget_old(look)
        return _end(look, rollout=False)
    if is_rolling(deployment):
        if look.new is not None or create_new(look, templates, taken):
            roll(look)
    elif not end_old(look) and not old_pods(look.new):
        if look.new is None:
            create_new(look, templates, taken)
        else:
            look.resize(look.new, look.desired)
    return _end(look, rollout=True)


def _begin(deployment: Obj, sets: Sequence[Obj], templates: Templates, now: float) -> Look:
    ordered = sorted(sets, key=by_age)
    new = find_new(deployment, ordered, templates)
    surge, unavailable = bounds(deployment)
    status = status_of(deployment)
    return Look(
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
    told = Tell(deployment, "SelectingAll", message, COMPONENT, type="Warning")
    status = {**status_of(deployment), "observedGeneration": deployment["metadata"]["generation"]}
    return Step((told, SetStatus(DEPLOYMENTS, deployment, status)))


def _end(look: Look, *, rollout: bool) -> Step:
    """The changes of a look, the status last."""
    deployment = look.deployment
    status = progress.status(
        deployment, look.sets, look.new, look.conditions, look.collisions, look.unavailable, look.now
    )
    if rollout:
        status = progress.with_rollout(deployment, look.sets, look.new, status, look.now)
        if progress.is_complete(deployment, status):
            forget_old(look)
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


def _set_changes(look: Look) -> list[Change]:
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
