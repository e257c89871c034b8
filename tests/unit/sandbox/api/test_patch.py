"""JSON patches and merge patches, against simple models and kdeploy's own patches."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.rollout import marks
from kdeploy.rollout.patch import deploy_patch, restore_patch, verified_patch
from kdeploy.sandbox.api.json_patch import MOST_OPERATIONS
from kdeploy.sandbox.api.patch import JSON, MERGE, STRATEGIC, merge, patched
from kdeploy.sandbox.api.status import ApiError

WORKLOAD: dict[str, Any] = {
    "metadata": {"name": "web", "uid": "1"},
    "spec": {"replicas": 3, "template": {"metadata": {}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}},
}

json = st.recursive(
    st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text("ab/~", max_size=2), json, max_size=3)


def apply(obj: Any, *operations: dict[str, Any]) -> Any:
    return patched("Deployment", obj, JSON, list(operations))


def code(obj: Any, media_type: str, patch: Any) -> int:
    with pytest.raises(ApiError) as refused:
        patched("Deployment", obj, media_type, patch)
    return refused.value.code


@given(objects, objects)
def test_a_merge_patch_made_from_two_objects_leads_from_one_to_the_other(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert merge(old, difference(old, new)) == new


def difference(old: Any, new: Any) -> Any:
    """The merge patch from `old` to `new`: RFC 7386, the other way round."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    gone = {key: None for key in old if key not in new}
    return {**gone, **{key: difference(old.get(key), new[key]) for key in new if old.get(key) != new[key]}}


@given(objects, st.text("ab/~", max_size=2), json)
def test_an_added_member_is_found_by_its_test_and_gone_after_its_removal(
    obj: dict[str, Any], key: str, value: Any
) -> None:
    path = "/" + key.replace("~", "~0").replace("/", "~1")
    added = apply(obj, {"op": "add", "path": path, "value": value}, {"op": "test", "path": path, "value": value})
    assert added == {**obj, key: value}
    without = {name: one for name, one in obj.items() if name != key}
    assert apply(added, {"op": "remove", "path": path}, {"op": "test", "path": path, "value": None}) == without


@given(objects, objects)
def test_a_patch_changes_nothing_in_place(obj: dict[str, Any], other: dict[str, Any]) -> None:
    before = copy.deepcopy(obj)
    apply(obj, *({"op": "add", "path": "/n", "value": other}, {"op": "add", "path": "/n/m", "value": 1}))
    merge(obj, other)
    assert obj == before


def test_a_deploy_of_kdeploys_own_goes_through_and_a_second_one_is_refused() -> None:
    own = {marks.DEPLOY_ID: "1", marks.STATE: "deploying"}
    patch = deploy_patch(WORKLOAD, ["web"], "web:2", own)
    deployed = patched("Deployment", WORKLOAD, JSON, patch)
    assert deployed["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"
    assert deployed["metadata"]["annotations"] == own
    assert code(deployed, JSON, patch) == 422
    verified = patched("Deployment", deployed, JSON, verified_patch(deployed))
    assert marks.VERIFIED in verified["metadata"]["annotations"]
    restored = patched("Deployment", verified, JSON, restore_patch(verified, WORKLOAD["spec"]["template"], {}))
    assert restored["spec"] == WORKLOAD["spec"]


def test_scaling_and_a_status_in_between_do_not_refuse_a_deploy() -> None:
    patch = deploy_patch(WORKLOAD, ["web"], "web:2", {marks.DEPLOY_ID: "1"})
    scaled = {**WORKLOAD, "spec": {**WORKLOAD["spec"], "replicas": 9}, "status": {"replicas": 3}}
    assert patched("Deployment", scaled, JSON, patch)["spec"]["replicas"] == 9


@pytest.mark.parametrize(
    ("media_type", "patch", "wanted"),
    [
        ("application/apply-patch+yaml", {}, 415),
        ("application/json", {}, 415),
        (JSON, {}, 400),
        (JSON, [{"op": "add", "path": "/a", "value": 1}] * (MOST_OPERATIONS + 1), 413),
        (JSON, [{"op": "replace", "path": "", "value": 3}], 422),
        (JSON, [{"op": "test", "path": "/spec/replicas", "value": True}], 422),
        (JSON, [1], 422),
        (MERGE, [], 400),
        (STRATEGIC, "x", 400),
        (STRATEGIC, {"spec": {"$patch": "x"}}, 400),
    ],
)
def test_what_is_no_patch_is_refused(media_type: str, patch: Any, wanted: int) -> None:
    assert code(WORKLOAD, media_type, patch) == wanted


def test_copies_of_copies_do_not_grow_without_end() -> None:
    double = [{"op": "copy", "from": "/spec", "path": f"/spec/again{index}"} for index in range(40)]
    assert code(WORKLOAD, JSON, double) == 422


@given(
    objects, st.lists(st.dictionaries(st.sampled_from(["op", "path", "from", "value"]), json, max_size=4), max_size=3)
)
def test_any_operations_are_carried_out_or_refused(obj: dict[str, Any], operations: list[Any]) -> None:
    try:
        patched("Deployment", obj, JSON, operations)
    except ApiError as refused:
        found = refused.code
    else:
        found = 200
    assert found in (200, 400, 422)
