"""The sandbox's clusters judged beside recordings of real ones: the same verdict for the same situation.

Each scene here plays what tests/unit/rollout/record.py played on a real cluster of Kubernetes 1.35.
"""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy.model import Kind, Obj, Snapshot
from kdeploy.rollout.objects import status_of
from kdeploy.rollout.status import status_of as verdict_on
from kdeploy.sandbox.core.resources import DAEMON_SETS, DEPLOYMENTS, PODS, STATEFUL_SETS, of_workload
from tests.unit.rollout.dumps import load
from tests.unit.sandbox.core.real_scenes import SCENES, VERSION, play_image, play_unschedulable, world


def kind_of(snapshot: Snapshot) -> Kind:
    assert snapshot.workload is not None
    return Kind(snapshot.workload["kind"])


def told(snapshot: Snapshot) -> tuple[Any, ...]:
    """What kdeploy makes of it: the verdict, its pods and its culprits' reasons; without names and times."""
    verdict = verdict_on(snapshot)
    return (
        verdict.state,
        verdict.reason,
        verdict.pods,
        [(culprit.reason, culprit.container, culprit.exit_code) for culprit in verdict.culprits],
    )


@pytest.mark.parametrize("moment", SCENES)
def test_the_verdict_is_the_one_on_the_real_cluster(moment: str) -> None:
    recorded = load(VERSION, moment)
    w = world()
    SCENES[moment](w)
    assert told(w.snapshot(kind_of(recorded))) == told(recorded)


def test_every_recorded_moment_is_played() -> None:
    from tests.unit.rollout.dumps import MOMENTS

    assert set(SCENES) == set(MOMENTS)


# What differs for good reason, by path; names, uids, addresses, times and hashes are not compared at all.
_NAMES = {"name", "uid", "resourceVersion", "creationTimestamp", "generateName", "containerID", "imageID", "image"}
_TIMES = {"lastTransitionTime", "lastUpdateTime", "startTime", "startedAt", "finishedAt", "firstTimestamp"}
_HERE = {"hostIP", "hostIPs", "podIP", "podIPs", "nodeName", "host", "namespace", "lastTimestamp", "eventTime"}
_HASHES = {"pod-template-hash", "controller-revision-hash", "controller.kubernetes.io/hash", "currentRevision"}
_IGNORED = _NAMES | _TIMES | _HERE | _HASHES | {"updateRevision", "reportingInstance", "annotations", "count", "app"}


def shape(value: Any) -> Any:
    """An object's form: its keys, and the values that do not depend on the place."""
    if isinstance(value, dict):
        return {key: (None if key in _IGNORED else shape(item)) for key, item in value.items() if key != "annotations"}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return value


def status_shape(obj: Obj) -> Any:
    """A status without the sentences, which name what they are about."""

    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: bare(item) for key, item in value.items() if key != "message"}
        return [bare(item) for item in value] if isinstance(value, list) else value

    return bare(shape(status_of(obj)))


STATUSES = (
    *("complete", "mid-rollout", "image-missing", "deadline", "pods-denied", "scaled-to-0", "paused"),
    *("statefulset-stuck", "statefulset-complete", "statefulset-scaled-to-0", "daemonset-complete", "daemonset-stuck"),
)


@pytest.mark.parametrize("moment", STATUSES)
def test_the_workloads_status_is_the_real_one(moment: str) -> None:
    recorded = load(VERSION, moment)
    w = world()
    SCENES[moment](w)
    mine = w.snapshot(kind_of(recorded)).workload
    assert mine is not None
    assert recorded.workload is not None
    assert status_shape(mine) == status_shape(recorded.workload)


@pytest.mark.parametrize(
    "moment",
    ["complete", "image-missing", "image-missing-back-off", "crash-2", "configmap-absent", "unready", "init-failing"],
)
def test_the_new_pods_status_is_the_real_one(moment: str) -> None:
    recorded = load(VERSION, moment)
    w = world()
    SCENES[moment](w)
    real, mine = newest_pod(recorded), newest_pod(w.snapshot())
    assert status_shape(mine) == status_shape(real)
    assert set(mine["metadata"]) - {"annotations"} == set(real["metadata"])
    assert set(mine["spec"]) | {"automountServiceAccountToken"} == set(real["spec"])


def newest_pod(snapshot: Snapshot) -> Obj:
    return max(snapshot.pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))


@pytest.mark.parametrize("moment", ["mid-rollout", "deadline", "pods-denied", "foreign-env"])
def test_replica_sets_are_the_real_ones(moment: str) -> None:
    recorded = load(VERSION, moment)
    w = world()
    SCENES[moment](w)

    def by_revision(snapshot: Snapshot) -> list[Any]:
        number = "deployment.kubernetes.io/revision"
        ordered = sorted(snapshot.revisions, key=lambda each: int(each["metadata"]["annotations"][number]))
        return [(set(each["metadata"]), set(each["spec"]), status_shape(each)) for each in ordered]

    assert by_revision(w.snapshot()) == by_revision(recorded)


@pytest.mark.parametrize("moment", ["statefulset-stuck", "daemonset-stuck"])
def test_controller_revisions_are_the_real_ones(moment: str) -> None:
    recorded = load(VERSION, moment)
    w = world()
    SCENES[moment](w)

    def forms(snapshot: Snapshot) -> list[Any]:
        ordered = sorted(snapshot.revisions, key=lambda each: int(each["revision"]))
        found = [{k: v for k, v in each.items() if k != "data"} for each in ordered]
        kept = [sorted(each["data"]["spec"]["template"]) for each in ordered]
        return [shape(found), kept, [sorted(each["metadata"]) for each in ordered]]

    assert forms(w.snapshot(kind_of(recorded))) == forms(recorded)


@pytest.mark.parametrize("moment", sorted(SCENES))
def test_the_warnings_are_the_real_ones(moment: str) -> None:
    recorded = load(VERSION, moment)
    w = world()
    SCENES[moment](w)

    def warnings(snapshot: Snapshot) -> set[tuple[str, str, str]]:
        about = (
            (e["involvedObject"]["kind"], e["reason"], e["reportingComponent"], e["type"]) for e in snapshot.events
        )
        return {(kind, reason, whose) for kind, reason, whose, type_ in about if type_ == "Warning"}

    mine, real = warnings(w.snapshot(kind_of(recorded))), warnings(recorded)
    # A real kubelet tells of a back-off a moment before or after it shows it.
    assert mine ^ real <= {("Pod", "BackOff", "kubelet")}


def test_the_messages_of_containers_are_the_real_ones() -> None:
    w = world()
    play_image("entry", "RunContainerError")(w)
    (real,) = load(VERSION, "entry-point-absent").pods
    wanted = real["status"]["containerStatuses"][0]
    mine = w.pods()[0]["status"]["containerStatuses"][0]
    assert mine["state"] == wanted["state"]
    assert {k: v for k, v in mine["lastState"]["terminated"].items() if k not in ("finishedAt", "containerID")} == {
        k: v for k, v in wanted["lastState"]["terminated"].items() if k not in ("finishedAt", "containerID")
    }


def test_unschedulable_pods_are_told_in_the_schedulers_sentence() -> None:
    w = world()
    play_unschedulable(w)
    (real,) = load(VERSION, "unschedulable").pods
    (mine,) = w.store.list(PODS)
    assert mine["status"]["conditions"][0]["message"] == real["status"]["conditions"][0]["message"]
    assert status_shape(mine) == status_shape(real)


def test_every_kind_has_a_scene() -> None:
    assert {of_workload(kind_of(load(VERSION, moment))) for moment in SCENES} == {
        DEPLOYMENTS,
        STATEFUL_SETS,
        DAEMON_SETS,
    }
