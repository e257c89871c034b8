"""Strategic merge patches against a simple model: items of a list are looked up by their merge key."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.sandbox.api.strategic import StrategicError, merge

NAMES = ("a", "b", "c", "d", "e")
values = st.integers(0, 3).map(str)


def deployment(containers: list[dict[str, Any]]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def containers_of(obj: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = obj["spec"]["template"]["spec"]["containers"]
    return found


@st.composite
def named(draw: st.DrawFn, *fields: str, least: int = 0) -> list[dict[str, Any]]:
    """Items with different names, each with some of the fields."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=least))
    return [{"name": name, **draw(st.fixed_dictionaries({}, optional=dict.fromkeys(fields, values)))} for name in names]


@given(named("image", "workingDir"), named("image", "workingDir"))
def test_items_are_merged_by_their_key_and_new_ones_are_added(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    merged = containers_of(merge("Deployment", deployment(old), deployment(new)))
    model = {item["name"]: item for item in old}
    for item in new:
        model[item["name"]] = {**model.get(item["name"], {}), **item}
    assert {item["name"]: item for item in merged} == model
    assert len(merged) == len(model)


@given(named("image"), named("image"))
def test_what_the_patch_names_is_in_its_order_and_the_rest_in_the_order_it_had(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> None:
    merged = [item["name"] for item in containers_of(merge("Deployment", deployment(old), deployment(new)))]
    wanted = [item["name"] for item in new]
    assert [name for name in merged if name in wanted] == wanted
    assert [name for name in merged if name not in wanted] == [i["name"] for i in old if i["name"] not in wanted]


@given(named("image", least=1), st.data())
def test_an_order_puts_the_items_in_it(old: list[dict[str, Any]], data: st.DataObject) -> None:
    wanted = data.draw(st.permutations([item["name"] for item in old]))
    order = {"$setElementOrder/containers": [{"name": name} for name in wanted]}
    patch = {"spec": {"template": {"spec": order}}}
    assert [item["name"] for item in containers_of(merge("Deployment", deployment(old), patch))] == list(wanted)


@given(named("image"), st.sets(st.sampled_from(NAMES)))
def test_deleted_items_go_and_the_others_stay(old: list[dict[str, Any]], gone: set[str]) -> None:
    patch = deployment([{"name": name, "$patch": "delete"} for name in sorted(gone)])
    assert containers_of(merge("Deployment", deployment(old), patch)) == [i for i in old if i["name"] not in gone]


@given(named("image"), named("image"))
def test_nothing_is_changed_in_place(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    original, patch = deployment(old), deployment(new)
    before = copy.deepcopy((original, patch))
    merge("Deployment", original, patch)
    assert (original, patch) == before


@given(named("image"), named("image"))
def test_a_second_time_changes_nothing_more(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    once = merge("Deployment", deployment(old), deployment(new))
    assert merge("Deployment", once, deployment(new)) == once


json = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab$", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spec", "template", "containers", "name", "env", "$patch", "$retainKeys", "volumes", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(["spec", "metadata", "x"]), json, max_size=3), json)
def test_any_patch_is_applied_or_refused(original: dict[str, Any], patch: Any) -> None:
    with contextlib.suppress(StrategicError):
        merge("Deployment", original, {"spec": patch})


def test_items_that_share_their_key_are_kept_and_a_patch_is_for_the_first() -> None:
    dns = [{"port": 53, "name": "udp", "protocol": "UDP"}, {"port": 9}, {"port": 53, "name": "tcp", "protocol": "TCP"}]

    def ports(*patch: dict[str, Any]) -> list[Any]:
        merged = merge("Service", {"spec": {"ports": dns}}, {"spec": {"ports": list(patch)}})["spec"]["ports"]
        return [(one["port"], one.get("name")) for one in merged]

    assert sorted(ports({"port": 80, "name": "web"})) == [(9, None), (53, "tcp"), (53, "udp"), (80, "web")]
    assert sorted(ports({"port": 53, "name": "first"})) == [(9, None), (53, "first"), (53, "tcp")]
    assert sorted(ports({"port": 80, "name": "a"}, {"port": 80, "name": "b"})) == [
        (9, None),
        (53, "tcp"),
        (53, "udp"),
        (80, "b"),
    ]
    assert ports({"port": 53, "$patch": "delete"}) == [(9, None)]


def test_scalars_are_merged_without_doubles() -> None:
    old, new = {"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"finalizers": ["b", "c"]}}
    assert merge("Pod", old, new)["metadata"]["finalizers"] == ["a", "b", "c"]
    gone = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert merge("Pod", old, gone)["metadata"]["finalizers"] == ["b"]


def test_a_map_without_a_type_is_merged_key_by_key() -> None:
    old, new = {"metadata": {"annotations": {"a": "1", "b": "2"}}}, {"metadata": {"annotations": {"a": None, "c": "3"}}}
    assert merge("Pod", old, new) == {"metadata": {"annotations": {"b": "2", "c": "3"}}}


def test_what_kubectl_sends_to_undo_a_stateful_set_replaces_the_template() -> None:
    old = {"spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "a"}]}}}}
    template = {"$patch": "replace", "spec": {"containers": [{"name": "z"}]}}
    merged = merge("StatefulSet", old, {"spec": {"template": template}})
    assert merged == {"spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "z"}]}}}}


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        (deployment([{"image": "x"}]), "map: map[image:x] does not contain declared merge key: name"),
        (deployment([{"name": "a", "$patch": "x"}]), "unknown patch type: x"),
        ({"spec": {"$patch": "x"}}, "unknown patch type: x"),
        ({"spec": {"template": {"spec": {"$setElementOrder/containers": 3}}}}, "invalid patch format of "),
    ],
)
def test_a_malformed_patch_is_refused(patch: dict[str, Any], words: str) -> None:
    with pytest.raises(StrategicError) as refused:
        merge("Deployment", deployment([{"name": "a"}]), patch)
    assert str(refused.value).startswith(words)
