"""Deploying the same version again, after somebody has mended what it lacked or before."""

from tests.e2e.scene import Scene
from tests.scenarios.versions import good


def test_a_rerun_is_judged_by_what_is_so_now(scene: Scene) -> None:
    scene.create()
    scene.kube("create", "configmap", "settings", "--from-literal=COLOUR=blue")
    scene.kube("set", "env", scene.target, "--from=configmap/settings")
    scene.kube.roll_out(scene.target)
    scene.kube("delete", "configmap", "settings")
    ran = scene.deploy(good("one"), "--no-rollback").ended(12, "not-rolled-back", "ConfigError").says("settings")
    assert ran.timings["detect"] < 15

    ran = scene.deploy(None, "--no-rollback").ended(12, "not-rolled-back", "ConfigError")
    assert 10 < ran.timings["detect"] < 40, "the kubelet tries again each 10 to 15 s, which nothing shows"

    scene.kube("create", "configmap", "settings", "--from-literal=COLOUR=blue")
    ran = scene.deploy().ended(0, "deployed", "Complete")
    scene.look().runs(ran.image, 2)
