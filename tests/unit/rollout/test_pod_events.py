"""What the kubelet's events add, on what real clusters showed, and where a later event makes an older one untrue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kdeploy.model import Culprit, Obj, Reason
from kdeploy.rollout.pod_events import is_creating, mount_failure, probe_kill, suspects
from kdeploy.rollout.revisions import new_pods
from tests.unit.rollout.dumps import VERSIONS, load

KILLED = 137


def shown(version: str, moment: str) -> tuple[Obj, tuple[Obj, ...]]:
    """The only new pod, and the events."""
    snapshot = load(version, moment)
    (pod,) = new_pods(snapshot)
    return pod, snapshot.events


def later(events: tuple[Obj, ...], **fields: Any) -> tuple[Obj, ...]:
    """The events, and one more about the same pod in the same second as the last one or after it."""
    last = max(events, key=lambda event: str(event["lastTimestamp"]))
    return ({**last, **fields}, *events)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pod_without_its_volume_says_which_until_something_else_follows(version: str) -> None:
    pod, events = shown(version, "volume-absent")
    assert is_creating(pod)
    assert mount_failure(pod, events) == 'MountVolume.SetUp failed for volume "settings" : configmap "absent" not found'
    assert mount_failure(pod, later(events, reason="Pulling", message="Pulling image")) == ""
    assert mount_failure(pod, ()) == ""
    other = {**pod, "metadata": {**pod["metadata"], "uid": "another"}}
    assert mount_failure(other, events) == "", "a namesake's events are not its own"


@pytest.mark.parametrize("version", VERSIONS)
def test_only_a_pod_with_a_node_and_without_containers_is_being_created(version: str) -> None:
    assert not is_creating(shown(version, "unschedulable")[0])
    assert not is_creating(shown(version, "crash-1")[0])
    assert not is_creating(shown(version, "registry-unreachable")[0])
    assert not any(is_creating(pod) for pod in new_pods(load(version, "complete")))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_probe_is_not_blamed_for_what_ended_by_itself(version: str) -> None:
    pod, events = shown(version, "liveness-killed")
    assert probe_kill(pod, "web", KILLED, events) == "was killed by its liveness probe"
    assert probe_kill(pod, "web", 1, events) == ""
    assert probe_kill(pod, "sidecar", KILLED, events) == ""
    assert probe_kill(pod, "web", KILLED, ()) == ""


@pytest.mark.parametrize("version", VERSIONS)
def test_the_probe_and_what_it_found_are_named(version: str) -> None:
    pod, events = shown(version, "liveness-killed")
    killed = later(events, reason="Killing", message="Container web failed startup probe, will be restarted")
    why = "Startup probe failed: HTTP probe failed with statuscode: 503"
    found = probe_kill(pod, "web", KILLED, later(killed, reason="Unhealthy", message=why))
    assert found == "was killed by its startup probe: HTTP probe failed with statuscode: 503"


def test_a_container_that_the_kubelet_may_have_ended_is_asked_about() -> None:
    killed = Culprit(pod="web-1", container="web", reason=Reason.CRASH_LOOP, message="", exit_code=143, restarts=1)
    assert suspects([killed]) == {"web-1": "CrashLoop"}
    assert suspects([replace(killed, exit_code=1)]) == {}, "it ended by itself"
    assert suspects([replace(killed, reason=Reason.LIVENESS_KILLED)]) == {}, "it is known"
