"""Others change the workload while kdeploy deploys."""

from tests.e2e.app import crashing, good, never_ready
from tests.e2e.scene import Scene


def test_a_workload_that_is_scaled_meanwhile_keeps_its_new_scale(scene: Scene) -> None:
    scene.create(replicas=2, calm=4)
    scene.checkout.commit(good("one"))
    running = scene.start()
    running.until_rolling()
    scene.kube("scale", scene.target, "--replicas=3")
    ran = running.end().ended(0, "deployed", "Complete")

    live = scene.look()
    live.runs(ran.image, 3)
    assert live.workload["spec"]["replicas"] == 3


def test_a_workload_that_is_scaled_meanwhile_keeps_its_new_scale_in_a_rollback_too(scene: Scene) -> None:
    scene.create(replicas=2)
    first = scene.deployed(good("one"))
    running = scene.start(crashing("two"), "--crash-budget", "2")
    running.until_rolling()
    scene.kube("scale", scene.target, "--replicas=3")
    running.end().ended(10, "rolled-back", "CrashLoop")

    live = scene.look()
    live.runs(first.image, 3)
    assert live.workload["spec"]["replicas"] == 3


def test_a_foreign_image_that_comes_meanwhile_is_left_untouched(scene: Scene) -> None:
    scene.create()
    scene.deployed(good("one"))
    theirs = scene.images.of(good("theirs"))
    running = scene.start(never_ready("two"), "--timeout", "60s")
    running.until_rolling()
    scene.kube("set", "image", scene.target, f"app={theirs}")
    ran = running.end().ended(13, "superseded", "Superseded")

    scene.kube.roll_out(scene.target)
    live = scene.look()
    live.runs(theirs, 2)
    assert ran.deploy["rolled_back_to"] is None
    assert live.workload["spec"]["replicas"] == 2


def test_of_two_deploys_at_once_the_later_one_wins(scene: Scene) -> None:
    scene.create()
    scene.deployed(good("one"))
    earlier = scene.start(never_ready("two"), "--timeout", "60s")
    earlier.until_rolling()
    later = scene.deploy(good("three")).ended(0, "deployed", "Complete")
    earlier.end().ended(13, "superseded", "Superseded")

    scene.look().runs(later.image, 2)


def test_a_workload_that_is_deleted_meanwhile_is_told_so(scene: Scene) -> None:
    scene.create()
    running = scene.start(never_ready("one"), "--timeout", "60s")
    running.until_rolling()
    scene.kube("delete", scene.target)
    running.end().ended(13, "superseded", "Deleted")


def test_a_paused_deployment_is_refused(scene: Scene) -> None:
    before = scene.create()
    scene.kube("rollout", "pause", scene.target)
    scene.deploy(good("one")).ended(4, "refused", "Paused").says("kubectl rollout resume")

    scene.look().runs(before.image, 2)
