"""Simulated pods of several containers, and what their containers need, on virtual time."""

from __future__ import annotations

import pytest

from kdeploy.model import Obj
from kdeploy.rollout.objects import condition, is_ready, status_of
from kdeploy.sandbox.core.resources import CONFIG_MAPS, PODS, SECRETS
from tests.unit.sandbox.core.simulated_pods import pod, start, state, status
from tests.unit.sandbox.core.world import World


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


MOUNTS = [{"name": "v", "mountPath": "/v"}]


def test_optional_configuration_may_be_missing() -> None:
    w = World(good="")
    volume = {"name": "v", "configMap": {"name": "c", "optional": True}}
    container = {"envFrom": [{"configMapRef": {"name": "c", "optional": True}}], "volumeMounts": MOUNTS}
    start(w, container=container, volumes=[volume])
    assert state(w) == "running"


def test_a_volume_that_no_container_mounts_is_not_looked_for() -> None:
    w = World(good="")
    start(w, volumes=[{"name": "v", "secret": {"secretName": "s"}}])
    assert state(w) == "running"


def test_a_volume_of_what_is_not_there_holds_the_pod_up() -> None:
    w = World(good="")
    start(w, container={"volumeMounts": MOUNTS}, volumes=[{"name": "v", "secret": {"secretName": "s"}}])
    assert state(w) == "ContainerCreating"
    assert w.told("FailedMount")[0]["message"] == 'MountVolume.SetUp failed for volume "v" : secret "s" not found'
    started = condition(pod(w), "PodReadyToStartContainers")
    assert started is not None
    assert started["status"] == "False"
    w.create(SECRETS, {"metadata": {"name": "s"}})
    assert state(w) == "running"
