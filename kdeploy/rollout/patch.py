"""The JSON patches that kdeploy sends, as data. Each tests first that the workload is the very one that was observed.

The tests are uid, the whole pod template and our own deploy-id. Not resourceVersion, which every status update moves,
nor generation, which scaling moves: neither is a reason to refuse. A test of null passes where the path is absent
(evanphx/json-patch, which the API server uses).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdeploy.model import Obj, Operation
from kdeploy.rollout import marks
from kdeploy.rollout.objects import all_containers, annotations_of, uid_of
from kdeploy.rollout.template import plain_template, template_hash, template_of


def deploy_patch(workload: Obj, containers: Sequence[str], reference: str, own: Mapping[str, str]) -> list[Operation]:
    """Points `containers` at `reference` and writes the deploy's marks: intent and change in one patch."""
    images = [
        _replace(f"/spec/template{pointer}/image", reference)
        for pointer, container in all_containers(template_of(workload))
        if container["name"] in containers and container.get("image") != reference
    ]
    return [*guard(workload), *images, *_set_marks(workload, own)]


def changes_of(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """What a patch changes, for a person to read: its tests hold the whole pod template, environment included."""
    return tuple(operation for operation in operations if operation["op"] != "test")


def image_changes(template: Obj, containers: Sequence[str], reference: str) -> str:
    """What `deploy_patch` does to each container: "web goes from acme/web:1 to acme/web:2"."""
    images = [(str(c["name"]), str(c.get("image", ""))) for _, c in all_containers(template) if c["name"] in containers]
    return "; ".join(
        f"{name} stays on {image}" if image == reference else f"{name} goes from {image} to {reference}"
        for name, image in images
    )


def with_image(template: Obj, containers: Sequence[str], reference: str) -> Obj:
    """The pod template that `deploy_patch` makes of this one."""
    spec = template["spec"]
    pointed = {
        field: [{**one, "image": reference} if one["name"] in containers else one for one in spec[field]]
        for field in ("initContainers", "containers")
        if spec.get(field)
    }
    return {**template, "spec": {**spec, **pointed}}


def restore_patch(workload: Obj, template: Obj, target_marks: Mapping[str, str]) -> list[Operation]:
    """Puts a whole observed template back, with its own marks unchanged."""
    return [
        *guard(workload),
        _replace("/spec/template", plain_template(template)),
        *_set_marks(workload, target_marks),
    ]


def verified_patch(workload: Obj) -> list[Operation]:
    """Marks the running template as verified, by naming its hash."""
    own = {
        **marks.marks_of(workload),
        marks.STATE: marks.DEPLOYED,
        marks.VERIFIED: template_hash(template_of(workload)),
    }
    return [*guard(workload), *_set_marks(workload, own)]


def verified_revision_patch(revision: Obj, hash_: str) -> list[Operation]:
    """Marks a ControllerRevision, whose annotations its controller writes only once, at its creation."""
    own = {**marks.marks_of(revision), marks.STATE: marks.DEPLOYED, marks.VERIFIED: hash_}
    # To add the whole map would replace one that somebody made meanwhile.
    unless_made = [] if annotations_of(revision) else [_test("/metadata/annotations", None)]
    return [_test("/metadata/uid", uid_of(revision)), *unless_made, *_set_marks(revision, own)]


def guard(workload: Obj) -> list[Operation]:
    """The tests that make a patch conditional."""
    tests = [_test("/metadata/uid", uid_of(workload)), _test("/spec/template", template_of(workload))]
    annotations = annotations_of(workload)
    if annotations:
        return [*tests, _test(_pointer(marks.DEPLOY_ID), annotations.get(marks.DEPLOY_ID))]
    return [*tests, _test("/metadata/annotations", None)]


def _set_marks(obj: Obj, wanted: Mapping[str, str]) -> list[Operation]:
    """Makes kdeploy's marks exactly `wanted`; other people's annotations stay."""
    present = annotations_of(obj)
    if not present:
        return [{"op": "add", "path": "/metadata/annotations", "value": dict(wanted)}] if wanted else []
    gone = [{"op": "remove", "path": _pointer(key)} for key in marks.ALL if key in present and key not in wanted]
    # "add" on an existing member replaces it (RFC 6902, 4.1)
    return [
        *gone,
        *({"op": "add", "path": _pointer(k), "value": v} for k, v in wanted.items() if present.get(k) != v),
    ]


def _pointer(annotation: str) -> str:
    return "/metadata/annotations/" + annotation.replace("~", "~0").replace("/", "~1")


def _test(path: str, value: object) -> Operation:
    return {"op": "test", "path": path, "value": value}


def _replace(path: str, value: object) -> Operation:
    return {"op": "replace", "path": path, "value": value}
