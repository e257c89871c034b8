from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.model import Obj, Operation
from kdeploy.rollout import marks
from kdeploy.rollout.patch import deploy_patch, restore_patch, verified_patch, verified_revision_patch, with_image
from kdeploy.rollout.revisions import live_revision, revisions_of
from kdeploy.rollout.template import template_hash, template_of
from tests.unit.rollout.dumps import VERSIONS, changed, load, workload_of
from tests.unit.rollout.json_patch import PatchError, apply

NEW = "ghcr.io/acme/web:abc@sha256:" + "1" * 64
NAMES = ("web", "worker", "proxy", "migrate", "warm")

words = st.text("abcxyz019-", min_size=1, max_size=6)
foreign = st.dictionaries(words.map("example.com/".__add__), words, max_size=3)
own = st.dictionaries(st.sampled_from(marks.ALL), words)


@st.composite
def workloads(draw: st.DrawFn) -> Obj:
    """Deployments with one to three containers, up to two init containers, and any annotations or none."""
    names = draw(st.permutations(NAMES))
    images = st.sampled_from([NEW, "ghcr.io/acme/web:old", "busybox"])
    containers = [{"name": name, "image": draw(images)} for name in names[: draw(st.integers(1, 3))]]
    init = [{"name": name, "image": draw(images)} for name in names[3 : 3 + draw(st.integers(0, 2))]]
    metadata: dict[str, Any] = {"uid": draw(words), "generation": draw(st.integers(1, 9)), "resourceVersion": "7"}
    annotations = draw(st.builds(lambda a, b: {**a, **b}, foreign, own))
    if annotations:  # an API server shows no empty map
        metadata["annotations"] = annotations
    template_metadata = {"labels": {"app": "web"}, **draw(st.sampled_from([{}, {"creationTimestamp": None}]))}
    spec = {"containers": containers, **({"initContainers": init} if init else {})}
    shape = {"replicas": draw(st.integers(0, 5)), "template": {"metadata": template_metadata, "spec": spec}}
    return {"kind": "Deployment", "metadata": metadata, "spec": shape, "status": {"replicas": 1}}


@given(workloads(), st.sets(st.sampled_from(NAMES)), own)
def test_a_deploy_patch_changes_the_chosen_images_and_the_marks_and_nothing_else(
    workload: Obj, chosen: set[str], wanted: dict[str, str]
) -> None:
    intended = copy.deepcopy(dict(workload))
    for field in ("initContainers", "containers"):
        for container in intended["spec"]["template"]["spec"].get(field, []):
            if container["name"] in chosen:
                container["image"] = NEW
    patched = apply(workload, deploy_patch(workload, sorted(chosen), NEW, wanted))
    assert template_of(patched) == with_image(template_of(workload), sorted(chosen), NEW)
    assert same(patched, with_marks(intended, wanted))


@given(workloads(), workloads(), own)
def test_a_restore_patch_puts_the_template_back_with_its_own_marks_and_nothing_else(
    workload: Obj, other: Obj, wanted: dict[str, str]
) -> None:
    intended = copy.deepcopy(dict(workload))
    intended["spec"]["template"] = copy.deepcopy(template_of(other))
    intended["spec"]["template"]["metadata"].pop("creationTimestamp", None)
    assert same(apply(workload, restore_patch(workload, template_of(other), wanted)), with_marks(intended, wanted))


@given(workloads())
def test_a_verified_patch_adds_the_hash_of_the_running_template_and_keeps_the_other_marks(workload: Obj) -> None:
    patched = apply(workload, verified_patch(workload))
    mine = {marks.STATE: marks.DEPLOYED, marks.VERIFIED: template_hash(template_of(workload))}
    assert same(patched, with_marks(copy.deepcopy(dict(workload)), {**marks.marks_of(workload), **mine}))


@given(workloads(), own)
def test_no_patch_names_a_path_outside_the_template_and_the_annotations(workload: Obj, wanted: dict[str, str]) -> None:
    for patch in every_patch(workload, wanted):
        writes = [operation["path"] for operation in patch if operation["op"] != "test"]
        assert all(path.startswith(("/spec/template", "/metadata/annotations")) for path in writes)
        tests = [operation["path"] for operation in patch if operation["op"] == "test"]
        assert {"/metadata/uid", "/spec/template"} <= set(tests)


@given(workloads(), own)
def test_every_test_names_its_value_for_old_servers_panic_without_one(workload: Obj, wanted: dict[str, str]) -> None:
    assert all("value" in op for patch in every_patch(workload, wanted) for op in patch if op["op"] != "remove")


def other_uid(workload: Any) -> None:
    workload["metadata"]["uid"] += "-another"


def other_template(workload: Any) -> None:
    workload["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "b"}]


def other_deploy(workload: Any) -> None:
    workload["metadata"].setdefault("annotations", {})[marks.DEPLOY_ID] = "somebody else's"


def no_deploy(workload: Any) -> None:
    workload["metadata"].get("annotations", {}).pop(marks.DEPLOY_ID, None)


@given(workloads(), own, st.sampled_from([other_uid, other_template, other_deploy]))
def test_a_patch_is_refused_where_uid_template_or_deploy_id_has_changed(
    workload: Obj, wanted: dict[str, str], change: Any
) -> None:
    for patch in every_patch(workload, wanted):
        with pytest.raises(PatchError, match="test of"):
            apply(changed(workload, change), patch)


@given(workloads(), own)
def test_a_patch_is_refused_where_our_deploy_id_is_gone(workload: Obj, wanted: dict[str, str]) -> None:
    marked = changed(workload, other_deploy)
    for patch in every_patch(marked, wanted):
        with pytest.raises(PatchError, match="test of"):
            apply(changed(marked, no_deploy), patch)


def scaled_and_updated(workload: Any) -> None:
    workload["spec"]["replicas"] += 3
    workload["status"] = {"replicas": 9}
    workload["metadata"] |= {"resourceVersion": "99", "generation": 42}


@given(workloads(), own)
def test_scaling_and_status_updates_are_no_reason_to_refuse_a_patch_and_survive_it(
    workload: Obj, wanted: dict[str, str]
) -> None:
    moved = changed(workload, scaled_and_updated)
    for patch in every_patch(workload, wanted):
        patched = apply(moved, patch)
        assert patched["spec"]["replicas"] == moved["spec"]["replicas"]
        assert patched["status"] == moved["status"]


@given(workloads(), foreign, own)
def test_a_foreign_annotation_that_came_meanwhile_survives(
    workload: Obj, added: dict[str, str], wanted: dict[str, str]
) -> None:
    marked = changed(workload, lambda w: w["metadata"].setdefault("annotations", {}).update({"a.example/x": "1"}))
    later = changed(marked, lambda w: w["metadata"]["annotations"].update(added))
    for patch in every_patch(marked, wanted):
        assert apply(later, patch)["metadata"]["annotations"].items() >= added.items()


def test_annotations_that_came_meanwhile_where_there_were_none_refuse_the_patch_rather_than_be_lost() -> None:
    bare: Obj = {
        "metadata": {"uid": "1"},
        "spec": {"template": {"metadata": {}, "spec": {"containers": [{"name": "web", "image": "x"}]}}},
    }
    patch = deploy_patch(bare, ["web"], NEW, {marks.DEPLOY_ID: "one"})
    with pytest.raises(PatchError):
        apply(changed(bare, lambda w: w["metadata"].update(annotations={"a": "b"})), patch)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_real_deployment_is_patched_and_restored_to_what_it_was(version: str) -> None:
    snapshot = load(version, "foreign-env")
    before = workload_of(snapshot)
    bad = apply(before, deploy_patch(before, ["web"], NEW, {marks.DEPLOY_ID: "two", marks.STATE: marks.DEPLOYING}))
    assert template_of(bad)["spec"]["containers"][0]["image"] == NEW
    foreign_env = live_revision(snapshot)
    assert foreign_env is not None
    back = apply(bad, restore_patch(bad, foreign_env.template, marks.marks_of(before)))
    assert template_hash(template_of(back)) == template_hash(template_of(before))
    assert "pod-template-hash" not in template_of(back)["metadata"]["labels"]
    assert back["metadata"]["annotations"] == before["metadata"]["annotations"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", ["statefulset-complete", "daemonset-complete"])
def test_a_controller_revision_is_marked_with_its_own_hash_and_keeps_its_data(version: str, moment: str) -> None:
    snapshot = load(version, moment)
    revision, stored = revisions_of(snapshot)[0], snapshot.revisions[0]
    patched = apply(stored, verified_revision_patch(stored, revision.hash))
    assert patched["metadata"]["annotations"][marks.VERIFIED] == revision.hash
    assert patched["data"] == stored["data"]
    with pytest.raises(PatchError):
        apply(changed(stored, other_uid), verified_revision_patch(stored, revision.hash))


def every_patch(workload: Obj, wanted: dict[str, str]) -> tuple[list[Operation], ...]:
    return (
        deploy_patch(workload, ["web"], NEW, wanted),
        restore_patch(workload, template_of(workload), wanted),
        verified_patch(workload),
    )


def with_marks(workload: dict[str, Any], wanted: dict[str, str]) -> dict[str, Any]:
    others = {k: v for k, v in (workload["metadata"].get("annotations") or {}).items() if k not in marks.ALL}
    workload["metadata"]["annotations"] = {**others, **wanted}
    return workload


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Equal, where no annotations and empty ones are one thing, as they are to the API server."""
    for obj in (one, other):
        if obj["metadata"].get("annotations") == {}:
            del obj["metadata"]["annotations"]
    return one == other


def test_the_first_annotation_of_somebody_else_on_a_revision_is_not_lost_to_its_mark() -> None:
    seen = {"metadata": {"uid": "u", "name": "db-1"}}
    operations = verified_revision_patch(seen, "hash")
    marked = apply(seen, operations)
    assert marked["metadata"]["annotations"][marks.VERIFIED] == "hash"
    theirs = {"metadata": {**seen["metadata"], "annotations": {"theirs": "x"}}}
    with pytest.raises(PatchError):
        apply(theirs, operations)
