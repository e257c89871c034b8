"""Which node a pod goes to, and the scheduler's sentences where none takes it."""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy.model import Obj
from kdeploy.rollout.objects import condition, name_of
from kdeploy.sandbox.core import nodes
from kdeploy.sandbox.core.resources import NODES, PODS
from tests.unit.sandbox.core.world import NAMESPACE, World


def pod(w: World, name: str = "a", **spec: Any) -> Obj:
    container = {"name": "web", "image": "registry/app:good", **spec.pop("container", {})}
    w.create(PODS, {"metadata": {"name": name}, "spec": {"containers": [container], **spec}})
    return w.get(PODS, name)


def why(found: Obj) -> str:
    scheduled = condition(found, "PodScheduled")
    assert scheduled is not None
    assert (scheduled["status"], scheduled["reason"]) == ("False", "Unschedulable")
    return str(scheduled["message"]).split(". no new claims")[0]


def requests(**amounts: str) -> Obj:
    return {"resources": {"requests": amounts}}


HUGE = {
    "cpu": "0/1 nodes are available: 1 Insufficient cpu",
    "memory": "0/1 nodes are available: 1 Insufficient memory",
    "example.com/gpu": "0/1 nodes are available: 1 Insufficient example.com/gpu",
}


def test_a_pod_is_bound_at_once_and_that_is_told() -> None:
    w = World(good="")
    found = pod(w)
    assert found["spec"]["nodeName"] == "sandbox"
    scheduled = condition(found, "PodScheduled")
    assert scheduled is not None
    assert scheduled["status"] == "True"
    (told,) = w.told("Scheduled")
    assert told["message"] == "Successfully assigned shop/a to sandbox"
    assert (told["reportingComponent"], told["action"]) == ("default-scheduler", "Binding")


@pytest.mark.parametrize("resource", HUGE)
def test_a_pod_that_asks_for_too_much_stays_pending(resource: str) -> None:
    w = World(good="")
    assert why(pod(w, container=requests(**{resource: "1Ti"}))) == HUGE[resource]
    assert "No preemption victims found for incoming pod" in w.told("FailedScheduling")[0]["message"]


def test_room_is_what_the_others_leave() -> None:
    w = World(good="")
    pod(w, "a", container=requests(cpu="40"))
    assert why(pod(w, "b", container=requests(cpu="30"))) == HUGE["cpu"]
    w.store.delete(PODS, NAMESPACE, "a", w.now, grace=0)
    w.settle()
    assert w.get(PODS, "b")["spec"]["nodeName"] == "sandbox"


@pytest.mark.parametrize(
    "spec",
    [
        {"nodeSelector": {"disk": "none"}},
        {
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "Exists"}]}]
                    }
                }
            }
        },
    ],
)
def test_a_node_selector_or_affinity_that_no_node_meets(spec: Obj) -> None:
    w = World(good="")
    assert why(pod(w, **spec)) == "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector"
    labelled = nodes.made("other", w.now)
    labelled["metadata"]["labels"]["disk"] = "none"
    w.store.create(NODES, labelled, w.now)
    w.settle()
    assert w.get(PODS, "a")["spec"]["nodeName"] == "other"


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}, "1 node(s) had untolerated taint(s)"),
        ({"unschedulable": True}, "1 node(s) were unschedulable"),
    ],
)
def test_a_node_that_takes_nobody(spec: Obj, sentence: str) -> None:
    w = World(good="")
    node = w.get(NODES, "sandbox", "")
    w.store.replace(NODES, {**node, "spec": spec}, w.now)
    assert why(pod(w)) == f"0/1 nodes are available: {sentence}"
    w.store.replace(NODES, {**w.get(NODES, "sandbox", ""), "spec": {}}, w.now)
    w.settle()
    assert w.get(PODS, "a")["spec"]["nodeName"] == "sandbox"


def test_a_toleration_lets_a_pod_in() -> None:
    w = World(good="")
    node = w.get(NODES, "sandbox", "")
    w.store.replace(
        NODES, {**node, "spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}}, w.now
    )
    tolerations = [{"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"}]
    assert pod(w, tolerations=tolerations)["spec"]["nodeName"] == "sandbox"


def test_without_a_node_nothing_runs() -> None:
    w = World(good="")
    w.store.delete(NODES, "", "sandbox", w.now)
    assert why(pod(w)) == "no nodes available to schedule pods"


def test_the_same_sentence_is_not_told_again() -> None:
    w = World(good="")
    pod(w, container=requests(cpu="1k"))
    pod(w, "b")
    w.store.delete(PODS, NAMESPACE, "b", w.now, grace=0)
    w.settle()
    assert len(w.told("FailedScheduling")) == 1


def test_a_pod_may_name_its_node_itself() -> None:
    w = World(good="")
    assert name_of(pod(w, nodeName="sandbox")) == "a"
    assert w.told("Scheduled") == []
    assert w.told("Started") != []
