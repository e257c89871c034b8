"""Deploys that fail: what is told, what is put back, and that the older pods never notice."""

from tests.e2e.app import (
    HEALTH,
    crashing,
    crashing_later,
    depending_on,
    good,
    never_ready,
    unhealthy,
    without_entry_point,
)
from tests.e2e.kube import Live
from tests.e2e.program import Ran
from tests.e2e.scene import Scene
from tests.e2e.workloads import workload


def begin(scene: Scene, replicas: int = 2) -> tuple[Ran, Live]:
    """A verified version that runs: how it was deployed, and how it looks."""
    scene.create(replicas=replicas)
    return scene.deployed(good("one")), scene.look()


def restored(scene: Scene, ran: Ran, first: Ran, before: Live) -> Live:
    """Asserts that the first version runs as before, in the same pods, and that the report says so."""
    live = scene.look()
    live.runs(first.image, len(before.pods))
    assert live.restarts == before.restarts, "the older pods were disturbed"
    assert live.template == before.template
    assert live.marks == before.marks
    assert ran.deploy["rolled_back_to"] == first.image
    assert ran.deploy["image"]["previous"] == first.image
    assert ran.timings["detect"] is not None
    assert ran.timings["rollback"] is not None
    return live


def test_an_image_that_the_nodes_cannot_find_is_rolled_back(scene: Scene) -> None:
    first, before = begin(scene, replicas=3)
    scene.configure(image=f"{scene.repository}-mirror", push_image=scene.repository, containers=["app"])
    ran = scene.deploy(good("two")).ended(10, "rolled-back", "ImageNotFound").says("not found")

    restored(scene, ran, first, before)
    (culprit,) = ran.deploy["culprits"]
    assert (culprit["container"], culprit["reason"]) == ("app", "ImageNotFound")
    assert [passed for _, passed in ran.checks] == []


def test_an_image_that_the_registry_does_not_have_is_refused_before_the_patch(scene: Scene) -> None:
    first, before = begin(scene)
    missing = f"{scene.repository}:missing"
    ran = scene.deploy(good("two"), "--image", missing).ended(4, "refused", "ImageNotFound").says(missing)

    scene.look().runs(first.image, 2)
    assert scene.look().generation == before.generation
    assert ran.deploy["image"] is None


def test_an_entry_point_that_does_not_exist_is_rolled_back_at_once(scene: Scene) -> None:
    first, before = begin(scene)
    ran = scene.deploy(without_entry_point("two")).ended(10, "rolled-back", "StartError").says("/app/missing")

    restored(scene, ran, first, before)
    assert ran.deploy["culprits"][0]["reason"] == "StartError"


def test_a_crash_on_start_is_rolled_back_when_a_small_budget_is_spent(scene: Scene) -> None:
    first, before = begin(scene)
    ran = scene.deploy(crashing("two"), "--crash-budget", "1").ended(10, "rolled-back", "CrashLoop")

    restored(scene, ran, first, before)
    culprit = ran.deploy["culprits"][0]
    assert (culprit["exit_code"], culprit["restarts"]) == (7, 1)
    assert "no database, no service" in culprit["log_tail"]


def test_a_crash_on_start_is_borne_three_times_by_default(scene: Scene) -> None:
    first, before = begin(scene)
    ran = scene.deploy(crashing("two")).ended(10, "rolled-back", "CrashLoop")

    restored(scene, ran, first, before)
    assert ran.deploy["culprits"][0]["restarts"] == 3


def test_a_version_that_never_becomes_ready_is_rolled_back_when_its_time_is_over(scene: Scene) -> None:
    first, before = begin(scene)
    ran = scene.deploy(never_ready("two"), "--timeout", "15s").ended(10, "rolled-back", "ReadinessFailed")

    restored(scene, ran, first, before)
    assert ran.deploy["culprits"][0]["pod"].startswith("app-")
    assert 14 < ran.timings["detect"] < 60


def test_a_version_that_is_ready_but_not_healthy_is_rolled_back(scene: Scene) -> None:
    scene.create()
    first = scene.deployed(good("one"))
    before = scene.look()
    ran = scene.deploy(unhealthy("two")).ended(10, "rolled-back", "Unhealthy").says("500")

    live = scene.look()
    live.runs(first.image, 2)
    assert live.template == before.template
    assert live.marks == before.marks
    assert ran.deploy["rolled_back_to"] == first.image
    assert ran.checks == [(f"http {HEALTH}", False)], "of the version that failed"
    asked = [event["result"]["passed"] for event in ran.events if event["type"] == "check"]
    assert asked == [True, False, True], "the older version, the new one, the restored one"


def test_a_crash_after_the_checks_passed_is_seen_while_the_rollout_is_watched(scene: Scene) -> None:
    first, _ = begin(scene)
    scene.configure(check={"watch_for": "25s"})
    ran = scene.deploy(crashing_later("two", 10)).ended(10, "rolled-back", "CrashLoop")

    scene.look().runs(first.image, 2)
    assert ran.deploy["rolled_back_to"] == first.image
    culprit = ran.deploy["culprits"][0]
    assert culprit["exit_code"] == 3
    assert "out of luck" in culprit["log_tail"]


def test_a_check_that_failed_before_the_first_deploy_too_still_gets_the_old_version_back(scene: Scene) -> None:
    before = scene.create(seed=unhealthy("seed-unhealthy"))
    ran = scene.deploy(unhealthy("one")).ended(10, "rolled-back", "Unhealthy")

    ran.says("does not pass on the version that runs now", "did not pass before the deploy either")
    live = scene.look()
    live.runs(before.image, 2)
    assert live.marks == {}
    assert ran.deploy["rolled_back_to"] == before.image


def test_what_breaks_old_and_new_alike_ends_as_a_failed_rollback(scene: Scene) -> None:
    """The old version is put back, its check fails as well: a human is needed, and is told both."""
    scene.start_database()
    scene.create()
    first = scene.deployed(depending_on("one", "database"))
    scene.stop_database()

    ran = scene.deploy(depending_on("two", "database")).ended(11, "rollback-failed", "Unhealthy")

    ran.says("500", "the rollback failed too", "does not pass on the version that runs now")
    scene.look().runs(first.image, 2)
    assert ran.deploy["rolled_back_to"] == first.image
    assert [passed for _, passed in ran.checks] == [False]


def test_a_foreign_change_that_was_live_and_healthy_is_what_comes_back(scene: Scene) -> None:
    """Verified, then somebody's `kubectl set env`, then a bad deploy: the hotfix is kept, without a valid mark."""
    first, verified = begin(scene)
    scene.kube("set", "env", scene.target, "HOTFIX=yes")
    scene.kube.roll_out(scene.target)
    before = scene.look()
    assert before.marks == verified.marks, "a foreign change inherits every mark"

    ran = scene.deploy(crashing("two"), "--crash-budget", "1").ended(10, "rolled-back", "CrashLoop")

    live = scene.look()
    live.runs(first.image, 2)
    assert live.template == before.template
    assert live.template["spec"]["containers"][0]["env"] == [{"name": "HOTFIX", "value": "yes"}]
    assert live.restarts == before.restarts
    assert ran.deploy["rolled_back_to"] == first.image


def test_after_two_bad_versions_the_last_good_one_comes_back(scene: Scene) -> None:
    """`kubectl rollout undo` would restore the first bad one."""
    first, _ = begin(scene)
    bad = scene.deploy(crashing("two"), "--crash-budget", "1", "--no-rollback")
    bad.ended(12, "not-rolled-back", "CrashLoop").says("rollback is turned off")
    assert scene.look().image == bad.image
    assert bad.deploy["rolled_back_to"] is None

    worse = scene.deploy(crashing("three"), "--crash-budget", "1").ended(10, "rolled-back", "CrashLoop")

    scene.look().runs(first.image, 2)
    assert worse.deploy["rolled_back_to"] == first.image
    assert worse.deploy["image"]["previous"] == bad.image


def test_without_any_good_version_there_is_nothing_to_put_back(scene: Scene) -> None:
    scene.kube.apply(workload("Deployment", scene.images.of(never_ready("seed-never-ready"))))
    ran = scene.deploy(crashing("one"), "--crash-budget", "0").ended(12, "not-rolled-back", "CrashLoop")

    ran.says("not rolled back", "kdeploy rollback")
    assert scene.look().image == ran.image
