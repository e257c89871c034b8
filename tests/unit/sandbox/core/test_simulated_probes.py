"""Simulated pods that are probed, on virtual time."""

from __future__ import annotations

import pytest

from kdeploy.rollout.objects import is_ready, status_of
from tests.unit.sandbox.core.simulated_pods import pod, start, state, status
from tests.unit.sandbox.core.world import START, World


def test_readiness_probes_are_sent_in_their_time() -> None:
    w = World(good="ready-after=7s")
    probe = {
        "httpGet": {"path": "/ready", "port": 80},
        "initialDelaySeconds": 2,
        "periodSeconds": 3,
        "successThreshold": 2,
    }
    start(w, container={"readinessProbe": probe})
    assert w.run_until(lambda: is_ready(pod(w))) == pytest.approx(11)
    (unhealthy,) = w.told("Unhealthy")
    assert (unhealthy["count"], unhealthy["message"]) == (
        2,
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
    )


def test_a_ready_pod_becomes_unready_after_as_many_failures_as_its_probe_says() -> None:
    w = World(good="http:/ready=500@20s http:/ready=200@60s")
    probe = {"httpGet": {"path": "/ready", "port": 80}, "periodSeconds": 5, "failureThreshold": 2}
    start(w, container={"readinessProbe": probe})
    assert is_ready(pod(w))
    assert w.run_until(lambda: not is_ready(pod(w))) == pytest.approx(25)
    assert w.run_until(lambda: is_ready(pod(w))) == pytest.approx(35)
    assert status(w)["restartCount"] == 0


def test_quiet_probes_cost_nothing() -> None:
    w = World(good="")
    probe = {"httpGet": {"port": 80}, "periodSeconds": 1}
    start(w, container={"readinessProbe": probe, "livenessProbe": probe, "startupProbe": probe})
    assert is_ready(pod(w))
    assert w.wake is None


def test_a_probe_that_fails_for_ever_is_not_told_for_ever() -> None:
    w = World(never="never-ready")
    start(w, "never", container={"readinessProbe": {"tcpSocket": {"port": 80}, "periodSeconds": 1}})
    w.run(3000)
    (unhealthy,) = w.told("Unhealthy")
    assert (
        unhealthy["message"]
        == f"Readiness probe failed: dial tcp {status_of(pod(w))['podIP']}:80: connect: connection refused"
    )
    assert 25 < unhealthy["count"] < 50


def test_a_failing_liveness_probe_kills_the_container_and_it_starts_again() -> None:
    w = World(bad="http:/live=500@10s stop-after=2s")
    probe = {"httpGet": {"path": "/live", "port": 80}, "periodSeconds": 4, "failureThreshold": 2}
    start(w, "bad", container={"livenessProbe": probe})
    seconds = w.run_until(lambda: "terminated" in status(w)["state"])
    assert seconds == pytest.approx(12 + 4 + 2)
    assert w.told("Killing")[0]["message"] == "Container web failed liveness probe, will be restarted"
    w.run(1.5)
    assert (state(w), status(w)["restartCount"]) == ("running", 1)


def test_a_container_that_hangs_is_killed_at_the_end_of_its_grace() -> None:
    w = World(bad="hangs-after=5s")
    probe = {"httpGet": {"port": 80}, "periodSeconds": 5, "failureThreshold": 1, "timeoutSeconds": 1}
    start(w, "bad", container={"livenessProbe": probe}, terminationGracePeriodSeconds=7)
    assert w.run_until(lambda: "terminated" in status(w)["state"]) == pytest.approx(12)
    assert status(w)["state"]["terminated"]["exitCode"] == 137
    assert "context deadline exceeded" in w.told("Unhealthy")[0]["message"]


def test_a_startup_probe_holds_the_others_back() -> None:
    w = World(slow="http:/up=503 http:/up=200@20s http:/live=500 http:/live=200@15s")
    container = {
        "startupProbe": {"httpGet": {"path": "/up", "port": 80}, "periodSeconds": 5, "failureThreshold": 10},
        "livenessProbe": {"httpGet": {"path": "/live", "port": 80}, "periodSeconds": 1, "failureThreshold": 1},
    }
    start(w, "slow", container=container)
    assert (status(w)["started"], is_ready(pod(w))) == (False, False)
    assert w.run_until(lambda: is_ready(pod(w))) == pytest.approx(20)
    assert (status(w)["started"], status(w)["restartCount"]) == (True, 0)


def test_a_startup_probe_that_fails_too_often_kills() -> None:
    w = World(never="http=500")
    probe = {"httpGet": {"port": 80}, "periodSeconds": 2, "failureThreshold": 3}
    start(w, "never", container={"startupProbe": probe})
    w.run_until(lambda: "terminated" in status(w)["state"])
    assert w.now - START == pytest.approx(4)
    assert "failed startup probe, will be restarted" in w.told("Killing")[0]["message"]
