"""What the ideal watcher's events mean, which requests are a deploy's own, and what a hollow node's pods report."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bench.api import Seen
from bench.audit import count, is_discovery, received, watching_since
from bench.hollow import ready_status
from bench.moments import cannot_pull, cannot_start, completed, eventually, first, is_complete, spent

DONE = {"observedGeneration": 2, "updatedReplicas": 3, "replicas": 3, "availableReplicas": 3}


def deployment(generation: int = 2, **status: int) -> dict[str, Any]:
    return {"metadata": {"generation": generation}, "spec": {"replicas": 3}, "status": DONE | status}


def pod(**container: Any) -> dict[str, Any]:
    return {"status": {"containerStatuses": [container]}}


def seen(*objects: dict[str, Any]) -> list[Seen]:
    return [Seen(at=float(at), type="MODIFIED", object=one) for at, one in enumerate(objects, 1)]


def test_a_deployment_is_complete_by_kubectls_rule() -> None:
    assert is_complete(deployment())


@pytest.mark.parametrize(
    "status", [{"observedGeneration": 1}, {"updatedReplicas": 2}, {"replicas": 4}, {"availableReplicas": 2}]
)
def test_one_number_that_is_behind_makes_it_incomplete(status: dict[str, int]) -> None:
    assert not is_complete(deployment(**status))


def test_the_rollout_before_does_not_count_as_completed() -> None:
    events = seen(deployment(), deployment(3), deployment(3, observedGeneration=3))
    assert completed(events, generation=2) == 3.0


def test_a_moment_that_was_never_seen_is_an_error() -> None:
    with pytest.raises(ValueError, match="never saw"):
        first(seen(deployment()), lambda _: False)


def test_a_moment_that_the_watcher_is_told_of_late_is_waited_for() -> None:
    events = seen(deployment(3, updatedReplicas=0))

    def find() -> float:
        if len(events) > 1:
            return completed(events, generation=2)
        events.extend(seen(deployment(3, observedGeneration=3))[:1])
        raise ValueError

    assert eventually(find) == 1.0
    with pytest.raises(ValueError, match="never saw"):
        eventually(lambda: completed([], generation=2), seconds=0)


def test_only_events_from_the_given_moment_on_count() -> None:
    assert first(seen({}, {}, {}), lambda _: True, after=2.0) == 2.0


def test_a_failed_pull_and_a_failed_start_are_told_by_their_reasons() -> None:
    assert cannot_pull(pod(state={"waiting": {"reason": "ErrImagePull"}}))
    assert not cannot_pull(pod(state={"waiting": {"reason": "ContainerCreating"}}))
    assert cannot_start(pod(state={"terminated": {"reason": "StartError"}}))
    assert cannot_start(pod(state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState={"terminated": {"reason": "StartError"}}))  # fmt: skip  # noqa: E501
    assert not cannot_start(pod(state={"terminated": {"reason": "Error"}}))
    assert not cannot_start({})


def test_a_budget_is_spent_when_the_container_is_down_after_as_many_restarts() -> None:
    down: dict[str, Any] = {"terminated": {}}
    up: dict[str, Any] = {"running": {}}
    assert spent(1)(pod(restartCount=1, state=down))
    assert not spent(1)(pod(restartCount=1, state=up))
    assert not spent(2)(pod(restartCount=1, state=down))


def request(at: int, verb: str, resource: str, namespace: str = "ns", uri: str = "/apis/apps/v1/x/y") -> dict[str, Any]:
    return {
        "requestReceivedTimestamp": f"2026-01-01T00:00:{at:02}.000000Z",
        "verb": verb,
        "objectRef": {"resource": resource, "namespace": namespace},
        "requestURI": uri,
    }


def test_a_deploys_requests_are_sorted_by_what_they_are_for() -> None:
    """The three lists that the watches go on from are sent at once: which comes first says nothing."""
    events = [
        request(6, "patch", "deployments"),
        request(1, "get", "deployments"),
        request(1, "list", "pods"),
        request(3, "list", "deployments"),
        request(2, "list", "pods"),
        request(4, "watch", "deployments"),
        request(12, "get", "deployments"),
        request(17, "get", "deployments"),
        request(20, "get", "deployments"),
        request(21, "patch", "deployments"),
        request(9, "get", "deployments", namespace="another"),
    ]
    counted = count(events, "ns")
    assert (counted.preflight, counted.story, counted.silence, counted.discovery) == (2, 6, 2, 0)


def test_a_program_waits_from_its_first_watch_of_the_namespace_on() -> None:
    events = [
        request(7, "watch", "pods"),
        request(5, "watch", "deployments"),
        request(2, "list", "deployments"),
        request(1, "watch", "deployments", namespace="another"),
    ]
    assert watching_since(events, "ns") == received(events[1])
    assert watching_since(events[2:], "ns") == math.inf


@pytest.mark.parametrize("uri", ["/api", "/apis?timeout=32s", "/api/v1", "/apis/apps/v1?timeout=1s", "/openapi/v2", "/version"])  # fmt: skip  # noqa: E501
def test_asking_what_the_server_has_is_discovery(uri: str) -> None:
    assert is_discovery(uri)


@pytest.mark.parametrize("uri", ["/apis/apps/v1/namespaces/ns/deployments/web", "/api/v1/namespaces/ns/pods?watch=1"])
def test_asking_for_objects_is_none(uri: str) -> None:
    assert not is_discovery(uri)


def test_a_hollow_pod_reports_each_container_as_running_and_ready() -> None:
    status = ready_status({"spec": {"containers": [{"name": "web", "image": "r/app@sha256:1"}]}}, "now")
    assert {"type": "Ready", "status": "True", "lastTransitionTime": "now"} in status["conditions"]
    assert [(one["name"], one["ready"], one["imageID"]) for one in status["containerStatuses"]] == [("web", True, "r/app@sha256:1")]  # fmt: skip  # noqa: E501
