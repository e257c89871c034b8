"""Objects and their history."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.model import Obj
from kdeploy.sandbox.core.errors import AlreadyExistsError, ConflictError, ExpiredError, NotFoundError
from kdeploy.sandbox.core.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Resource,
)
from kdeploy.sandbox.core.store import Event, Propagation, Store

NOW = 1795480422.0


def new_store(history: int = 1000) -> Store:
    numbers = count(1)
    return Store(new_uid=lambda: f"uid-{next(numbers)}", history=history)


def thing(name: str, namespace: str = "shop", owner: Obj | None = None, **fields: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if owner is not None:
        reference = {"uid": owner["metadata"]["uid"], "kind": owner["kind"], "name": "x", "controller": True}
        metadata["ownerReferences"] = [reference]
    return {"metadata": metadata, **fields}


def running(name: str = "a", owner: Obj | None = None, grace: int = 30) -> dict[str, Any]:
    spec = {"nodeName": "sandbox", "terminationGracePeriodSeconds": grace, "containers": []}
    return thing(name, owner=owner, spec=spec)


def test_a_new_object_gets_what_only_the_server_can_give() -> None:
    store = new_store()
    obj = store.create(DEPLOYMENTS, thing("web", spec={"replicas": 1}, status={"replicas": 9}), NOW)
    assert obj == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "uid-1",
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-24T00:33:42Z",
            "generation": 1,
        },
        "spec": {"replicas": 1},
        "status": {},
    }
    assert store.get(DEPLOYMENTS, "shop", "web") is obj
    assert store.by_uid("uid-1") is obj


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        (PODS, {"phase": "Pending", "qosClass": "BestEffort"}),
        (NAMESPACES, {"phase": "Active"}),
        (SERVICES, {"loadBalancer": {}}),
        (NODES, {"own": True}),
    ],
)
def test_a_status_begins_as_the_server_has_it(resource: Resource, status: Obj) -> None:
    namespace = "shop" if resource.namespaced else ""
    assert new_store().create(resource, thing("a", namespace, spec={}, status={"own": True}), NOW)["status"] == status


@pytest.mark.parametrize(
    ("quantities", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
    ],
)
def test_pods_have_their_quality_of_service(quantities: list[Obj], expected: str) -> None:
    spec = {"containers": [{"name": str(i), "resources": each} for i, each in enumerate(quantities)]}
    assert new_store().create(PODS, thing("a", spec=spec), NOW)["status"]["qosClass"] == expected


def test_generated_names_are_the_same_in_each_run_and_never_clash() -> None:
    def names() -> list[str]:
        store = new_store()
        nameless = {"metadata": {"generateName": "web-", "namespace": "shop"}, "spec": {}}
        return [str(store.create(PODS, nameless, NOW)["metadata"]["name"]) for _ in range(3000)]

    first = names()
    assert first == names()
    assert len(set(first)) == 3000
    assert all(len(name) == len("web-") + 5 for name in first)


def test_a_name_is_taken_once() -> None:
    store = new_store()
    store.create(PODS, running(), NOW)
    store.create(PODS, {**running(), "metadata": {"name": "a", "namespace": "other"}}, NOW)
    with pytest.raises(AlreadyExistsError, match=r'^pods "a" already exists'):
        store.create(PODS, running(), NOW)
    store.delete(PODS, "shop", "a", NOW)
    with pytest.raises(AlreadyExistsError, match="object is being deleted"):
        store.create(PODS, running(), NOW)


def test_objects_are_listed_by_namespace_and_name() -> None:
    store = new_store()
    for namespace, name in (("b", "2"), ("b", "1"), ("a", "3")):
        store.create(PODS, thing(name, namespace, spec={}), NOW)
    assert [obj["metadata"]["name"] for obj in store.list(PODS)] == ["3", "1", "2"]
    assert [obj["metadata"]["name"] for obj in store.list(PODS, "b")] == ["1", "2"]
    assert store.list(PODS, "absent") == []


def test_only_a_changed_spec_is_a_new_generation() -> None:
    store = new_store()
    obj = store.create(DEPLOYMENTS, thing("web", spec={"replicas": 1}), NOW)
    obj = store.replace(DEPLOYMENTS, {**obj, "metadata": {**obj["metadata"], "labels": {"a": "b"}}}, NOW)
    assert obj["metadata"]["generation"] == 1
    obj = store.replace(DEPLOYMENTS, {**obj, "status": {"replicas": 1}}, NOW, subresource="status")
    assert obj["metadata"]["generation"] == 1
    obj = store.replace(DEPLOYMENTS, {**obj, "spec": {"replicas": 2}}, NOW)
    assert obj["metadata"]["generation"] == 2
    assert obj["metadata"]["resourceVersion"] == "4"


def test_a_binding_is_no_new_generation() -> None:
    store = new_store()
    pod = store.create(PODS, thing("a", spec={}), NOW)
    bound = store.replace(PODS, {**pod, "spec": {"nodeName": "sandbox"}}, NOW, subresource="binding")
    assert bound["spec"]["nodeName"] == "sandbox"
    assert bound["metadata"]["generation"] == 1


def test_status_and_the_rest_are_written_apart() -> None:
    store = new_store()
    obj = store.create(DEPLOYMENTS, thing("web", spec={"replicas": 1}), NOW)
    obj = store.replace(DEPLOYMENTS, {**obj, "spec": {}, "status": {"replicas": 1}}, NOW, subresource="status")
    assert (obj["spec"], obj["status"]) == ({"replicas": 1}, {"replicas": 1})
    obj = store.replace(DEPLOYMENTS, {**obj, "spec": {}, "status": {"replicas": 9}}, NOW)
    assert (obj["spec"], obj["status"]) == ({}, {"replicas": 1})


def test_what_changes_nothing_is_no_event() -> None:
    store = new_store()
    obj = store.create(CONFIG_MAPS, thing("a", data={"k": "v"}), NOW)
    assert store.replace(CONFIG_MAPS, thing("a", data={"k": "v"}), NOW + 60) is obj
    assert store.version == 1


def test_unchanged_parts_are_shared() -> None:
    store = new_store()
    obj = store.create(DEPLOYMENTS, thing("web", spec={"template": {}}), NOW)
    new = store.replace(DEPLOYMENTS, {**obj, "status": {"replicas": 1}}, NOW, subresource="status")
    assert new["spec"] is obj["spec"]


@pytest.mark.parametrize("stale", [{"resourceVersion": "7"}, {"uid": "of-another"}])
def test_a_writer_who_had_read_another_object_is_refused(stale: dict[str, str]) -> None:
    store = new_store()
    obj = store.create(CONFIG_MAPS, thing("a", data={}), NOW)
    with pytest.raises(ConflictError):
        store.replace(CONFIG_MAPS, {**obj, "metadata": {**obj["metadata"], **stale}, "data": {"k": "v"}}, NOW)
    assert store.get(CONFIG_MAPS, "shop", "a") is obj


def test_what_is_not_there_cannot_be_changed() -> None:
    store = new_store()
    with pytest.raises(NotFoundError, match=r'^configmaps "a" not found'):
        store.replace(CONFIG_MAPS, thing("a"), NOW)
    with pytest.raises(NotFoundError):
        store.delete(CONFIG_MAPS, "shop", "a", NOW)


def test_a_pod_on_a_node_is_only_marked_until_the_kubelet_has_ended_it() -> None:
    store = new_store()
    store.create(PODS, running(grace=20), NOW)
    pod = store.delete(PODS, "shop", "a", NOW)
    assert pod["metadata"]["deletionTimestamp"] == "2026-11-24T00:34:02Z"
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 20
    assert pod["metadata"]["generation"] == 2
    assert store.delete(PODS, "shop", "a", NOW + 1) is pod
    shorter = store.delete(PODS, "shop", "a", NOW + 1, grace=5)
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
    gone = store.delete(PODS, "shop", "a", NOW + 2, grace=0)
    assert store.get(PODS, "shop", "a") is None
    assert gone["metadata"]["resourceVersion"] == str(store.version)


@pytest.mark.parametrize(
    "pod", [thing("a", spec={"containers": []}), running(grace=0)], ids=["on no node", "without grace"]
)
def test_a_pod_that_nothing_runs_goes_at_once(pod: Obj) -> None:
    store = new_store()
    store.create(PODS, pod, NOW)
    store.delete(PODS, "shop", "a", NOW)
    assert store.get(PODS, "shop", "a") is None


def test_a_pod_that_has_ended_goes_at_once() -> None:
    store = new_store()
    pod = store.create(PODS, running(), NOW)
    store.replace(PODS, {**pod, "status": {"phase": "Failed"}}, NOW, subresource="status")
    store.delete(PODS, "shop", "a", NOW)
    assert store.get(PODS, "shop", "a") is None


def test_a_finalizer_holds_an_object_until_it_is_removed() -> None:
    store = new_store()
    held = thing("a", data={})
    held["metadata"]["finalizers"] = ["acme.example/wait"]
    store.create(CONFIG_MAPS, held, NOW)
    marked = store.delete(CONFIG_MAPS, "shop", "a", NOW)
    assert marked["metadata"]["deletionTimestamp"] == "2026-11-24T00:33:42Z"
    store.replace(CONFIG_MAPS, {**marked, "metadata": {**marked["metadata"], "finalizers": []}}, NOW)
    assert store.get(CONFIG_MAPS, "shop", "a") is None


def family(store: Store) -> Obj:
    deployment = store.create(DEPLOYMENTS, thing("web", spec={}), NOW)
    replica_set = store.create(REPLICA_SETS, thing("web-1", owner=deployment, spec={}), NOW)
    store.create(PODS, running("web-1-a", owner=replica_set), NOW)
    return replica_set


def test_what_an_owner_controls_is_found_and_goes_with_it() -> None:
    store = new_store()
    replica_set = family(store)
    assert [obj["metadata"]["name"] for obj in store.owned_by(replica_set["metadata"]["uid"], PODS)] == ["web-1-a"]
    store.delete(DEPLOYMENTS, "shop", "web", NOW)
    assert store.list(REPLICA_SETS) == []
    assert "deletionTimestamp" in store.list(PODS)[0]["metadata"]
    store.delete(PODS, "shop", "web-1-a", NOW, grace=0)
    assert store.owned_by(replica_set["metadata"]["uid"], PODS) == []


def test_orphans_stay_and_lose_their_owner() -> None:
    store = new_store()
    family(store)
    store.delete(DEPLOYMENTS, "shop", "web", NOW, propagation="Orphan")
    orphan = store.list(REPLICA_SETS)[0]
    assert orphan["metadata"]["ownerReferences"] == []
    assert len(store.list(PODS)) == 1


def test_an_object_with_another_owner_left_stays() -> None:
    store = new_store()
    one, two = (store.create(CONFIG_MAPS, thing(name), NOW) for name in ("one", "two"))
    shared = thing("shared")
    shared["metadata"]["ownerReferences"] = [{"uid": owner["metadata"]["uid"]} for owner in (one, two)]
    store.create(CONFIG_MAPS, shared, NOW)
    store.delete(CONFIG_MAPS, "shop", "one", NOW)
    left = store.get(CONFIG_MAPS, "shop", "shared")
    assert left is not None
    assert left["metadata"]["ownerReferences"] == [{"uid": two["metadata"]["uid"]}]
    store.delete(CONFIG_MAPS, "shop", "two", NOW)
    assert store.list(CONFIG_MAPS) == []


def test_a_namespace_takes_all_that_is_in_it_along() -> None:
    store = new_store()
    store.create(NAMESPACES, thing("shop", ""), NOW)
    family(store)
    store.create(PODS, thing("a", "other", spec={}), NOW)
    store.delete(NAMESPACES, "", "shop", NOW)
    assert [
        obj["metadata"]["namespace"] for resource in (DEPLOYMENTS, REPLICA_SETS, PODS) for obj in store.list(resource)
    ] == ["other"]


def test_events_are_heard_at_once_and_can_be_read_later() -> None:
    store, heard = new_store(), list[Event]()
    unsubscribe = store.subscribe(heard.append)
    store.create(PODS, running(), NOW)
    store.delete(PODS, "shop", "a", NOW)
    store.delete(PODS, "shop", "a", NOW, grace=0)
    assert [(event.type, event.version) for event in heard] == [("ADDED", 1), ("MODIFIED", 2), ("DELETED", 3)]
    assert heard[2].previous is heard[1].obj
    assert all(event.obj["metadata"]["resourceVersion"] == str(event.version) for event in heard)
    assert store.events_since(1) == heard[1:]
    unsubscribe()
    store.create(PODS, running(), NOW)
    assert len(heard) == 3


def test_a_version_that_the_history_does_not_reach_has_expired() -> None:
    store = new_store(history=2)
    for name in "abcd":
        store.create(CONFIG_MAPS, thing(name), NOW)
    assert [event.version for event in store.events_since(2)] == [3, 4]
    assert store.events_since(4) == []
    for version in (1, 5):
        with pytest.raises(ExpiredError, match=rf"too old resource version: {version} \(2\)"):
            store.events_since(version)


operations = st.lists(
    st.tuples(
        st.sampled_from(["create", "replace", "status", "delete"]),
        st.sampled_from([PODS, REPLICA_SETS, DEPLOYMENTS]),
        st.sampled_from("abc"),
        st.integers(0, 3),
        st.sampled_from(["Background", "Orphan"]),
    ),
    max_size=40,
)


def play(store: Store, action: str, resource: Resource, name: str, number: int, propagation: Propagation) -> None:
    owners = {PODS: REPLICA_SETS, REPLICA_SETS: DEPLOYMENTS}
    try:
        if action == "create":
            owner = store.get(owners[resource], "shop", name) if resource in owners else None
            spec = {"number": number, "nodeName": "sandbox" if number else "", "terminationGracePeriodSeconds": 5}
            store.create(resource, thing(name, owner=owner, spec=spec), NOW)
        elif action == "replace":
            store.replace(resource, thing(name, spec={"number": number}), NOW)
        elif action == "status":
            store.replace(resource, thing(name, status={"number": number}), NOW, subresource="status")
        else:
            store.delete(resource, "shop", name, NOW, grace=float(number), propagation=propagation)
    except (AlreadyExistsError, NotFoundError):
        pass


@given(operations)
def test_the_history_replays_to_the_state_from_wherever_one_begins(
    steps: list[tuple[str, Resource, str, int, Propagation]],
) -> None:
    store = new_store()
    states: list[tuple[int, dict[tuple[Resource, str], Obj]]] = []

    def state() -> dict[tuple[Resource, str], Obj]:
        return {
            (r, str(obj["metadata"]["name"])): obj for r in (PODS, REPLICA_SETS, DEPLOYMENTS) for obj in store.list(r)
        }

    for step in steps:
        states.append((store.version, state()))
        play(store, *step)
    final = state()
    for version, replayed in states:
        for event in store.events_since(version):
            key = (event.resource, str(event.obj["metadata"]["name"]))
            assert replayed.get(key) is event.previous
            if event.type == "DELETED":
                del replayed[key]
            else:
                replayed[key] = event.obj
        assert replayed == final


@given(operations)
def test_the_index_of_owners_is_what_the_objects_say(steps: list[tuple[str, Resource, str, int, Propagation]]) -> None:
    store = new_store()
    for step in steps:
        play(store, *step)
    uids = {event.obj["metadata"]["uid"] for event in store.events_since(0)}
    for uid in uids:
        for resource in (PODS, REPLICA_SETS):
            owned = [
                obj
                for obj in store.list(resource)
                if any(ref["uid"] == uid for ref in obj["metadata"].get("ownerReferences", []))
            ]
            assert sorted(map(str, owned)) == sorted(map(str, store.owned_by(uid, resource)))
