"""Simulated pods on virtual time: pulled, started, probed, restarted, ended, as a kubelet does it."""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy.model import Obj
from kdeploy.rollout.objects import condition, is_ready, status_of
from kdeploy.sandbox.core.images import KIND_ANNOTATION, PullError
from kdeploy.sandbox.core.resources import CONFIG_MAPS, PODS, SECRETS
from kdeploy.sandbox.core.timestamps import to_seconds
from tests.unit.sandbox.core.world import NAMESPACE, START, World


def start(w: World, image: str = "good", name: str = "a", **spec: Any) -> Obj:
    container = {"name": "web", "image": f"registry/app:{image}", **spec.pop("container", {})}
    return w.create(PODS, {"metadata": {"name": name}, "spec": {"containers": [container], **spec}})


def pod(w: World, name: str = "a") -> Obj:
    return w.get(PODS, name)


def status(w: World, kind: str = "containerStatuses", index: int = 0) -> Obj:
    found: Obj = status_of(pod(w))[kind][index]
    return found


def state(w: World) -> str:
    """ "running", "Completed", "CrashLoopBackOff": one word for the first container."""
    found = status(w)["state"]
    return "running" if "running" in found else str(next(iter(found.values()))["reason"])


def timeline(w: World, seconds: float) -> list[tuple[float, str]]:
    """When the first container's state changed, in seconds from now on."""
    begun, seen = w.now, list[tuple[float, str]]()
    end = begun + seconds
    while True:
        if not seen or seen[-1][1] != state(w):
            seen.append((round(w.now - begun, 3), state(w)))
        if w.wake is None or w.wake > end:
            w.now = end
            return seen
        w.now = w.wake
        w.settle()


def told(w: World) -> list[str]:
    """The reasons of all events about pods, in order."""
    return [
        str(e.obj["reason"]) for e in w.events if e.obj["kind"] == "Event" and e.obj["involvedObject"]["kind"] == "Pod"
    ]


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


def test_readiness_probes_are_sent_in_their_time() -> None:
    w = World(good="ready-after=7s")
    probe = {
        "httpGet": {"path": "/ready", "port": 80},
        "initialDelaySeconds": 2,
        "periodSeconds": 3,
        "successThreshold": 2,
    }
    start(w, container={"readinessProbe": probe})
    assert w.run_until(lambda: is_ready(pod(w))) == pytest.approx(11)
    (unhealthy,) = w.told("Unhealthy")
    assert (unhealthy["count"], unhealthy["message"]) == (
        2,
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
    )


def test_a_ready_pod_becomes_unready_after_as_many_failures_as_its_probe_says() -> None:
    w = World(good="http:/ready=500@20s http:/ready=200@60s")
    probe = {"httpGet": {"path": "/ready", "port": 80}, "periodSeconds": 5, "failureThreshold": 2}
    start(w, container={"readinessProbe": probe})
    assert is_ready(pod(w))
    assert w.run_until(lambda: not is_ready(pod(w))) == pytest.approx(25)
    assert w.run_until(lambda: is_ready(pod(w))) == pytest.approx(35)
    assert status(w)["restartCount"] == 0


def test_quiet_probes_cost_nothing() -> None:
    w = World(good="")
    probe = {"httpGet": {"port": 80}, "periodSeconds": 1}
    start(w, container={"readinessProbe": probe, "livenessProbe": probe, "startupProbe": probe})
    assert is_ready(pod(w))
    assert w.wake is None


def test_a_probe_that_fails_for_ever_is_not_told_for_ever() -> None:
    w = World(never="never-ready")
    start(w, "never", container={"readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1}})
    w.run(3000)
    (unhealthy,) = w.told("Unhealthy")
    assert (
        unhealthy["message"]
        == f"Readiness probe failed: dial tcp {status_of(pod(w))['podIP']}:80: connect: connection refused"
    )
    assert 25 < unhealthy["count"] < 50


def test_a_failing_liveness_probe_kills_the_container_and_it_starts_again() -> None:
    w = World(bad="http:/live=500@10s stop-after=2s")
    probe = {"httpGet": {"path": "/live", "port": 80}, "periodSeconds": 4, "failureThreshold": 2}
    start(w, "bad", container={"livenessProbe": probe})
    seconds = w.run_until(lambda: "terminated" in status(w)["state"])
    assert seconds == pytest.approx(12 + 4 + 2)
    assert w.told("Killing")[0]["message"] == "Container web failed liveness probe, will be restarted"
    w.run(1.5)
    assert (state(w), status(w)["restartCount"]) == ("running", 1)


def test_a_container_that_hangs_is_killed_at_the_end_of_its_grace() -> None:
    w = World(bad="hangs-after=5s")
    probe = {"httpGet": {"port": 80}, "periodSeconds": 5, "failureThreshold": 1, "timeoutSeconds": 1}
    start(w, "bad", container={"livenessProbe": probe}, terminationGracePeriodSeconds=7)
    assert w.run_until(lambda: "terminated" in status(w)["state"]) == pytest.approx(12)
    assert status(w)["state"]["terminated"]["exitCode"] == 137
    assert "context deadline exceeded" in w.told("Unhealthy")[0]["message"]


def test_a_startup_probe_holds_the_others_back() -> None:
    w = World(slow="http:/up=503 http:/up=200@20s http:/live=500 http:/live=200@15s")
    container = {
        "startupProbe": {"httpGet": {"path": "/up", "port": 80}, "periodSeconds": 5, "failureThreshold": 10},
        "livenessProbe": {"httpGet": {"path": "/live", "port": 80}, "periodSeconds": 1, "failureThreshold": 1},
    }
    start(w, "slow", container=container)
    assert (status(w)["started"], is_ready(pod(w))) == (False, False)
    assert w.run_until(lambda: is_ready(pod(w))) == pytest.approx(20)
    assert (status(w)["started"], status(w)["restartCount"]) == (True, 0)


def test_a_startup_probe_that_fails_too_often_kills() -> None:
    w = World(never="http=500")
    probe = {"httpGet": {"port": 80}, "periodSeconds": 2, "failureThreshold": 3}
    start(w, "never", container={"startupProbe": probe})
    w.run_until(lambda: "terminated" in status(w)["state"])
    assert w.now - START == pytest.approx(4)
    assert "failed startup probe, will be restarted" in w.told("Killing")[0]["message"]


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


def test_init_containers_come_one_after_the_other_and_then_the_others() -> None:
    w = World(good="", one="exit-after=2s exit=0", two="exit-after=3s exit=0")
    init = [{"name": name, "image": f"registry/app:{name}"} for name in ("one", "two")]
    start(w, initContainers=init)
    assert status_of(pod(w))["phase"] == "Pending"
    assert status(w)["state"] == {"waiting": {"reason": "PodInitializing"}}
    initialized = condition(pod(w), "Initialized")
    assert initialized is not None
    assert initialized["message"] == "containers with incomplete status: [one two]"
    assert w.run_until(lambda: is_ready(pod(w))) == pytest.approx(5)
    assert [status(w, "initContainerStatuses", n)["state"]["terminated"]["reason"] for n in (0, 1)] == ["Completed"] * 2
    assert w.told("Started")[0]["involvedObject"]["fieldPath"] == "spec.initContainers{one}"


def test_an_init_containers_image_is_one_that_ends() -> None:
    w = World(good="")
    start(w, initContainers=[{"name": "one", "image": "registry/app:good"}])
    assert is_ready(pod(w))


def test_a_failing_init_container_fails_a_pod_that_is_never_restarted() -> None:
    w = World(good="", bad="exit=4")
    start(w, initContainers=[{"name": "one", "image": "registry/app:bad"}], restartPolicy="Never")
    assert status_of(pod(w))["phase"] == "Failed"
    assert status(w)["state"] == {"waiting": {"reason": "PodInitializing"}}


def test_a_sidecar_goes_on_beside_the_others() -> None:
    w = World(good="", side="ready-after=2s")
    init = [{"name": "side", "image": "registry/app:side", "restartPolicy": "Always"}]
    start(w, initContainers=init)
    assert "running" in status(w, "initContainerStatuses")["state"]
    assert state(w) == "running"
    assert not is_ready(pod(w))
    assert w.run_until(lambda: is_ready(pod(w))) == pytest.approx(2)


def test_all_containers_must_be_ready() -> None:
    w = World(good="", never="never-ready")
    second = {"name": "second", "image": "registry/app:never"}
    first = {"name": "web", "image": "registry/app:good"}
    w.create(PODS, {"metadata": {"name": "a"}, "spec": {"containers": [first, second]}})
    ready = condition(pod(w), "ContainersReady")
    assert ready is not None
    assert ready["message"] == "containers with unready status: [second]"


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"envFrom": [{"configMapRef": {"name": "c"}}]}, 'configmap "c" not found'),
        ({"envFrom": [{"secretRef": {"name": "s"}}]}, 'secret "s" not found'),
        (
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "has", "key": "k"}}}]},
            "couldn't find key k in ConfigMap shop/has",
        ),
        ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}, 'secret "s" not found'),
    ],
)
def test_missing_configuration_holds_a_container_up_and_its_coming_lets_it_start(env: Obj, message: str) -> None:
    w = World(good="")
    w.create(CONFIG_MAPS, {"metadata": {"name": "has"}, "data": {}})
    start(w, container=env)
    assert status(w)["state"]["waiting"] == {"reason": "CreateContainerConfigError", "message": message}
    w.create(CONFIG_MAPS, {"metadata": {"name": "c"}, "data": {"k": "v"}})
    w.create(SECRETS, {"metadata": {"name": "s"}, "data": {"k": "dg=="}})
    has = w.get(CONFIG_MAPS, "has")
    w.store.replace(CONFIG_MAPS, {**has, "data": {"k": "v"}}, w.now)
    w.settle()
    assert state(w) == "running"


def test_optional_configuration_may_be_missing() -> None:
    w = World(good="")
    volume = {"name": "v", "configMap": {"name": "c", "optional": True}}
    start(w, container={"envFrom": [{"configMapRef": {"name": "c", "optional": True}}]}, volumes=[volume])
    assert state(w) == "running"


def test_a_volume_of_what_is_not_there_holds_the_pod_up() -> None:
    w = World(good="")
    start(w, volumes=[{"name": "v", "secret": {"secretName": "s"}}])
    assert state(w) == "ContainerCreating"
    assert w.told("FailedMount")[0]["message"] == 'MountVolume.SetUp failed for volume "v" : secret "s" not found'
    started = condition(pod(w), "PodReadyToStartContainers")
    assert started is not None
    assert started["status"] == "False"
    w.create(SECRETS, {"metadata": {"name": "s"}})
    assert state(w) == "running"


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
