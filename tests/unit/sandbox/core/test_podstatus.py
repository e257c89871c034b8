"""A pod's status, from what its containers do."""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy.sandbox.core.podstatus import Container, Running, Terminated, Waiting, phase_of, pod_status

RUNS = Running(started=10.0)
GOOD = Terminated(exit_code=0, reason="Completed", started=10.0, finished=20.0)
BAD = Terminated(exit_code=7, reason="Error", started=10.0, finished=20.0)
PULLS = Waiting(reason="ContainerCreating")
BACK_OFF = Waiting(reason="CrashLoopBackOff", message="back-off 10s")
POD: dict[str, Any] = {"metadata": {"name": "web-1", "generation": 2}, "spec": {}, "status": {"qosClass": "Burstable"}}


def container(state: Waiting | Running | Terminated, *, name: str = "web", **fields: Any) -> Container:
    return Container(name=name, image="web:1", state=state, **fields)


@pytest.mark.parametrize(
    ("policy", "states", "phase"),
    [
        ("Always", [PULLS], "Pending"),
        ("Always", [RUNS], "Running"),
        ("Always", [RUNS, PULLS], "Pending"),
        ("Always", [RUNS, BAD], "Running"),
        ("Always", [BAD], "Running"),
        ("Always", [GOOD], "Running"),
        ("OnFailure", [GOOD], "Succeeded"),
        ("OnFailure", [GOOD, BAD], "Running"),
        ("Never", [GOOD, GOOD], "Succeeded"),
        ("Never", [GOOD, BAD], "Failed"),
        ("Never", [RUNS, BAD], "Running"),
    ],
)
def test_the_phase_follows_from_the_containers_and_the_restart_policy(
    policy: str, states: list[Waiting | Running | Terminated], phase: str
) -> None:
    assert phase_of({"restartPolicy": policy}, [container(state) for state in states]) == phase


def test_a_container_in_back_off_counts_as_one_that_ran() -> None:
    assert phase_of({}, [container(BACK_OFF, last=BAD)]) == "Running"
    assert phase_of({}, [container(BACK_OFF)]) == "Pending"


def test_a_pod_that_was_ended_is_over_whatever_its_policy() -> None:
    assert phase_of({}, [container(GOOD)], terminal=True) == "Succeeded"
    assert phase_of({}, [container(BAD)], terminal=True) == "Failed"


def test_init_containers_come_first() -> None:
    web = container(Waiting(reason="PodInitializing"))
    assert phase_of({}, [web], [container(RUNS)]) == "Pending"
    assert phase_of({"restartPolicy": "Never"}, [web], [container(BAD)]) == "Failed"
    assert phase_of({}, [container(RUNS)], [container(RUNS, is_sidecar=True, started=True)]) == "Running"


def conditions(*containers: Container, init: tuple[Container, ...] = (), **pod: Any) -> dict[str, tuple[str, ...]]:
    status = pod_status({**POD, **pod}, containers, init, ip="127.9.16.1", host_ip="127.0.0.1", now=100.0)
    return {
        each["type"]: tuple(each[key] for key in ("status", "reason", "message") if key in each)
        for each in status["conditions"]
    }


def test_the_conditions_say_who_is_not_ready() -> None:
    found = conditions(container(RUNS, name="a", ready=True), container(RUNS, name="b"), container(PULLS, name="c"))
    not_ready = ("False", "ContainersNotReady", "containers with unready status: [b c]")
    assert found == {
        "PodReadyToStartContainers": ("True",),
        "Initialized": ("True",),
        "Ready": not_ready,
        "ContainersReady": not_ready,
    }


def test_the_conditions_say_who_is_not_initialized() -> None:
    found = conditions(container(PULLS), init=(container(GOOD, name="one"), container(RUNS, name="two")))
    assert found["Initialized"] == (
        "False",
        "ContainersNotInitialized",
        "containers with incomplete status: [two]",
    )


def test_a_completed_pod_is_not_ready_because_it_is_over() -> None:
    found = conditions(container(GOOD), spec={"restartPolicy": "Never"})
    assert found["Ready"] == ("False", "PodCompleted")
    assert found["Initialized"] == ("True", "PodCompleted")


def test_a_readiness_gate_is_waited_for() -> None:
    found = conditions(container(RUNS, ready=True), spec={"readinessGates": [{"conditionType": "x/y"}]})
    assert found["ContainersReady"] == ("True",)
    assert found["Ready"][:2] == ("False", "ReadinessGatesNotReady")


def test_a_condition_keeps_the_time_of_its_last_change_and_others_stay() -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "1970-01-01T00:00:01Z"}
    first = pod_status(
        {**POD, "status": {"conditions": [scheduled]}}, [container(RUNS)], ip="", host_ip="127.0.0.1", now=100.0
    )
    again = pod_status({**POD, "status": first}, [container(RUNS, ready=True)], ip="", host_ip="127.0.0.1", now=200.0)
    times = {each["type"]: each["lastTransitionTime"] for each in again["conditions"]}
    assert times == {
        "PodReadyToStartContainers": "1970-01-01T00:01:40Z",
        "Initialized": "1970-01-01T00:01:40Z",
        "Ready": "1970-01-01T00:03:20Z",
        "ContainersReady": "1970-01-01T00:03:20Z",
        "PodScheduled": "1970-01-01T00:00:01Z",
    }
    assert again["startTime"] == "1970-01-01T00:01:40Z"


def test_a_containers_status_has_its_state_and_the_one_before() -> None:
    crashed = container(BACK_OFF, last=BAD, restarts=3, image_id="web@sha256:1", container_id="x://2")
    status = pod_status(POD, [crashed], ip="127.9.16.1", host_ip="127.0.0.1", now=100.0)
    assert status["containerStatuses"] == [
        {
            "name": "web",
            "image": "web:1",
            "imageID": "web@sha256:1",
            "containerID": "x://2",
            "ready": False,
            "started": False,
            "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
            "lastState": {
                "terminated": {
                    "exitCode": 7,
                    "reason": "Error",
                    "startedAt": "1970-01-01T00:00:10Z",
                    "finishedAt": "1970-01-01T00:00:20Z",
                }
            },
        }
    ]
    assert (status["podIP"], status["qosClass"], status["observedGeneration"]) == ("127.9.16.1", "Burstable", 2)
