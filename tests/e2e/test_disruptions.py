"""The cluster itself fails meanwhile. These stop parts of it, and so run alone."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.e2e.scene import Scene
from tests.scenarios.versions import crashing, good, never_ready

pytestmark = pytest.mark.disruptive


@contextlib.contextmanager
def without_apiserver(scene: Scene) -> Iterator[None]:
    """Connections to the API server are refused inside, and it runs again afterwards."""
    scene.cluster.stop_apiserver()
    try:
        yield
    finally:
        scene.cluster.start_apiserver()


@contextlib.contextmanager
def silent_apiserver(scene: Scene) -> Iterator[None]:
    """Connections stay open inside, and nothing answers."""
    scene.cluster.pause_apiserver()
    try:
        yield
    finally:
        scene.cluster.resume_apiserver()


def test_an_api_server_that_goes_away_and_comes_back_is_survived(scene: Scene) -> None:
    scene.create(calm=3)
    scene.checkout.commit(good("one"))
    running = scene.start()
    running.until_rolling()
    with without_apiserver(scene):
        time.sleep(3)
    ran = running.end().ended(0, "deployed", "Complete")

    scene.look().runs(ran.image, 2)


def test_an_api_server_that_falls_silent_and_wakes_up_is_survived(scene: Scene) -> None:
    scene.create(calm=3)
    scene.checkout.commit(good("one"))
    running = scene.start()
    running.until_rolling()
    with silent_apiserver(scene):
        time.sleep(8)
    ran = running.end().ended(0, "deployed", "Complete")

    scene.look().runs(ran.image, 2)


def test_a_bad_version_is_rolled_back_when_the_api_server_is_back(scene: Scene) -> None:
    scene.create()
    first = scene.deployed(good("one"))
    running = scene.start(crashing("two"), "--crash-budget", "1")
    running.until_rolling()
    with without_apiserver(scene):
        time.sleep(6)
    running.end().ended(10, "rolled-back", "CrashLoop")

    scene.look().runs(first.image, 2)


def end_in_time(scene: Scene, disrupted: Callable[[Scene], AbstractContextManager[None]]) -> None:
    """A deploy whose API server goes away for good ends by the sum of its timeouts and 5 s, and asks for a human."""
    scene.create()
    scene.deployed(good("one"))
    running = scene.start(never_ready("two"), "--timeout", "6s", "--rollback-timeout", "6s")
    running.until_rolling()
    started = time.monotonic()
    with disrupted(scene):
        running.process.wait(60)
        seconds = time.monotonic() - started
    running.end().ended(11, "rollback-failed", "ClusterUnreachable").says("the rollback failed too")
    assert seconds < 6 + 6 + 5


def test_an_api_server_that_stays_away_ends_the_run_in_time(scene: Scene) -> None:
    end_in_time(scene, without_apiserver)


def test_an_api_server_that_stays_silent_ends_the_run_in_time_and_the_next_deploy_converges(scene: Scene) -> None:
    end_in_time(scene, silent_apiserver)
    ran = scene.deploy(good("three")).ended(0, "deployed", "Complete")
    scene.look().runs(ran.image, 2)


def test_a_kubelet_that_stops_meanwhile_delays_the_rollout_no_more(scene: Scene) -> None:
    scene.create(calm=3)
    scene.checkout.commit(good("one"))
    running = scene.start()
    running.until_rolling()
    scene.cluster.stop_kubelet()
    try:
        time.sleep(3)
    finally:
        scene.cluster.start_kubelet()
    ran = running.end().ended(0, "deployed", "Complete")

    scene.look().runs(ran.image, 2)
