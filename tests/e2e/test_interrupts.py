"""Runs that are told to end, and runs that are killed."""

import signal

import pytest

from tests.e2e.app import good, never_ready
from tests.e2e.program import Ran, Running
from tests.e2e.scene import Scene


def begin(scene: Scene, *flags: str) -> tuple[Ran, Running]:
    """A verified version, and a deploy that got stuck after its patch."""
    scene.create()
    first = scene.deployed(good("one"))
    running = scene.start(never_ready("two"), *flags)
    running.until_rolling()
    return first, running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_puts_the_old_version_back(scene: Scene, number: signal.Signals) -> None:
    first, running = begin(scene)
    running.send(number)
    ran = running.end(30).ended(128 + number, "interrupted", "Interrupted")

    assert scene.look().image == first.image
    assert ran.deploy["rolled_back_to"] == first.image
    scene.kube.roll_out(scene.target)
    live = scene.look()
    live.runs(first.image, 2)
    assert live.marks["deploy-id"] == first.report["deploy_id"]


def test_a_signal_may_leave_the_rollout_as_it_is(scene: Scene) -> None:
    first, running = begin(scene, "--on-interrupt", "leave")
    running.send(signal.SIGTERM)
    ran = running.end(30).ended(143, "interrupted", "Interrupted")

    assert scene.look().image == ran.image != first.image
    assert ran.deploy["rolled_back_to"] is None


def test_a_signal_before_the_patch_leaves_the_workload_untouched(scene: Scene) -> None:
    before = scene.create()
    running = scene.start(good("one"))
    running.until(lambda event: event["type"] == "phase-started" and event["phase"] == "build", "the build")
    running.send(signal.SIGTERM)
    running.end(30).ended(143, "interrupted", "Interrupted").says("nothing was changed")

    scene.look().is_untouched_since(before)


def test_a_killed_run_is_taken_up_by_the_next_one_of_the_same_commit(scene: Scene) -> None:
    scene.create(calm=3)
    running = scene.start(good("one"))
    running.until_rolling()
    running.kill()
    ran = scene.deploy().ended(0, "deployed", "Complete")

    live = scene.look()
    live.runs(ran.image, 2)
    assert live.marks["verified"]
    assert live.marks["deploy-id"] == ran.report["deploy_id"]


def test_a_killed_run_of_a_bad_version_does_not_hinder_the_next_commit(scene: Scene) -> None:
    first, running = begin(scene)
    running.kill()
    ran = scene.deploy(good("three")).ended(0, "deployed", "Complete")

    scene.look().runs(ran.image, 2)
    assert ran.image != first.image


def test_a_killed_run_of_a_bad_version_is_rolled_back_when_it_is_run_again(scene: Scene) -> None:
    first, running = begin(scene)
    running.kill()
    ran = scene.deploy(None, "--timeout", "15s").ended(10, "rolled-back", "ReadinessFailed")

    live = scene.look()
    live.runs(first.image, 2)
    assert ran.deploy["rolled_back_to"] == first.image
    assert live.marks["verified"]
