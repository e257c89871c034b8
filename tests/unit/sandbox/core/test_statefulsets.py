"""StatefulSets: in order or in parallel, rolled from the last pod, with a partition, on delete, and stuck."""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy.model import Kind, Obj
from kdeploy.rollout.objects import is_ready, is_terminating, labels_of, name_of, status_of, uid_of
from kdeploy.rollout.template import template_hash
from kdeploy.sandbox.core.resources import CONTROLLER_REVISIONS, PODS, STATEFUL_SETS
from tests.unit.sandbox.core.world import NAMESPACE, World

SET = Kind.STATEFULSET


def status(w: World) -> Obj:
    return status_of(w.get(STATEFUL_SETS, "web"))


def revisions(w: World) -> list[Obj]:
    return sorted(w.store.list(CONTROLLER_REVISIONS, NAMESPACE), key=lambda each: int(each["revision"]))


def images(w: World) -> dict[str, str]:
    return {name_of(pod): pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in w.pods()}


def history(w: World) -> list[str]:
    """What happened to pods: "+web-0" made, "-web-0" asked to end, "web-0 ready"."""
    told = []
    for event in w.events:
        if event.resource is not PODS:
            continue
        name, before = name_of(event.obj), event.previous
        if event.type == "ADDED":
            told.append(f"+{name}")
        elif event.type == "MODIFIED" and before is not None:
            if is_terminating(event.obj) and not is_terminating(before):
                told.append(f"-{name}")
            elif is_ready(event.obj) and not is_ready(before):
                told.append(f"{name} ready")
    return told


def test_pods_are_made_in_order_each_when_the_last_is_ready() -> None:
    w = World(good="ready-after=2s")
    w.workload(SET, replicas=3)
    assert history(w) == ["+web-0"]
    assert w.run_until(lambda: status(w).get("readyReplicas") == 3) == pytest.approx(6)
    assert history(w) == ["+web-0", "web-0 ready", "+web-1", "web-1 ready", "+web-2", "web-2 ready"]


def test_parallel_pods_are_made_at_once() -> None:
    w = World(good="ready-after=2s")
    w.workload(SET, replicas=3, podManagementPolicy="Parallel")
    assert history(w) == ["+web-0", "+web-1", "+web-2"]


def test_pods_have_their_identity() -> None:
    w = World(good="")
    claim = {"metadata": {"name": "data"}, "spec": {}}
    w.workload(SET, replicas=2, serviceName="db", volumeClaimTemplates=[claim])
    (revision,) = revisions(w)
    pod = w.get(PODS, "web-1")
    assert labels_of(pod) == {
        "app": "web",
        "apps.kubernetes.io/pod-index": "1",
        "controller-revision-hash": name_of(revision),
        "statefulset.kubernetes.io/pod-name": "web-1",
    }
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-1", "db")
    assert pod["spec"]["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-1"}}]


def test_ordinals_may_begin_anywhere() -> None:
    w = World(good="")
    w.workload(SET, replicas=2, ordinals={"start": 5})
    assert [name_of(pod) for pod in w.pods()] == ["web-5", "web-6"]


def test_a_rollout_goes_from_the_last_pod_to_the_first() -> None:
    w = World(good="", two="ready-after=1s")
    w.workload(SET, replicas=3)
    w.events.clear()
    w.change(SET, image="two")
    w.run_until(lambda: status(w)["currentRevision"] == status(w)["updateRevision"])
    assert [each for each in history(w) if not each.endswith("ready")] == [
        "-web-2",
        "+web-2",
        "-web-1",
        "+web-1",
        "-web-0",
        "+web-0",
    ]
    assert status(w)["updatedReplicas"] == status(w)["currentReplicas"] == 3


def test_the_two_revisions_are_told_while_it_rolls() -> None:
    w = World(good="", never="never-ready")
    w.workload(SET, replicas=3)
    w.change(SET, image="never")
    old, new = revisions(w)
    assert status(w) == {
        "observedGeneration": 2,
        "replicas": 3,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "currentReplicas": 2,
        "updatedReplicas": 1,
        "currentRevision": name_of(old),
        "updateRevision": name_of(new),
        "collisionCount": 0,
    }


def test_a_broken_pod_blocks_even_the_template_that_would_mend_it_until_somebody_deletes_it() -> None:
    w = World(good="", bad="exit=1")
    w.workload(SET, replicas=2)
    w.change(SET, image="bad")
    w.run(60)
    w.change(SET, image="good")
    w.run(3000)
    assert images(w) == {"web-0": "good", "web-1": "bad"}
    w.store.delete(PODS, NAMESPACE, "web-1", w.now)
    w.run_until(lambda: status(w).get("readyReplicas") == 2)
    assert images(w) == {"web-0": "good", "web-1": "good"}
    assert status(w)["currentRevision"] == status(w)["updateRevision"]


@pytest.mark.parametrize("partition", [0, 1, 3, 9])
def test_pods_below_the_partition_stay_as_they_are(partition: int) -> None:
    w = World(good="", two="")
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}
    w.workload(SET, replicas=3, updateStrategy=strategy)
    w.change(SET, image="two")
    assert images(w) == {f"web-{n}": "two" if n >= partition else "good" for n in range(3)}
    if partition == 1:
        w.store.delete(PODS, NAMESPACE, "web-0", w.now, grace=0)
        w.settle()
        assert images(w)["web-0"] == "good"


def test_on_delete_replaces_only_what_somebody_deletes() -> None:
    w = World(good="", two="")
    w.workload(SET, replicas=2, updateStrategy={"type": "OnDelete"})
    w.change(SET, image="two")
    assert set(images(w).values()) == {"good"}
    w.store.delete(PODS, NAMESPACE, "web-0", w.now, grace=0)
    w.settle()
    assert images(w) == {"web-0": "two", "web-1": "good"}


def test_a_parallel_set_too_is_rolled_one_pod_at_a_time() -> None:
    w = World(good="", two="ready-after=3s")
    w.workload(SET, replicas=3, podManagementPolicy="Parallel")
    w.events.clear()
    w.change(SET, image="two")
    assert w.run_until(lambda: status(w)["currentRevision"] == status(w)["updateRevision"]) == pytest.approx(9)
    one = ["-web-2", "+web-2", "web-2 ready"]
    assert history(w) == one + [each.replace("2", "1") for each in one] + [each.replace("2", "0") for each in one]


def test_it_shrinks_from_the_last_pod_one_at_a_time() -> None:
    w = World(good="stop-after=5s")
    w.workload(SET, replicas=3)
    w.change(SET, replicas=1)
    assert [name_of(pod) for pod in w.pods() if is_terminating(pod)] == ["web-2"]
    assert w.run_until(lambda: len(w.pods()) == 1) == pytest.approx(10)


def test_a_parallel_set_shrinks_at_once() -> None:
    w = World(good="stop-after=5s")
    w.workload(SET, replicas=3, podManagementPolicy="Parallel")
    w.change(SET, replicas=0)
    assert sum(map(is_terminating, w.pods())) == 3


def test_min_ready_seconds_hold_it_up() -> None:
    w = World(good="")
    w.workload(SET, replicas=2, minReadySeconds=10)
    assert (status(w)["replicas"], status(w)["availableReplicas"]) == (1, 0)
    assert w.run_until(lambda: status(w)["availableReplicas"] == 2) == pytest.approx(20, abs=2)


def test_a_pod_that_has_ended_is_replaced() -> None:
    w = World(good="")
    w.workload(SET, replicas=1)
    pod = w.get(PODS, "web-0")
    w.store.replace(PODS, {**pod, "status": {**pod["status"], "phase": "Failed"}}, w.now, subresource="status")
    w.settle()
    assert uid_of(w.get(PODS, "web-0")) != uid_of(pod)


def test_an_old_template_gets_its_revision_back_under_a_new_number() -> None:
    w = World(good="", two="")
    w.workload(SET, replicas=1, annotations={"team": "a"})
    (first,) = revisions(w)
    assert first["metadata"]["annotations"] == {"team": "a"}
    assert template_hash(first["data"]["spec"]["template"]) == template_hash(
        w.get(STATEFUL_SETS, "web")["spec"]["template"]
    )
    w.change(SET, image="two")
    w.change(SET, image="good")
    assert [(name_of(each), each["revision"]) for each in revisions(w)][-1] == (name_of(first), 3)
    assert len(revisions(w)) == 2


def test_old_revisions_are_forgotten_beyond_the_limit() -> None:
    w = World(**{f"v{number}": "" for number in range(6)})
    w.workload(SET, image="v0", replicas=1, revisionHistoryLimit=2)
    for number in range(1, 6):
        w.change(SET, image=f"v{number}")
    w.run(1)
    assert [each["revision"] for each in revisions(w)] == [4, 5, 6]


def test_a_foreign_pod_of_its_name_is_in_the_way_and_that_is_told() -> None:
    w = World(good="")
    spec: Any = {"containers": [{"name": "x", "image": "registry/app:good"}]}
    w.create(PODS, {"metadata": {"name": "web-0"}, "spec": spec})
    w.workload(SET, replicas=1)
    w.run(15)
    assert status(w)["replicas"] == 0
    assert 'pods "web-0" already exists' in w.told("FailedCreate")[0]["message"]
    w.store.delete(PODS, NAMESPACE, "web-0", w.now, grace=0)
    w.run(15)
    assert status(w)["readyReplicas"] == 1


def test_orphaned_pods_of_its_name_are_adopted() -> None:
    w = World(good="")
    w.workload(SET, replicas=2)
    uids = [uid_of(pod) for pod in w.pods()]
    w.store.delete(STATEFUL_SETS, NAMESPACE, "web", w.now, propagation="Orphan")
    w.settle()
    w.workload(SET, replicas=2)
    assert [uid_of(pod) for pod in w.pods()] == uids
    assert status(w)["readyReplicas"] == 2
    assert len(revisions(w)) == 1


def test_an_orphan_on_its_way_out_is_not_adopted() -> None:
    w = World(good="stop-after=20s")
    w.workload(SET, replicas=1)
    w.store.delete(PODS, NAMESPACE, "web-0", w.now)
    w.store.delete(STATEFUL_SETS, NAMESPACE, "web", w.now, propagation="Orphan")
    w.settle()
    w.workload(SET, replicas=1)
    assert w.get(PODS, "web-0")["metadata"]["ownerReferences"] == []
    w.run(40)
    assert status(w)["readyReplicas"] == 1


def test_nothing_more_happens_when_it_is_complete() -> None:
    w = World(good="", two="")
    w.workload(SET, replicas=2)
    w.change(SET, image="two")
    version = w.store.version
    w.run(3000)
    assert (w.wake, w.store.version) == (None, version)
