"""Simulated pods on virtual time: pulled, started, probed, restarted, ended, as a kubelet does it."""

from __future__ import annotations

import pytest

from kdeploy.model import Obj
from kdeploy.rollout.objects import condition, is_ready, status_of
from kdeploy.sandbox.core.images import KIND_ANNOTATION, PullError
from kdeploy.sandbox.core.resources import PODS
from kdeploy.sandbox.core.timestamps import to_seconds
from tests.unit.sandbox.core.simulated_pods import pod, start, state, status, timeline, told
from tests.unit.sandbox.core.world import NAMESPACE, START, World


def test_a_usual_pod_runs_and_is_ready_at_once() -> None:
    w = World(good="")
    start(w)
    assert (status_of(pod(w))["phase"], state(w), is_ready(pod(w))) == ("Running", "running", True)
    assert told(w) == ["Scheduled", "Pulling", "Pulled", "Created", "Started"]
    assert status(w)["imageID"] == f"registry/app@sha256:{'0' * 64}"
    assert status(w)["containerID"].startswith("sandbox://")
    assert pod(w)["metadata"]["annotations"] == {KIND_ANNOTATION: "simulated"}
    assert w.told("Started")[0]["message"] == "Container started (simulated)"
    assert w.wake is None


def test_addresses_are_unique() -> None:
    w = World(good="")
    for number in range(300):
        start(w, name=f"p{number}")
    assert len({status_of(each)["podIP"] for each in w.pods()}) == 300


def test_pulling_and_starting_take_their_time() -> None:
    w = World(good="pull=3s start=2s ready-after=4s")
    start(w)
    assert timeline(w, 30) == [(0, "ContainerCreating"), (5, "running")]
    ready = condition(pod(w), "Ready")
    assert ready is not None
    assert to_seconds(ready["lastTransitionTime"]) == int(START + 9)
    assert 'Successfully pulled image "registry/app:good" in 3000ms' in w.told("Pulled")[0]["message"]


def test_an_image_is_pulled_once_for_a_node() -> None:
    w = World(good="pull=3s")
    start(w)
    w.run(3)
    start(w, name="b")
    assert status_of(pod(w, "b"))["phase"] == "Running"
    assert 'Container image "registry/app:good" already present on machine' in [e["message"] for e in w.told("Pulled")]


def test_always_means_each_time() -> None:
    w = World(good="")
    start(w)
    w.images["good"] = "never-ready"
    start(w, name="b")
    start(w, name="c", container={"imagePullPolicy": "Always"})
    assert [is_ready(pod(w, name)) for name in "bc"] == [True, False]


def test_never_means_never() -> None:
    w = World(good="")
    start(w, container={"imagePullPolicy": "Never"})
    assert state(w) == "ErrImageNeverPull"
    assert told(w) == ["Scheduled", "ErrImageNeverPull", "Failed"]
    start(w, name="b")
    w.run(11)
    assert state(w) == "running"


def test_a_crash_is_followed_by_a_restart_and_ever_longer_back_offs() -> None:
    w = World(bad="exit=3")
    start(w, "bad")
    assert timeline(w, 100) == [
        (0, "Error"),
        (2, "CrashLoopBackOff"),
        (11, "Error"),
        (12, "CrashLoopBackOff"),
        (31, "Error"),
        (32, "CrashLoopBackOff"),
        (71, "Error"),
        (72, "CrashLoopBackOff"),
    ]
    assert status(w)["restartCount"] == 4
    assert status(w)["state"]["waiting"]["message"].startswith(
        "back-off 1m20s restarting failed container=web pod=a_shop("
    )
    assert status(w)["lastState"]["terminated"]["exitCode"] == 3


def test_conditions_keep_the_time_of_their_change() -> None:
    w = World(bad="exit=1 exit-after=5s")
    start(w, "bad")
    w.run(6.5)
    times = {
        each["type"]: to_seconds(each["lastTransitionTime"]) - int(START) for each in status_of(pod(w))["conditions"]
    }
    assert (times["PodScheduled"], times["Initialized"], times["Ready"]) == (0, 0, 6)
    w.run(3)
    assert status_of(pod(w))["startTime"] == pod(w)["metadata"]["creationTimestamp"]


def test_the_back_off_ends_at_5_minutes() -> None:
    w = World(bad="exit=3")
    start(w, "bad")
    w.run(3600)
    w.run_until(lambda: state(w) == "CrashLoopBackOff")
    assert "back-off 5m0s" in status(w)["state"]["waiting"]["message"]


def test_ten_minutes_of_calm_forget_the_back_off() -> None:
    w = World(bad="exit=1 exit-after=15m")
    start(w, "bad")
    w.run(15 * 60 + 0.5)
    assert state(w) == "Error"
    for _ in range(3):
        assert w.run_until(lambda: state(w) == "running") < 1.1
        w.run_until(lambda: state(w) == "Error")


def test_a_container_that_crashes_only_at_first_recovers() -> None:
    w = World(late="exit=1 exits=2")
    start(w, "late")
    assert w.run_until(lambda: state(w) == "running") == pytest.approx(11)
    assert (status(w)["restartCount"], is_ready(pod(w))) == (2, True)
    assert w.wake is None


@pytest.mark.parametrize(
    ("behaviour", "reason", "code"),
    [("exit=0", "Completed", 0), ("exit=3 message=bye", "Error", 3), ("oom", "OOMKilled", 137)],
)
def test_an_end_has_its_reason(behaviour: str, reason: str, code: int) -> None:
    w = World(bad=behaviour)
    start(w, "bad")
    ended = status(w)["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"], ended.get("message")) == (reason, code, "bye" if code == 3 else None)


def test_a_container_that_cannot_start_says_why() -> None:
    w = World(bad="frobnicate")
    start(w, "bad")
    assert state(w) == "RunContainerError"
    message = status(w)["state"]["waiting"]["message"]
    assert 'behaviour "frobnicate": there is no such word' in message
    last = status(w)["lastState"]["terminated"]
    assert (last["reason"], last["exitCode"], last["startedAt"]) == ("StartError", 128, "1970-01-01T00:00:00Z")
    w.run(2)
    assert state(w) == "CrashLoopBackOff"


@pytest.mark.parametrize(
    ("policy", "behaviour", "phase", "restarts"),
    [
        ("Never", "exit=0", "Succeeded", 0),
        ("Never", "exit=2", "Failed", 0),
        ("OnFailure", "exit=0", "Succeeded", 0),
        ("OnFailure", "exit=2", "Running", 2),
        ("Always", "exit=0", "Running", 2),
    ],
)
def test_the_restart_policy_decides_what_follows(policy: str, behaviour: str, phase: str, restarts: int) -> None:
    w = World(job=behaviour)
    start(w, "job", restartPolicy=policy)
    w.run(20)
    assert (status_of(pod(w))["phase"], status(w)["restartCount"]) == (phase, restarts)
    if phase in ("Succeeded", "Failed"):
        ready = condition(pod(w), "Ready")
        assert ready is not None
        assert ready["reason"] == ("PodCompleted" if phase == "Succeeded" else "PodFailed")


def test_an_image_that_is_not_there_is_tried_again_with_back_offs_until_it_is() -> None:
    w = World()
    start(w, "absent")
    assert timeline(w, 40) == [
        (0, "ErrImagePull"),
        (1, "ImagePullBackOff"),
        (10, "ErrImagePull"),
        (11, "ImagePullBackOff"),
        (30, "ErrImagePull"),
        (31, "ImagePullBackOff"),
    ]
    assert status(w)["state"]["waiting"]["message"].startswith(
        'Back-off pulling image "registry/app:absent": ErrImagePull: rpc error: code = NotFound'
    )
    w.images["absent"] = ""
    w.run_until(lambda: state(w) == "running")
    assert w.now - START == pytest.approx(70)


def test_the_events_of_a_failed_pull_are_the_kubelets() -> None:
    w = World()
    start(w, "absent")
    w.run(5)
    messages = [event["message"] for event in w.told("Failed")]
    assert messages[0].startswith('Failed to pull image "registry/app:absent": rpc error: code = NotFound')
    assert sorted(messages[1:]) == ["Error: ErrImagePull", "Error: ImagePullBackOff"]
    assert {event["involvedObject"]["fieldPath"] for event in w.told("Failed")} == {"spec.containers{web}"}


def test_an_image_that_is_not_known_yet_is_waited_for() -> None:
    w = World(slow=None)
    start(w, "slow")
    assert (state(w), w.wake) == ("ContainerCreating", None)
    w.images["slow"] = ""
    w.settle()
    assert state(w) == "ContainerCreating"
    w.controllers.images_changed()
    w.settle()
    assert state(w) == "running"


def test_a_pod_that_waits_for_an_image_can_be_deleted() -> None:
    w = World(slow=None)
    start(w, "slow")
    w.store.delete(PODS, NAMESPACE, "a", w.now)
    w.settle()
    assert w.pods() == []
    w.controllers.images_changed()
    w.settle()


def test_a_pod_ends_when_its_containers_have_or_its_grace_is_over() -> None:
    w = World(good="stop-after=5s", slow="stop-after=90s")
    start(w)
    start(w, "slow", name="b", terminationGracePeriodSeconds=20)
    for name in "ab":
        w.store.delete(PODS, NAMESPACE, name, w.now)
    assert w.run_until(lambda: len(w.pods()) == 1) == pytest.approx(5)
    assert w.run_until(lambda: not w.pods()) == pytest.approx(15)
    assert {event["message"] for event in w.told("Killing")} == {"Stopping container web"}


def test_a_second_deletion_can_shorten_the_grace() -> None:
    w = World(slow="stop-after=90s")
    start(w, "slow")
    w.store.delete(PODS, NAMESPACE, "a", w.now)
    w.run(2)
    w.store.delete(PODS, NAMESPACE, "a", w.now, grace=3)
    assert w.run_until(lambda: not w.pods()) == pytest.approx(3, abs=1)


@pytest.mark.parametrize(
    "hook",
    [{"sleep": {"seconds": 4}}, {"exec": {"command": ["sleep", "4"]}}, {"exec": {"command": ["sh", "-c", "sleep 4"]}}],
)
def test_a_pre_stop_hooks_sleep_is_waited_for(hook: Obj) -> None:
    w = World(good="")
    start(w, container={"lifecycle": {"preStop": hook}})
    w.store.delete(PODS, NAMESPACE, "a", w.now)
    assert w.run_until(lambda: not w.pods()) == pytest.approx(4)


def test_a_readiness_gate_waits_for_somebody_elses_condition() -> None:
    w = World(good="")
    start(w, readinessGates=[{"conditionType": "acme.example/ok"}])
    ready = condition(pod(w), "Ready")
    assert ready is not None
    assert ready["reason"] == "ReadinessGatesNotReady"
    before = status_of(pod(w))
    mine = {"type": "acme.example/ok", "status": "True"}
    changed = {**pod(w), "status": {**before, "conditions": [*before["conditions"], mine]}}
    w.store.replace(PODS, changed, w.now, subresource="status")
    w.settle()
    assert is_ready(pod(w))


def test_a_pod_with_real_images_is_bound_annotated_and_left_alone() -> None:
    w = World(lambda _, images: True, good="", real="")
    start(w, "real")
    assert pod(w)["spec"]["nodeName"] == "sandbox"
    assert pod(w)["metadata"]["annotations"] == {KIND_ANNOTATION: "process"}
    assert "containerStatuses" not in status_of(pod(w))
    w.store.delete(PODS, NAMESPACE, "a", w.now)
    w.run(100)
    assert len(w.pods()) == 1
    assert told(w) == ["Scheduled"]


def test_a_real_pod_whose_image_comes_late_is_handed_over_then() -> None:
    w = World(lambda _, images: True)
    start(w, "late")
    assert state(w) == "ErrImagePull"
    assert KIND_ANNOTATION not in (pod(w)["metadata"].get("annotations") or {})
    w.images["late"] = ""
    w.run(11)
    assert pod(w)["metadata"]["annotations"] == {KIND_ANNOTATION: "process"}


def test_a_broken_registry_is_told_in_its_words() -> None:
    w = World(broken=PullError(reason="ErrImagePull", message="the disk is full"))
    start(w, "broken")
    assert status(w)["state"]["waiting"] == {"reason": "ErrImagePull", "message": "the disk is full"}
