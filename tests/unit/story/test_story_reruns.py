"""Reruns of a version that an earlier deploy left broken, on virtual time: judged by what is so now, and soon."""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy.model import Limits, Outcome, Reason
from kdeploy.report.summary import summary
from kdeploy.report.value import Report
from tests.unit.story.simulated import Simulation
from tests.unit.story.world import Behaviour, reference

MISSING = Behaviour(config_error='configmap "settings" not found')
LATER = 60.0


def left_behind(broken: Behaviour, reason: Reason, later: float = LATER, **more: Any) -> Simulation:
    """A deploy of `broken` that failed and was left as it is, so many seconds ago."""
    simulation = Simulation(new=broken)
    failed(simulation.deploy("new", rollback=False, **more), reason)
    simulation.world.advance(simulation.now + later)
    return simulation


def failed(report: Report, reason: Reason) -> float:
    """Asserts that it failed so; the seconds from the patch to the verdict."""
    assert (report.outcome, report.reason) == (Outcome.NOT_ROLLED_BACK, reason), report.message
    assert report.timings.detect is not None
    return report.timings.detect


def test_what_was_mended_meanwhile_is_deployed() -> None:
    simulation = left_behind(MISSING, Reason.CONFIG_ERROR)
    simulation.behave("new", Behaviour())
    assert simulation.deploy("new").outcome is Outcome.DEPLOYED
    assert simulation.running == ["new", "new"]


def test_what_is_still_broken_fails_once_the_kubelet_has_tried_again() -> None:
    simulation = left_behind(MISSING, Reason.CONFIG_ERROR)
    assert 13.0 < failed(simulation.deploy("new", rollback=False), Reason.CONFIG_ERROR) < 25.0


def test_what_is_broken_in_another_way_now_fails_as_soon_as_that_shows() -> None:
    simulation = left_behind(MISSING, Reason.CONFIG_ERROR)
    simulation.behave("new", Behaviour(config_error='secret "token" not found'))
    report = simulation.deploy("new", rollback=False)
    assert failed(report, Reason.CONFIG_ERROR) < 14.0
    assert "token" in report.message


@pytest.mark.parametrize("is_mended", [True, False])
@pytest.mark.parametrize("later", [1.0, 30.0, 120.0])
def test_an_image_that_could_not_be_pulled_is_judged_by_the_next_pull(later: float, is_mended: bool) -> None:
    simulation = left_behind(Behaviour(pull_error="manifest unknown: not found"), Reason.IMAGE_NOT_FOUND, later)
    if is_mended:
        simulation.behave("new", Behaviour())
    report = simulation.deploy("new", rollback=False, limits=Limits(timeout=600))
    if is_mended:
        assert report.outcome is Outcome.DEPLOYED
    else:
        assert 5.0 < failed(report, Reason.IMAGE_NOT_FOUND) < 300.0


def test_a_crash_loop_that_had_spent_its_budget_is_given_one_more_try() -> None:
    simulation = left_behind(Behaviour(crash_after=0.5), Reason.CRASH_LOOP, 1.0)
    assert 10.0 < failed(simulation.deploy("new", rollback=False), Reason.CRASH_LOOP) < 40.0
    simulation.behave("new", Behaviour())
    assert simulation.deploy("new").outcome is Outcome.DEPLOYED


def test_a_crash_budget_of_nothing_was_not_spent_by_an_earlier_run() -> None:
    limits = Limits(timeout=120, crash_budget=0)
    simulation = left_behind(Behaviour(crash_after=0.5), Reason.CRASH_LOOP, 0.0, limits=limits)
    assert failed(simulation.deploy("new", limits=limits, rollback=False), Reason.CRASH_LOOP) > 0.5
    simulation.behave("new", Behaviour())
    assert simulation.deploy("new", limits=limits).outcome is Outcome.DEPLOYED


def test_a_deadline_that_was_missed_before_is_not_missed_again() -> None:
    simulation = Simulation(new=MISSING)
    simulation.later(2.0, simulation.world.miss_deadline)
    simulation.deploy("new", rollback=False)
    simulation.world.advance(simulation.now + LATER)
    simulation.behave("new", Behaviour())
    assert simulation.deploy("new").outcome is Outcome.DEPLOYED


def test_a_deadline_that_is_missed_now_fails_the_rerun() -> None:
    simulation = left_behind(Behaviour(ready_after=None), Reason.READINESS_FAILED, limits=Limits(timeout=20))
    simulation.later(5.0, simulation.world.miss_deadline)
    report = simulation.deploy("new", rollback=False)
    assert failed(report, Reason.PROGRESS_DEADLINE_EXCEEDED) < 6.0


def test_a_verified_version_is_not_judged_by_what_its_pods_showed_before_the_rerun() -> None:
    simulation = Simulation()
    simulation.deploy("new")
    simulation.behave("new", MISSING)
    simulation.world.lose_a_pod()
    simulation.world.advance(simulation.now + LATER)
    simulation.behave("new", Behaviour())
    assert simulation.deploy("new").outcome is Outcome.UNCHANGED
    assert simulation.running == ["new", "new"]


def test_after_a_rerun_that_fails_too_summary_and_hint_agree_on_what_runs() -> None:
    report = left_behind(MISSING, Reason.CONFIG_ERROR).deploy("new")
    assert report.outcome is Outcome.ROLLED_BACK
    assert report.deploys[0].rolled_back_to == reference("old")
    assert "what was live just before was not proved good" in report.hint
    assert "now: an older version, which was verified, runs again" in summary(report)
