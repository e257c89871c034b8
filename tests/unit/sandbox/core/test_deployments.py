"""Deployments: rolled, recreated, paused, scaled, rolled back, timed out."""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy.model import Kind, Obj
from kdeploy.rollout.objects import annotations_of, condition, labels_of, name_of, status_of, uid_of
from kdeploy.sandbox.core.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from tests.unit.sandbox.core.world import NAMESPACE, World, manifest

REVISION = "deployment.kubernetes.io/revision"


def deployment(w: World) -> Obj:
    return w.get(DEPLOYMENTS, "web")


def sets(w: World) -> list[Obj]:
    return sorted(w.store.list(REPLICA_SETS, NAMESPACE), key=lambda each: int(annotations_of(each)[REVISION]))


def sizes(w: World) -> list[int]:
    return [each["spec"]["replicas"] for each in sets(w)]


def progressing(w: World) -> tuple[str, str, str]:
    found = condition(deployment(w), "Progressing")
    assert found is not None
    return found["status"], found["reason"], found["message"]


def scalings(w: World) -> list[str]:
    """What the controller told of sizes, in order, with revisions for names."""
    names = {name_of(each): f"#{annotations_of(each)[REVISION]}" for each in sets(w)}
    told = [e.obj for e in w.events if e.obj["kind"] == "Event" and e.obj["reason"] == "ScalingReplicaSet"]
    return [_short(str(each["message"]), names) for each in told]


def _short(message: str, names: dict[str, str]) -> str:
    for name, short in names.items():
        message = message.replace(f"replica set {name}", short)
    return message


def test_a_new_deployment_has_one_replica_set_and_all_its_pods() -> None:
    w = World(good="")
    w.workload(replicas=3)
    (only,) = sets(w)
    hash_ = labels_of(only)["pod-template-hash"]
    assert name_of(only) == f"web-{hash_}"
    assert only["spec"]["selector"] == {"matchLabels": {"app": "web", "pod-template-hash": hash_}}
    assert only["spec"]["template"]["spec"] is deployment(w)["spec"]["template"]["spec"]
    assert [labels_of(pod)["pod-template-hash"] for pod in w.pods()] == [hash_] * 3
    assert annotations_of(deployment(w))[REVISION] == "1"
    assert progressing(w) == (
        "True",
        "NewReplicaSetAvailable",
        f'ReplicaSet "{name_of(only)}" has successfully progressed.',
    )


UP_FIRST = "up #2 from 0 to 1, down #1 from 3 to 2, up #2 from 1 to 2, down #1 from 2 to 1, up #2 from 2 to 3, "
DOWN_FIRST = "down #1 from 3 to 2, up #2 from 0 to 1, down #1 from 2 to 1, up #2 from 1 to 2, down #1 from 1 to 0, "


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ({"maxSurge": 1, "maxUnavailable": 0}, UP_FIRST + "down #1 from 1 to 0"),
        ({"maxSurge": 0, "maxUnavailable": 1}, DOWN_FIRST + "up #2 from 2 to 3"),
        ({"maxSurge": "100%", "maxUnavailable": 0}, "up #2 from 0 to 3, down #1 from 3 to 0"),
        ({"maxSurge": 0, "maxUnavailable": "100%"}, "down #1 from 3 to 0, up #2 from 0 to 3"),
    ],
)
def test_a_rollout_goes_by_its_strategy(strategy: Obj, expected: str) -> None:
    w = World(good="", two="")
    w.workload(replicas=3, strategy={"type": "RollingUpdate", "rollingUpdate": strategy})
    w.events.clear()
    w.change(image="two")
    assert scalings(w) == [f"Scaled {each}" for each in expected.split(", ")]
    assert sizes(w) == [0, 3]


def test_the_conditions_of_a_rollout_come_in_their_order() -> None:
    w = World(good="", two="ready-after=5s")
    w.workload(replicas=2)
    w.events.clear()
    w.change(image="two")
    w.run_until(lambda: sizes(w) == [0, 2] and progressing(w)[1] == "NewReplicaSetAvailable")
    seen = [condition(e.obj, "Progressing") for e in w.events if e.obj["kind"] == "Deployment"]
    reasons = [each["reason"] for each in seen if each is not None]
    assert list(dict.fromkeys(reasons)) == ["NewReplicaSetAvailable", "NewReplicaSetCreated", "ReplicaSetUpdated"]
    assert reasons[-1] == "NewReplicaSetAvailable"
    assert progressing(w)[2] == f'ReplicaSet "{name_of(sets(w)[1])}" has successfully progressed.'


def test_min_ready_seconds_hold_a_rollout_up() -> None:
    w = World(good="", two="")
    w.workload(replicas=1)
    w.change(image="two", minReadySeconds=20)
    assert sizes(w) == [1, 1]
    assert sets(w)[1]["spec"]["minReadySeconds"] == 20
    assert status_of(deployment(w))["availableReplicas"] == 1
    seconds = w.run_until(lambda: sizes(w) == [0, 1])
    assert seconds == pytest.approx(20, abs=1)


def test_a_recreated_deployment_waits_for_the_last_old_pod() -> None:
    w = World(good="stop-after=7s", two="")
    w.workload(replicas=2, strategy={"type": "Recreate"})
    w.events.clear()
    w.change(image="two")
    assert sizes(w) == [0]
    assert len(w.pods()) == 2
    w.run(6.5)
    assert sizes(w) == [0]
    seconds = 6.5 + w.run_until(lambda: sizes(w) == [0, 2])
    assert seconds == pytest.approx(7)
    assert progressing(w)[1] == "NewReplicaSetAvailable"
    assert scalings(w) == ["Scaled down #1 from 2 to 0", "Scaled up #2 from 0 to 2"]


def test_a_paused_deployment_rolls_nothing_and_is_scaled_all_the_same() -> None:
    w = World(good="", two="")
    w.workload(replicas=2)
    w.change(paused=True)
    w.change(image="two")
    assert (sizes(w), progressing(w)) == ([2], ("Unknown", "DeploymentPaused", "Deployment is paused"))
    assert status_of(deployment(w)).get("updatedReplicas") is None
    w.change(replicas=4)
    assert sizes(w) == [4]
    w.change(paused=False)
    assert sizes(w) == [0, 4]
    assert progressing(w)[1] == "NewReplicaSetAvailable"


def test_a_resumed_deployment_has_its_whole_deadline() -> None:
    w = World(good="", never="never-ready")
    w.workload(progressDeadlineSeconds=30)
    w.change(image="never", paused=True)
    w.run(100)
    w.change(paused=False)
    assert progressing(w)[1] in ("NewReplicaSetCreated", "ReplicaSetUpdated")
    w.run(29)
    assert progressing(w)[1] != "ProgressDeadlineExceeded"
    w.run(3)
    assert progressing(w)[1] == "ProgressDeadlineExceeded"


def test_a_rollout_without_progress_times_out_and_names_the_replica_set() -> None:
    w = World(good="", never="never-ready")
    w.workload(progressDeadlineSeconds=60)
    w.change(image="never")
    seconds = w.run_until(lambda: progressing(w)[0] == "False")
    assert seconds == pytest.approx(61, abs=1)
    sentence = f'ReplicaSet "{name_of(sets(w)[1])}" has timed out progressing.'
    assert progressing(w) == ("False", "ProgressDeadlineExceeded", sentence)
    available = condition(deployment(w), "Available")
    assert available is not None
    assert available["reason"] == "MinimumReplicasAvailable"
    assert w.wake is None or w.wake > w.now


def test_progress_renews_the_deadline() -> None:
    w = World(good="", two="ready-after=8s")
    w.workload(replicas=3, progressDeadlineSeconds=10)
    w.change(image="two")
    seconds = w.run_until(lambda: progressing(w)[1] == "NewReplicaSetAvailable")
    assert seconds == pytest.approx(24, abs=1)


def test_a_timed_out_rollout_may_still_complete() -> None:
    w = World(good="", two="ready-after=100s")
    w.workload(progressDeadlineSeconds=10)
    w.change(image="two")
    w.run_until(lambda: progressing(w)[1] == "ProgressDeadlineExceeded")
    w.run_until(lambda: progressing(w)[1] == "NewReplicaSetAvailable")
    assert progressing(w)[0] == "True"


def test_no_deadline_means_no_progressing_condition() -> None:
    w = World(good="", never="never-ready")
    w.workload(progressDeadlineSeconds=2147483647)
    w.change(image="never")
    assert condition(deployment(w), "Progressing") is None
    w.run(1000)
    assert condition(deployment(w), "Progressing") is None


def test_an_old_template_gets_its_old_replica_set_back_with_a_new_number() -> None:
    w = World(good="", two="", three="")
    w.workload(replicas=2)
    first = name_of(sets(w)[0])
    w.change(image="two")
    w.change(image="good")
    assert [name_of(each) for each in sets(w)][-1] == first
    assert [annotations_of(each)[REVISION] for each in sets(w)] == ["2", "3"]
    assert annotations_of(sets(w)[1])["deployment.kubernetes.io/revision-history"] == "1"
    assert annotations_of(deployment(w))[REVISION] == "3"
    w.change(image="two")
    w.change(image="good")
    assert annotations_of(sets(w)[1])["deployment.kubernetes.io/revision-history"] == "1,3"
    assert len(sets(w)) == 2


def test_empty_fields_make_no_other_template() -> None:
    w = World(good="")
    w.workload()
    before = deployment(w)
    template = before["spec"]["template"]
    noisy = {**template, "metadata": {**template["metadata"], "creationTimestamp": None, "annotations": {}}}
    w.store.replace(DEPLOYMENTS, {**before, "spec": {**before["spec"], "template": noisy}}, w.now)
    w.settle()
    assert len(sets(w)) == 1


def test_annotations_are_copied_to_the_newest_replica_set_only() -> None:
    w = World(good="", two="")
    w.workload(annotations={"team": "a", "kubectl.kubernetes.io/last-applied-configuration": "{}"})
    assert annotations_of(sets(w)[0])["team"] == "a"
    w.change(image="two")
    before = deployment(w)
    changed = {**before["metadata"], "annotations": {**before["metadata"]["annotations"], "team": "b"}}
    w.store.replace(DEPLOYMENTS, {**before, "metadata": changed}, w.now)
    w.settle()
    assert [annotations_of(each)["team"] for each in sets(w)] == ["a", "b"]
    for each in sets(w):
        assert "kubectl.kubernetes.io/last-applied-configuration" not in annotations_of(each)
    assert annotations_of(sets(w)[1])["deployment.kubernetes.io/desired-replicas"] == "1"
    assert annotations_of(sets(w)[1])["deployment.kubernetes.io/max-replicas"] == "2"


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_old_replica_sets_are_forgotten_beyond_the_limit(limit: int) -> None:
    w = World(**{f"v{number}": "" for number in range(6)})
    w.workload(image="v0", revisionHistoryLimit=limit)
    for number in range(1, 6):
        w.change(image=f"v{number}")
    assert [annotations_of(each)[REVISION] for each in sets(w)] == [str(n) for n in range(6 - limit, 7)]


def test_a_failing_revision_does_not_hinder_the_next_one() -> None:
    w = World(good="", bad="exit=1", two="")
    w.workload(replicas=3)
    w.change(image="bad")
    w.run(5)
    assert sizes(w) == [3, 1]
    w.change(image="two")
    w.run_until(lambda: sizes(w) == [0, 0, 3])
    assert progressing(w)[1] == "NewReplicaSetAvailable"


def test_a_failing_revision_is_replaced_by_the_old_one() -> None:
    w = World(good="", bad="start-error")
    w.workload(replicas=3)
    w.change(image="bad")
    w.run(30)
    w.change(image="good")
    assert [each["spec"]["replicas"] for each in sets(w)] == [0, 3]
    assert status_of(deployment(w))["availableReplicas"] == 3


def test_new_pods_that_are_not_available_keep_old_ones_from_being_ended() -> None:
    """The example in pkg/controller/deployment/rolling.go, reconcileOldReplicaSets, case 1."""
    w = World(good="", bad="exit=1")
    strategy = {"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    w.workload(replicas=10, strategy=strategy, container={"imagePullPolicy": "Always"})
    w.change(image="bad")
    assert sizes(w) == [8, 5]
    w.images["good"] = "never-ready"
    first = name_of(sets(w)[0])
    w.store.delete(PODS, NAMESPACE, next(name_of(p) for p in w.pods() if name_of(p).startswith(first)), w.now)
    w.run(30)
    assert (sizes(w), status_of(sets(w)[0])["availableReplicas"]) == ([8, 5], 7)
    w.events.clear()
    w.images["good"] = ""
    w.change(image="good")
    assert scalings(w)[0] == "Scaled down #2 from 5 to 1"


def test_scaling_while_rolling_keeps_the_proportions() -> None:
    w = World(good="", never="never-ready")
    w.workload(replicas=10, strategy={"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}})
    w.change(image="never")
    assert sizes(w) == [8, 5]
    w.change(replicas=20)
    assert sum(sizes(w)) == 23
    assert sizes(w) == [14, 9]
    w.change(replicas=10)
    assert sizes(w) == [8, 5]
    assert annotations_of(sets(w)[0])["deployment.kubernetes.io/desired-replicas"] == "10"


@pytest.mark.parametrize(("before", "after"), [(2, 5), (5, 2), (3, 0), (0, 3)])
def test_scaling_alone_is_no_rollout(before: int, after: int) -> None:
    w = World(good="")
    w.workload(replicas=before)
    w.change(replicas=after)
    assert sizes(w) == [after]
    assert len(w.pods()) == after
    assert status_of(deployment(w))["observedGeneration"] == 2
    assert annotations_of(deployment(w))[REVISION] == "1"


def test_scaling_down_spares_the_pods_that_serve() -> None:
    w = World(good="")
    w.workload(replicas=2, container={"imagePullPolicy": "Always"})
    first, second = w.pods()
    w.images["good"] = "ready-after=50s"
    w.store.delete(PODS, NAMESPACE, name_of(first), w.now, grace=0)
    w.settle()
    assert len(w.pods()) == 2
    w.change(replicas=1)
    assert [uid_of(pod) for pod in w.pods()] == [uid_of(second)]


def test_a_taken_name_is_a_collision_and_the_hash_is_made_anew() -> None:
    w = World(good="", two="")
    w.workload()
    w.change(image="two")
    name = name_of(sets(w)[1])
    other = World(good="", two="")
    other.workload()
    foreign = {"name": name, "labels": {"app": "other"}, "annotations": {REVISION: "0"}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "other"}}, "template": {"metadata": {}, "spec": {}}}
    other.create(REPLICA_SETS, {"metadata": foreign, "spec": spec})
    other.change(image="two")
    newest = sets(other)[-1]
    assert name_of(newest) != name
    assert status_of(deployment(other))["collisionCount"] == 1
    assert status_of(deployment(other))["availableReplicas"] == 1


def test_orphaned_replica_sets_are_adopted_and_keep_their_pods() -> None:
    w = World(good="")
    w.workload(replicas=2)
    pods = {uid_of(pod) for pod in w.pods()}
    w.store.delete(DEPLOYMENTS, NAMESPACE, "web", w.now, propagation="Orphan")
    w.settle()
    assert len(w.pods()) == 2
    w.workload(replicas=2)
    (only,) = sets(w)
    assert [reference["uid"] for reference in only["metadata"]["ownerReferences"]] == [uid_of(deployment(w))]
    assert {uid_of(pod) for pod in w.pods()} == pods
    assert progressing(w)[1] == "NewReplicaSetAvailable"


def test_a_pod_that_loses_its_labels_is_released_and_replaced() -> None:
    w = World(good="")
    w.workload(replicas=1)
    pod = w.pods()[0]
    w.store.replace(PODS, {**pod, "metadata": {**pod["metadata"], "labels": {"debug": "yes"}}}, w.now)
    w.settle()
    assert len(w.pods()) == 2
    freed = w.get(PODS, name_of(pod))
    assert freed["metadata"]["ownerReferences"] == []


def test_a_deleted_pod_is_replaced_at_once() -> None:
    w = World(good="stop-after=10s")
    w.workload(replicas=2)
    w.store.delete(PODS, NAMESPACE, name_of(w.pods()[0]), w.now)
    w.settle()
    assert len(w.pods()) == 3
    assert status_of(sets(w)[0])["terminatingReplicas"] == 1
    w.run(11)
    assert len(w.pods()) == 2
    assert status_of(deployment(w))["terminatingReplicas"] == 0


def test_a_deleted_deployment_takes_everything_along() -> None:
    w = World(good="")
    w.workload(replicas=2)
    w.store.delete(DEPLOYMENTS, NAMESPACE, "web", w.now)
    w.settle()
    assert (sets(w), w.pods()) == ([], [])
    assert w.wake is None


def test_a_selector_of_everything_is_refused() -> None:
    w = World(good="")
    shape: Any = manifest(Kind.DEPLOYMENT, "web", "good")
    w.create(DEPLOYMENTS, {**shape, "spec": {**shape["spec"], "selector": {}}})
    assert w.pods() == []
    assert len(w.told("SelectingAll")) == 1
    assert status_of(deployment(w))["observedGeneration"] == 1


def test_a_long_name_is_cut_so_that_the_hash_fits() -> None:
    w = World(good="")
    w.workload(name="w" * 253)
    (only,) = w.store.list(REPLICA_SETS, NAMESPACE)
    assert len(name_of(only)) == 253


def test_nothing_more_happens_when_a_rollout_is_complete() -> None:
    w = World(good="", two="")
    w.workload(replicas=3)
    w.change(image="two")
    version = w.store.version
    w.run(3000)
    assert w.wake is None
    assert w.store.version == version
