"""The control loop as a whole: where it begins, whom it tells, what it costs."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from kdeploy.model import Kind
from kdeploy.rollout.objects import name_of, status_of, uid_of
from kdeploy.sandbox.core.agenda import Agenda
from kdeploy.sandbox.core.backoff import Backoff, go_duration
from kdeploy.sandbox.core.bootstrap import bootstrap
from kdeploy.sandbox.core.changes import Tell
from kdeploy.sandbox.core.control import Controllers
from kdeploy.sandbox.core.defaults import with_defaults
from kdeploy.sandbox.core.images import ImageInfo
from kdeploy.sandbox.core.recorder import KEPT, Recorder
from kdeploy.sandbox.core.resources import (
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    RESOURCES,
    SERVICE_ACCOUNTS,
)
from kdeploy.sandbox.core.store import Store
from tests.unit.sandbox.core.world import DIGEST, NAMESPACE, START, World, manifest


def new_store() -> Store:
    uids = count(1)
    return Store(new_uid=lambda: f"uid-{next(uids)}")


def found(_: str) -> ImageInfo:
    return ImageInfo(digest=DIGEST, labels={}, config={}, layers=())


def test_controllers_begin_with_what_is_there_already() -> None:
    store = new_store()
    bootstrap(store, START)
    web: Any = manifest(Kind.DEPLOYMENT, "web", "good", replicas=2)
    store.create(DEPLOYMENTS, with_defaults(DEPLOYMENTS, {**web, "metadata": {"name": "web", "namespace": "a"}}), START)
    Controllers(store, images=found).settle(START)
    assert status_of(store.list(DEPLOYMENTS)[0])["availableReplicas"] == 2
    Controllers(store, images=found).settle(START + 1)
    assert len(store.list(PODS)) == 2


def test_a_new_cluster_has_its_namespaces_and_its_node() -> None:
    store = new_store()
    bootstrap(store, START)
    Controllers(store, images=found).settle(START)
    assert [name_of(each) for each in store.list(NODES)] == ["sandbox"]
    usual = ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert [name_of(each) for each in store.list(NAMESPACES)] == usual
    accounts = [(each["metadata"]["namespace"], name_of(each)) for each in store.list(SERVICE_ACCOUNTS)]
    assert ("default", "default") in accounts
    assert len(accounts) == 4


def test_refused_pods_are_tried_again_when_their_account_comes() -> None:
    w = World(good="")
    w.workload(pod={"serviceAccountName": "builder"})
    (only,) = w.store.list(REPLICA_SETS, NAMESPACE)
    failure = status_of(only)["conditions"][0]
    assert (failure["type"], failure["reason"]) == ("ReplicaFailure", "FailedCreate")
    w.create(SERVICE_ACCOUNTS, {"metadata": {"name": "builder"}})
    assert len(w.pods()) == 1
    assert "conditions" not in status_of(w.store.list(REPLICA_SETS, NAMESPACE)[0])
    assert "ReplicaFailure" not in [each["type"] for each in status_of(w.get(DEPLOYMENTS, "web"))["conditions"]]


def test_refused_pods_are_told_again_and_again_as_one_event() -> None:
    w = World(good="")
    w.workload(pod={"serviceAccountName": "builder"})
    w.run(35)
    (event,) = w.told("FailedCreate")
    assert event["count"] == 4
    assert event["message"] == (
        f'Error creating: pods "{name_of(w.store.list(REPLICA_SETS, NAMESPACE)[0])}-" is forbidden: '
        'error looking up service account shop/builder: serviceaccount "builder" not found'
    )


def test_events_are_about_their_object_and_count_what_is_the_same() -> None:
    w = World(bad="exit=1")
    w.workload(image="bad")
    w.run(120)
    (back_off,) = w.told("BackOff")
    pod = w.pods()[0]
    assert back_off["involvedObject"]["uid"] == uid_of(pod)
    assert back_off["involvedObject"]["fieldPath"] == "spec.containers{web}"
    assert back_off["source"] == {"component": "kubelet", "host": "sandbox"}
    assert back_off["count"] > 1
    assert back_off["firstTimestamp"] < back_off["lastTimestamp"]


def test_events_of_one_moment_have_names_of_their_own() -> None:
    w = World(good="")
    w.workload(replicas=1)
    pod = w.pods()[0]
    recorder = Recorder(w.store)
    for number in range(10_000):
        recorder.tell(Tell(pod, "Told", f"the {number}th", "kubelet"), w.now)
    assert len(w.told("Told")) == 10_000


def test_events_are_kept_for_an_hour() -> None:
    w = World(good="")
    w.workload()
    assert w.store.list(EVENTS)
    w.run(3599)
    assert w.store.list(EVENTS)
    w.run(1)
    assert w.store.list(EVENTS) == []


def test_an_event_that_comes_again_stays_and_counts_on() -> None:
    w = World(never="never-ready")
    w.workload(image="never", container={"readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 10}})
    w.run(3000)
    (before,) = w.told("Unhealthy")
    w.run(1000)
    (event,) = w.store.list(EVENTS)
    assert event["metadata"]["uid"] == before["metadata"]["uid"]
    assert event["count"] > before["count"]


def test_an_event_is_kept_for_an_hour_from_when_it_came_last() -> None:
    w = World(good="")
    w.workload(replicas=1)
    recorder, told = Recorder(w.store), Tell(w.pods()[0], "Told", "again", "kubelet")
    for at in (0, 10, KEPT):
        recorder.tell(told, w.now + at)
    recorder.forget_old(w.now + 2 * KEPT - 1)
    assert [event["count"] for event in w.told("Told")] == [3]
    recorder.forget_old(w.now + 2 * KEPT)
    assert w.told("Told") == []


def test_a_deleted_namespace_leaves_nothing_behind() -> None:
    w = World(good="stop-after=5s")
    w.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
    for kind in Kind:
        w.workload(kind, name=kind.lower())
    w.store.delete(NAMESPACES, "", NAMESPACE, w.now)
    w.run(60)
    left = [obj for resource in RESOURCES for obj in w.store.list(resource)]
    assert [obj for obj in left if obj["metadata"].get("namespace") == NAMESPACE] == []
    assert w.wake is None


def test_workloads_of_one_name_in_two_namespaces_do_not_meet() -> None:
    w = World(good="", two="")
    for namespace in ("a", "b"):
        metadata = {"name": "web", "namespace": namespace}
        w.create(DEPLOYMENTS, {**manifest(Kind.DEPLOYMENT, "web", "good"), "metadata": metadata})
    w.store.delete(DEPLOYMENTS, "a", "web", w.now)
    w.settle()
    assert [pod["metadata"]["namespace"] for pod in w.store.list(PODS)] == ["b"]


def test_one_workloads_change_is_nothing_to_another() -> None:
    w = World(good="", two="")
    for number in range(20):
        w.workload(name=f"web{number}", replicas=3)
    others = {name_of(each): each for each in w.store.list(DEPLOYMENTS)}
    w.change(name="web0", image="two")
    for name, before in others.items():
        assert name == "web0" or w.get(DEPLOYMENTS, name) is before


def test_a_rollout_takes_as_many_writes_beside_a_thousand_pods_as_alone() -> None:
    def writes(w: World) -> int:
        before = w.store.version
        w.change(image="two")
        return w.store.version - before

    alone, crowded = World(good="", two=""), World(good="", two="")
    for number in range(49):
        crowded.workload(name=f"other{number}", replicas=20)
    for w in (alone, crowded):
        w.workload(replicas=3)
    assert len(crowded.pods()) == 983
    assert writes(alone) == writes(crowded)


def test_looks_at_an_object_are_merged_and_ordered() -> None:
    agenda = Agenda((PODS, REPLICA_SETS))
    agenda.mark(REPLICA_SETS, ("a", "r"))
    agenda.mark(PODS, ("a", "p"))
    agenda.mark(PODS, ("a", "p"))
    assert [agenda.take(0), agenda.take(0), agenda.take(0)] == [(PODS, ("a", "p")), (REPLICA_SETS, ("a", "r")), None]


def test_an_object_has_one_time() -> None:
    agenda = Agenda((PODS,))
    agenda.wake(PODS, ("a", "p"), 10)
    agenda.wake(PODS, ("a", "q"), 20)
    agenda.wake(PODS, ("a", "p"), 30)
    assert agenda.next() == 20
    assert agenda.take(19) is None
    assert agenda.take(25) == (PODS, ("a", "q"))
    agenda.wake(PODS, ("a", "p"), None)
    assert (agenda.next(), agenda.take(100)) == (None, None)


def test_the_back_off_doubles_and_forgets() -> None:
    backoff = Backoff()
    assert backoff.until(100) == 100
    delays = []
    for _ in range(7):
        backoff = backoff.after(100, 100)
        delays.append(backoff.until(100) - 100)
    assert delays == [10, 20, 40, 80, 160, 300, 300]
    assert backoff.until(701) == 701
    assert backoff.after(701, 701).delay == 10


@pytest.mark.parametrize(("seconds", "text"), [(10, "10s"), (80, "1m20s"), (300, "5m0s")])
def test_durations_read_like_gos(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def test_controllers_that_never_come_to_rest_are_a_bug_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    w = World(good="")
    monkeypatch.setattr("kdeploy.sandbox.core.control._MOST", 50)
    with pytest.raises(RuntimeError, match="do not come to rest"):
        w.workload(replicas=100)
