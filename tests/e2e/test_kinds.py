"""StatefulSets and DaemonSets: their controllers replace pods in place, and remember revisions in their own way."""

import pytest

from tests.e2e.app import crashing, good, never_ready
from tests.e2e.scene import Scene

KINDS = pytest.mark.parametrize(("kind", "pods"), [("StatefulSet", 2), ("DaemonSet", 1)])


@KINDS
def test_a_good_version_is_deployed_and_the_same_again_is_unchanged(scene: Scene, kind: str, pods: int) -> None:
    scene.create(kind)
    first = scene.deployed(good("one"))
    scene.look().runs(first.image, pods)
    second = scene.deployed(good("two"))
    before = scene.look()
    before.runs(second.image, pods)
    assert second.deploy["image"]["previous"] == first.image

    scene.deploy().ended(0, "unchanged", "Complete")
    after = scene.look()
    assert after.restarts == before.restarts
    assert after.generation == before.generation


@KINDS
def test_a_crash_on_start_is_rolled_back_from_a_stuck_rollout(scene: Scene, kind: str, pods: int) -> None:
    """A StatefulSet's controller would wait for the broken pod for ever: kdeploy deletes it."""
    scene.create(kind)
    first = scene.deployed(good("one"))
    before = scene.look()
    ran = scene.deploy(crashing("two"), "--crash-budget", "1").ended(10, "rolled-back", "CrashLoop")

    live = scene.look()
    live.runs(first.image, pods)
    assert live.template == before.template
    assert ran.deploy["rolled_back_to"] == first.image
    if kind == "StatefulSet":
        assert len(set(live.restarts) & set(before.restarts)) == 1, "only the last pod was replaced"


@KINDS
def test_a_version_that_is_not_found_is_rolled_back(scene: Scene, kind: str, pods: int) -> None:
    scene.create(kind)
    first = scene.deployed(good("one"))
    scene.configure(image=f"{scene.repository}-mirror", push_image=scene.repository, containers=["app"])
    ran = scene.deploy(good("two")).ended(10, "rolled-back", "ImageNotFound")

    scene.look().runs(first.image, pods)
    assert ran.deploy["rolled_back_to"] == first.image


@KINDS
def test_after_two_bad_versions_the_newest_verified_one_comes_back(scene: Scene, kind: str, pods: int) -> None:
    """Its mark must have stayed true while others came and went."""
    scene.create(kind)
    first = scene.deployed(good("one"))
    bad = scene.deploy(crashing("two"), "--crash-budget", "1", "--no-rollback")
    bad.ended(12, "not-rolled-back", "CrashLoop")
    ran = scene.deploy(crashing("three"), "--crash-budget", "1").ended(10, "rolled-back", "CrashLoop")

    scene.look().runs(first.image, pods)
    assert ran.deploy["rolled_back_to"] == first.image


@KINDS
def test_a_killed_run_of_a_bad_version_does_not_hinder_the_next_commit(scene: Scene, kind: str, pods: int) -> None:
    """A StatefulSet's controller would wait for the bad pod before it begins with the good version."""
    scene.create(kind)
    scene.deployed(good("one"))
    running = scene.start(never_ready("two"))
    running.until_rolling()
    running.kill()
    ran = scene.deploy(good("three")).ended(0, "deployed", "Complete")

    scene.look().runs(ran.image, pods)
