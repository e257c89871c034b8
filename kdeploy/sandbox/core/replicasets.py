"""A Deployment's ReplicaSets: which one is the new one, its annotations and revision number, how one is made. Pure.

pkg/controller/deployment/sync.go, getNewReplicaSet, and util/deployment_util.go, SetNewReplicaSetAnnotations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import annotations_of, name_of
from kdeploy.rollout.revisions import REVISION_ANNOTATION
from kdeploy.rollout.template import POD_TEMPLATE_HASH
from kdeploy.sandbox.core.claims import reference_to
from kdeploy.sandbox.core.rolling import replicas_of
from kdeploy.sandbox.core.templates import Templates, with_hash

DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"
_HISTORY = "deployment.kubernetes.io/revision-history"
_HISTORY_LENGTH = 2000
_NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION_ANNOTATION,
        _HISTORY,
        DESIRED,
        MOST,
    }
)
_LONGEST_NAME = 253


def by_age(replica_set: Obj) -> tuple[str, str]:
    """Sorts from old to new."""
    metadata = replica_set["metadata"]
    return metadata["creationTimestamp"], metadata["name"]


def find_new(deployment: Obj, replica_sets: Sequence[Obj], templates: Templates) -> Obj | None:
    """The ReplicaSet of the Deployment's own template, the oldest where there are several."""
    wanted = templates.key(deployment["spec"]["template"])
    same = [each for each in replica_sets if templates.key(each["spec"]["template"]) == wanted]
    return min(same, key=by_age, default=None)


def revision_of(obj: Obj) -> int:
    """The number in its revision annotation, 0 where there is none that can be read."""
    try:
        return int(annotations_of(obj).get(REVISION_ANNOTATION) or 0)
    except ValueError:
        return 0


def made(deployment: Obj, hash_: str, replicas: int, annotations: Mapping[str, str]) -> dict[str, Any]:
    """A new ReplicaSet of the Deployment's template."""
    spec = deployment["spec"]
    template, selector = with_hash(spec["template"], hash_), spec["selector"]
    matched = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), POD_TEMPLATE_HASH: hash_}}
    made_spec = {"replicas": replicas, "selector": matched, "template": template}
    if spec.get("minReadySeconds"):
        made_spec["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": deployment["apiVersion"],
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name_of(deployment)[: _LONGEST_NAME - 1 - len(hash_)]}-{hash_}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [reference_to(deployment)],
        },
        "spec": made_spec,
    }


def annotations_for(deployment: Obj, replica_set: Obj | None, revision: int) -> dict[str, str]:
    """The new ReplicaSet's annotations: the Deployment's, and its revision where that is not the greatest already.

    The number under which a ReplicaSet was live before is kept in its history.
    """
    old = annotations_of(replica_set) if replica_set is not None else {}
    new = {**old, **{k: v for k, v in annotations_of(deployment).items() if k not in _NOT_COPIED}}
    before = revision_of(replica_set) if replica_set is not None else 0
    if before < revision:
        new[REVISION_ANNOTATION] = str(revision)
        if REVISION_ANNOTATION in old:
            new[_HISTORY] = _remembered(old.get(_HISTORY, ""), old[REVISION_ANNOTATION])
    return new


def size_annotations(desired: int, surge: int) -> dict[str, str]:
    """What tells a Deployment's scaling from its rolling: the size for which a ReplicaSet was last sized."""
    return {DESIRED: str(desired), MOST: str(desired + surge)}


def annotated_size(replica_set: Obj, key: str) -> int | None:
    """The number in a size annotation, None where there is none that can be read."""
    text = annotations_of(replica_set).get(key, "")
    return int(text) if text.isdecimal() else None


def is_saturated(deployment: Obj, new: Obj | None) -> bool:
    """Whether the new ReplicaSet has all the pods that are wanted, all available."""
    if new is None:
        return False
    desired = replicas_of(deployment)
    available = (new.get("status") or {}).get("availableReplicas") or 0
    return replicas_of(new) == desired == annotated_size(new, DESIRED) == available


def _remembered(history: str, revision: str) -> str:
    numbers = [*history.split(","), revision] if history else [revision]
    while len(",".join(numbers)) > _HISTORY_LENGTH:
        numbers = numbers[1:]
    return ",".join(numbers)
