"""Builds by Docker within a deploy: other engines, none at all, one that fails, one that is interrupted."""

import signal
from pathlib import Path

from tests.e2e.scene import Scene
from tests.scenarios.versions import good, unbuildable


def test_the_classic_builder_serves_where_there_is_no_buildx(scene: Scene) -> None:
    scene.create()
    classic = {"DOCKER_CONFIG": str(scene.cluster.docker_config_classic), "DOCKER_BUILDKIT": "0"}
    commit = scene.checkout.commit(good("one"))
    ran = scene.deploy(env=classic).ended(0, "deployed", "Complete")

    assert ran.deploy["image"]["tag"] == commit
    scene.look().runs(ran.image, 2)
    asked_for = scene.deploy(good("two"), "--builder", "classic").ended(0, "deployed", "Complete")
    scene.look().runs(asked_for.image, 2)


def test_a_signal_before_the_patch_leaves_the_workload_untouched(scene: Scene) -> None:
    before = scene.create()
    running = scene.start(good("one"))
    running.until(lambda event: event["type"] == "phase-started" and event["phase"] == "build", "the build")
    running.send(signal.SIGTERM)
    running.end(30).ended(143, "interrupted", "Interrupted").says("nothing was changed")

    scene.look().is_untouched_since(before)


def test_a_dockerfile_that_needs_docker_where_there_is_none_is_told_with_the_ways_out(scene: Scene) -> None:
    before = scene.create()
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    ran = scene.deploy(unbuildable("one"), env=nowhere).ended(3, "build-failed", "BuildFailed")

    assert ran.report["location"]["line"] == 2
    ran.says("no Docker engine", "line 2: the layers builder cannot do RUN", "DOCKER_HOST", "--image")
    scene.look().is_untouched_since(before)


def test_a_dockerfile_that_fails_shows_its_last_lines(scene: Scene) -> None:
    before = scene.create()
    ran = scene.deploy(unbuildable("one")).ended(3, "build-failed", "BuildFailed")

    assert "the compiler says no" in ran.err
    assert (ran.report["location"]["line"], Path(ran.report["location"]["file"]).name) == (2, "Dockerfile")
    scene.look().is_untouched_since(before)
    code, _, err = scene.program.show("deploy", "--quiet")
    assert (code, "the compiler says no" in err) == (3, True)
    classic = {"DOCKER_CONFIG": str(scene.cluster.docker_config_classic), "DOCKER_BUILDKIT": "0"}
    ran = scene.deploy(env=classic).ended(3, "build-failed", "BuildFailed")
    assert ran.report["location"]["line"] == 2
    assert "the compiler says no" in ran.err
