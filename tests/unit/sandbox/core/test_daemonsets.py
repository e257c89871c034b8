"""DaemonSets: one pod a node, rolled by unavailability or surge, on delete."""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy.model import Kind, Obj
from kdeploy.rollout.objects import is_terminating, labels_of, name_of, status_of, uid_of
from kdeploy.sandbox.core import nodes
from kdeploy.sandbox.core.resources import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from tests.unit.sandbox.core.world import NAMESPACE, World

SET = Kind.DAEMONSET


def status(w: World) -> Obj:
    return status_of(w.get(DAEMON_SETS, "web"))


def add_nodes(w: World, *names: str, **spec: Any) -> None:
    for name in names:
        w.store.create(NODES, {**nodes.made(name, w.now), "spec": spec}, w.now)
    w.settle()


def images(w: World) -> dict[str, str]:
    return {p["spec"]["nodeName"]: p["spec"]["containers"][0]["image"].rpartition(":")[2] for p in w.pods()}


def test_each_node_gets_its_pod_and_a_new_node_too() -> None:
    w = World(good="")
    add_nodes(w, "a", "b")
    w.workload(SET)
    assert set(images(w)) == {"sandbox", "a", "b"}
    add_nodes(w, "c")
    assert status(w) == {
        "observedGeneration": 1,
        "desiredNumberScheduled": 4,
        "currentNumberScheduled": 4,
        "numberMisscheduled": 0,
        "numberReady": 4,
        "numberAvailable": 4,
        "updatedNumberScheduled": 4,
    }


@pytest.mark.parametrize(
    ("taint", "expected"),
    [
        ({"key": "gpu", "effect": "NoSchedule"}, 1),
        ({"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}, 2),
    ],
)
def test_a_taint_keeps_it_away_unless_daemons_bear_it(taint: Obj, expected: int) -> None:
    w = World(good="")
    add_nodes(w, "a", taints=[taint])
    w.workload(SET)
    assert status(w)["desiredNumberScheduled"] == expected


def test_a_node_selector_chooses_its_nodes() -> None:
    w = World(good="")
    add_nodes(w, "a")
    w.workload(SET, pod={"nodeSelector": {"kubernetes.io/hostname": "a"}})
    assert set(images(w)) == {"a"}
    node = w.get(NODES, "a", "")
    w.store.replace(NODES, {**node, "metadata": {**node["metadata"], "labels": {}}}, w.now)
    w.settle()
    assert w.pods() == []
    assert status(w)["desiredNumberScheduled"] == 0


def test_a_rollout_takes_as_many_nodes_at_once_as_may_be_unavailable() -> None:
    w = World(good="", two="ready-after=3s")
    add_nodes(w, "a", "b", "c")
    w.workload(SET, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}})
    least = min_available(w)
    w.change(SET, image="two")
    assert sorted(images(w).values()) == ["good", "good", "two", "two"]
    assert w.run_until(
        lambda: status(w).get("updatedNumberScheduled") == status(w).get("numberAvailable") == 4
    ) == pytest.approx(6)
    assert least() == 2


def min_available(w: World) -> Any:
    """The fewest pods that were available at any moment from now on."""
    counts: list[int] = []

    def count() -> None:
        ready = [p for p in w.pods() if not is_terminating(p) and _is_ready(p)]
        counts.append(len(ready))

    w.store.subscribe(lambda event: count() if event.resource is PODS else None)
    return lambda: min(counts)


def _is_ready(pod: Obj) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status_of(pod).get("conditions") or ())


def test_a_surge_makes_the_new_pod_beside_the_old_one() -> None:
    w = World(good="", two="ready-after=3s")
    add_nodes(w, "a")
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    w.workload(SET, updateStrategy=strategy)
    least = min_available(w)
    w.change(SET, image="two")
    assert len(w.pods()) == 3
    assert w.run_until(lambda: set(images(w).values()) == {"two"} and len(w.pods()) == 2) == pytest.approx(6)
    assert least() == 2


def test_on_delete_replaces_only_what_somebody_deletes() -> None:
    w = World(good="", two="")
    add_nodes(w, "a")
    w.workload(SET, updateStrategy={"type": "OnDelete"})
    w.change(SET, image="two")
    assert set(images(w).values()) == {"good"}
    w.store.delete(PODS, NAMESPACE, name_of(w.pods()[0]), w.now, grace=0)
    w.settle()
    assert sorted(images(w).values()) == ["good", "two"]


def test_a_broken_old_pod_is_replaced_by_a_template_that_mends_it() -> None:
    w = World(good="", bad="exit=1")
    add_nodes(w, "a")
    w.workload(SET)
    w.change(SET, image="bad")
    w.run(30)
    assert sorted(images(w).values()) == ["bad", "good"]
    w.change(SET, image="good")
    w.run(5)
    assert list(images(w).values()) == ["good", "good"]


def test_pods_and_revisions_are_labelled_with_the_hash_and_the_templates_generation() -> None:
    w = World(good="", two="")
    w.workload(SET)
    w.change(SET, image="two")
    newest = max(w.store.list(CONTROLLER_REVISIONS, NAMESPACE), key=lambda each: int(each["revision"]))
    hash_ = labels_of(newest)["controller-revision-hash"]
    assert name_of(newest) == f"web-{hash_}"
    assert labels_of(w.pods()[0]) == {"app": "web", "controller-revision-hash": hash_, "pod-template-generation": "2"}
    assert w.get(DAEMON_SETS, "web")["metadata"]["annotations"] == {"deprecated.daemonset.template.generation": "2"}


def test_an_old_template_gets_its_revision_back_under_a_new_number() -> None:
    w = World(good="", two="")
    w.workload(SET)
    (first,) = w.store.list(CONTROLLER_REVISIONS, NAMESPACE)
    w.change(SET, image="two")
    w.change(SET, image="good")
    found = {name_of(each): each["revision"] for each in w.store.list(CONTROLLER_REVISIONS, NAMESPACE)}
    assert found[name_of(first)] == 3
    assert len(found) == 2


def test_old_revisions_are_forgotten_beyond_the_limit() -> None:
    w = World(**{f"v{number}": "" for number in range(6)})
    w.workload(SET, image="v0", revisionHistoryLimit=2)
    for number in range(1, 6):
        w.change(SET, image=f"v{number}")
    w.run(1)
    assert sorted(each["revision"] for each in w.store.list(CONTROLLER_REVISIONS, NAMESPACE)) == [4, 5, 6]


def test_a_failed_pod_is_replaced_and_that_is_told() -> None:
    w = World(good="")
    w.workload(SET)
    pod = w.pods()[0]
    w.store.replace(PODS, {**pod, "status": {**pod["status"], "phase": "Failed"}}, w.now, subresource="status")
    w.settle()
    assert uid_of(w.pods()[0]) != uid_of(pod)
    assert len(w.told("FailedDaemonPod")) == 1


def test_min_ready_seconds_hold_it_up() -> None:
    w = World(good="", two="")
    add_nodes(w, "a")
    w.workload(SET, minReadySeconds=10)
    w.run(20)
    w.change(SET, image="two")
    assert status(w)["numberAvailable"] == 1
    assert w.run_until(
        lambda: status(w).get("numberAvailable") == 2 and set(images(w).values()) == {"two"}
    ) == pytest.approx(20, abs=2)


def test_refused_pods_are_told_and_tried_again() -> None:
    w = World(good="")
    w.workload(SET, pod={"serviceAccountName": "absent"})
    assert 'serviceaccount "absent" not found' in w.told("FailedCreate")[0]["message"]
    assert status(w)["desiredNumberScheduled"] == 1
    assert w.wake is not None
