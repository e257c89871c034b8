"""Deploys that fail, and what becomes of the version before, on virtual time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kdeploy.events import CheckEnded, Event, Patched, Phase, PhaseEnded, PhaseStarted
from kdeploy.model import Outcome, Reason
from kdeploy.rollout.objects import annotations_of
from tests.unit.rollout.dumps import workload_of
from tests.unit.story.simulated import HEALTH, Fault, KilledError, Simulation
from tests.unit.story.world import Behaviour, reference, version_of

MISSING = Behaviour(pull_error='rpc error: code = NotFound desc = "web:bad": not found')
SICK = Behaviour(healthy=False)
CRASHING = Behaviour(crash_after=0.5, ready_after=None)
WATCHED = replace(HEALTH, watch_for=30.0)


@pytest.mark.parametrize(
    ("behaviour", "reason", "within"),
    [
        (MISSING, Reason.IMAGE_NOT_FOUND, 1.0),
        (CRASHING, Reason.CRASH_LOOP, 25.0),
        (Behaviour(ready_after=1.0, crash_after=2.0), Reason.CRASH_LOOP, 30.0),
        (SICK, Reason.UNHEALTHY, 15.0),
        (Behaviour(sick_after=1.7), Reason.UNHEALTHY, 10.0),
        (Behaviour(healthy=None), Reason.VERIFY_UNREACHABLE, 20.0),
        (Behaviour(ready_after=1.0, crash_after=10.0), Reason.CRASH_LOOP, 15.0),
    ],
)
def test_a_bad_version_is_rolled_back_to_the_one_before_verified_again(
    behaviour: Behaviour, reason: Reason, within: float
) -> None:
    simulation = Simulation(bad=behaviour)
    report = simulation.deploy("bad", checks=(WATCHED,))
    assert (report.outcome, report.exit_code, report.reason) == (Outcome.ROLLED_BACK, 10, reason), report.message
    assert report.timings.detect is not None
    assert report.timings.detect < within
    assert report.timings.rollback is not None
    simulation.world.advance(simulation.now + 60)
    assert (simulation.live, simulation.running) == ("old", ["old", "old"])
    assert simulation.is_verified()
    assert report.deploys[0].rolled_back_to == reference("old")
    assert report.deploys[0].revision == "3"


def test_the_culprit_is_shown_with_its_log_and_events() -> None:
    report = Simulation(bad=CRASHING).deploy("bad")
    culprit = report.deploys[0].culprits[0]
    assert (culprit.container, culprit.exit_code, culprit.restarts) == ("web", 3, 3)
    assert culprit.log_tail == "panic: no database"
    assert culprit.events == ("Failed: it failed",)
    assert culprit.pod in report.message


def test_a_smaller_crash_budget_fails_sooner() -> None:
    def detect(budget: int) -> float:
        simulation = Simulation(bad=CRASHING)
        request = simulation.request("bad")
        report = simulation.deploy("bad", limits=replace(request.limits, crash_budget=budget))
        assert report.timings.detect is not None
        return report.timings.detect

    assert detect(0) < detect(1) < detect(2) < detect(3)
    assert detect(1) < 5.0


def test_a_rollout_that_is_not_complete_in_time_is_rolled_back() -> None:
    simulation = Simulation(bad=Behaviour(ready_after=None))
    report = simulation.deploy("bad")
    assert (report.outcome, report.reason) == (Outcome.ROLLED_BACK, Reason.READINESS_FAILED)
    assert report.timings.detect == pytest.approx(120.0, abs=2.0)
    assert simulation.live == "old"


def test_the_marks_of_the_version_before_come_back_unchanged() -> None:
    simulation = Simulation(bad=SICK)
    before = dict(annotations_of(workload_of(simulation.world.snapshot())))
    simulation.deploy("bad", checks=(HEALTH,))
    assert dict(annotations_of(workload_of(simulation.world.snapshot()))) == before


def test_after_good_bad_bad_the_good_version_runs() -> None:
    simulation = Simulation(bad1=MISSING, bad2=MISSING)
    simulation.deploy("bad1", rollback=False)
    assert simulation.live == "bad1"
    report = simulation.deploy("bad2")
    assert (report.outcome, simulation.live) == (Outcome.ROLLED_BACK, "old")
    assert simulation.is_verified()


def test_a_foreign_change_of_a_verified_version_is_kept_if_it_was_healthy() -> None:
    simulation = Simulation(bad=MISSING)
    simulation.world.change(set_env)
    simulation.world.advance(simulation.now + 60)
    assert not simulation.is_verified(), "it inherits the mark, which names another template"
    report = simulation.deploy("bad", checks=(HEALTH,))
    assert report.outcome is Outcome.ROLLED_BACK
    container = workload_of(simulation.world.snapshot())["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "A", "value": "b"}]
    assert simulation.is_verified(), "it was verified by the checks before and after"


def test_a_foreign_change_that_fails_the_checks_is_passed_over_for_the_verified_version() -> None:
    simulation = Simulation(bad=MISSING, hotfix=SICK)
    simulation.world.change(set_image("hotfix"))
    simulation.world.advance(simulation.now + 60)
    report = simulation.deploy("bad", checks=(HEALTH,))
    assert (report.outcome, simulation.live) == (Outcome.ROLLED_BACK, "old")
    assert "does not pass on the version before" in report.warnings[0]


def test_on_the_first_deploy_a_failing_check_is_known_to_be_the_check_s_fault_and_the_old_version_comes_back() -> None:
    simulation = Simulation(verified=False, old=SICK, new=SICK)
    report = simulation.deploy("new", checks=(HEALTH,))
    assert (report.outcome, simulation.live) == (Outcome.ROLLED_BACK, "old")
    assert not simulation.is_verified(), "nothing has proved it good"
    assert any("does not pass on the version before" in warning for warning in report.warnings)
    assert "look at the checks" in report.hint


def test_with_rollback_off_the_bad_version_is_left_and_said_so() -> None:
    simulation = Simulation(bad=SICK)
    report = simulation.deploy("bad", checks=(HEALTH,), rollback=False)
    assert (report.outcome, report.exit_code) == (Outcome.NOT_ROLLED_BACK, 12)
    assert "rollback is turned off" in report.message
    assert (simulation.live, simulation.is_verified()) == ("bad", False)


def test_where_nothing_was_ever_good_there_is_nothing_to_roll_back_to() -> None:
    simulation = Simulation(verified=False, old=CRASHING, bad=MISSING)
    report = simulation.deploy("bad")
    assert (report.outcome, report.reason) == (Outcome.NOT_ROLLED_BACK, Reason.IMAGE_NOT_FOUND)
    assert "not fully available" in report.message
    assert "kubectl rollout undo deployment/web -n shop" in report.hint
    assert "kdeploy rollback" not in report.hint


def test_a_rollback_whose_patch_is_refused_has_failed_and_is_not_tried_again() -> None:
    simulation = Simulation(bad=SICK)
    report = simulation.deploy("bad", checks=(HEALTH,), script={"faults": {1: Fault.FORBIDDEN}})
    assert (report.outcome, report.exit_code) == (Outcome.ROLLBACK_FAILED, 11)
    assert "denied by policy" in report.message
    assert len(simulation.cluster.patches) == 2
    assert report.deploys[0].rolled_back_to is None


@pytest.mark.parametrize("then", [SICK, CRASHING, MISSING])
def test_a_rollback_to_a_version_that_is_not_good_any_more_has_failed(then: Behaviour) -> None:
    simulation = Simulation(bad=SICK)
    simulation.later(3.0, lambda: simulation.behave("old", then))
    report = simulation.deploy("bad", checks=(HEALTH,))
    assert (report.outcome, report.reason) == (Outcome.ROLLBACK_FAILED, Reason.UNHEALTHY)
    assert "the rollback failed too" in report.message
    assert simulation.live == "old"


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.DROPPED])
def test_a_restore_patch_without_an_answer_is_sent_again(fault: Fault) -> None:
    simulation = Simulation(bad=SICK)
    report = simulation.deploy("bad", checks=(HEALTH,), script={"faults": {1: fault}})
    assert (report.outcome, simulation.live) == (Outcome.ROLLED_BACK, "old")


def test_success_is_confirmed_by_a_fresh_read_and_without_one_it_is_rolled_back() -> None:
    simulation = Simulation()
    report = simulation.deploy("new", checks=(HEALTH,), script={"failing_refreshes": frozenset({1})})
    assert (report.outcome, report.reason) == (Outcome.ROLLED_BACK, Reason.CLUSTER_UNREACHABLE)


def test_a_bug_after_the_patch_is_still_rolled_back() -> None:
    rolled_back = 0
    for call in range(1, 200):
        simulation = Simulation()
        try:
            report = simulation.deploy("new", checks=(HEALTH,), script={"bug_at": call})
        except KeyError:  # before the patch, or in the report at the very end: the command line makes it exit 70
            assert simulation.live == "old" or simulation.is_verified()
            continue
        if report.outcome is Outcome.DEPLOYED:
            assert simulation.is_verified()
            assert simulation.live == "new"
            break
        assert (report.outcome, report.reason) == (Outcome.ROLLED_BACK, Reason.INTERNAL)
        assert "a bug in kdeploy: KeyError" in report.message
        assert simulation.live == "old"
        rolled_back += 1
    assert rolled_back > 20


def test_a_bug_during_the_rollback_says_that_a_human_is_needed() -> None:
    outcomes = []
    for call in range(1, 400):
        simulation = Simulation(bad=SICK)
        try:
            report = simulation.deploy("bad", checks=(HEALTH,), script={"bug_at": call})
        except KeyError:
            assert simulation.live == "old"
            continue
        outcomes.append(report.outcome)
        assert report.outcome in (Outcome.ROLLED_BACK, Outcome.ROLLBACK_FAILED)
        if report.outcome is Outcome.ROLLBACK_FAILED:
            assert "the rollback failed too: a bug in kdeploy: KeyError" in report.message
        if simulation.cluster.calls < call:
            break
    assert outcomes.count(Outcome.ROLLBACK_FAILED) > 5


@pytest.mark.parametrize("kind", [Patched, CheckEnded, PhaseEnded])
def test_a_bug_in_what_is_shown_decides_nothing_about_production(kind: type[Event]) -> None:
    simulation = Simulation(bad=SICK)

    def fail_with_a_bug(event: Event) -> None:
        if isinstance(event, kind):
            raise KeyError("nobody thought of this")

    simulation.edges.on_event = fail_with_a_bug
    report = simulation.deploy("new", checks=(HEALTH,))
    assert report.outcome is Outcome.DEPLOYED
    assert [w for w in report.warnings if "an event could not be shown: a bug in kdeploy: KeyError" in w]
    assert simulation.deploy("bad", checks=(HEALTH,)).outcome is Outcome.ROLLED_BACK


def test_what_an_earlier_deploy_left_behind_as_failed_is_not_put_back() -> None:
    simulation = Simulation(verified=False, bad1=SICK, bad2=SICK)
    report = simulation.deploy("bad1", checks=(HEALTH,), rollback=False)
    assert report.outcome is Outcome.NOT_ROLLED_BACK
    simulation.world.advance(simulation.now + 60)
    report = simulation.deploy("bad2", checks=(HEALTH,))
    assert (report.outcome, simulation.live) == (Outcome.NOT_ROLLED_BACK, "bad2")
    assert "did not pass the checks" in report.message


def test_a_verified_version_comes_back_though_it_lost_a_pod_and_its_revision_was_not_kept() -> None:
    simulation = Simulation(bad=SICK)
    simulation.world.lose_a_pod()

    def forget(event: Event) -> None:  # revisionHistoryLimit 0
        if isinstance(event, PhaseEnded) and event.phase is Phase.ROLLOUT:
            kept = {
                n: rs for n, rs in simulation.world.replica_sets.items() if version_of(rs["spec"]["template"]) == "bad"
            }
            simulation.world.replica_sets = kept
            simulation.world.on_change()

    simulation.edges.on_event = forget
    report = simulation.deploy("bad", checks=(HEALTH,))
    assert (report.outcome, simulation.live) == (Outcome.ROLLED_BACK, "old"), report.message


def test_a_change_that_was_scaled_to_0_was_not_proved_good() -> None:
    simulation = Simulation(hotfix=SICK, bad=SICK)
    simulation.world.change(scale(0))
    simulation.world.change(set_image("hotfix"))
    simulation.world.advance(simulation.now + 60)
    simulation.edges.on_defer = lambda: simulation.world.change(scale(2))
    report = simulation.deploy("bad", checks=(HEALTH,))
    assert (report.outcome, simulation.live) == (Outcome.ROLLED_BACK, "old"), report.message


def test_what_is_restored_to_0_replicas_and_scaled_up_then_is_checked_after_all() -> None:
    simulation = Simulation(bad=SICK)

    def strike(event: Event) -> None:
        if isinstance(event, Patched) and event.restore:
            simulation.behave("old", SICK)
            simulation.world.change(scale(0))

    def wake() -> None:  # as an autoscaler does, just before the fresh read
        if workload_of(simulation.world.snapshot())["spec"]["replicas"] == 0:
            simulation.world.change(scale(2))

    simulation.edges.on_event = strike
    report = simulation.deploy("bad", checks=(HEALTH,), script={"before_refresh": wake})
    assert report.outcome is Outcome.ROLLBACK_FAILED, report.message


@pytest.mark.parametrize("verified", [True, False])
def test_a_pod_that_is_lost_during_the_baseline_keeps_nobody_waiting(verified: bool) -> None:
    simulation = Simulation(verified=verified)

    def strike(event: Event) -> None:
        if isinstance(event, PhaseStarted) and event.phase is Phase.BASELINE:
            simulation.behave("old", Behaviour(ready_after=None))
            simulation.world.lose_a_pod()

    simulation.edges.on_event = strike
    started = simulation.now
    report = simulation.deploy("new", checks=(HEALTH,))
    assert report.outcome is Outcome.DEPLOYED
    assert simulation.now - started < 30


def test_a_run_killed_between_restore_and_mark_is_mended_by_the_next() -> None:
    for call in range(1, 200):
        attempt = Simulation(bad=MISSING)
        attempt.world.change(set_env)
        attempt.world.advance(attempt.now + 60)
        try:
            attempt.deploy("bad", checks=(HEALTH,), script={"kill_at": call})
        except KilledError:
            assert attempt.deploy("new", checks=(HEALTH,)).outcome is Outcome.DEPLOYED
            assert attempt.is_verified()
        else:
            assert call > 10
            return
    raise AssertionError("it never came to its end")


def set_env(workload: dict[str, Any]) -> None:
    workload["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "b"}]


def set_image(version: str) -> Callable[[dict[str, Any]], None]:
    def change(workload: dict[str, Any]) -> None:
        workload["spec"]["template"]["spec"]["containers"][0]["image"] = reference(version)

    return change


def scale(replicas: int) -> Callable[[dict[str, Any]], None]:
    def change(workload: dict[str, Any]) -> None:
        workload["spec"]["replicas"] = replicas

    return change
