"""The deploy's patch and what ends it: refused, without an answer, interrupted by a signal; on virtual time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from signal import SIGINT, SIGTERM
from typing import Any

import pytest

from kdeploy.events import Event, Noted, Patched
from kdeploy.model import Outcome, Reason
from tests.unit.story.simulated import HEALTH, Fault, Outage, Simulation
from tests.unit.story.test_story_others import SICK, SLOW, assert_superseded, env, image
from tests.unit.story.world import Behaviour, reference


@pytest.mark.parametrize(
    ("fault", "reason", "tries"),
    [(Fault.FORBIDDEN, Reason.ADMISSION_DENIED, 1), (Fault.INVALID, Reason.CONFLICT, 2)],
)
def test_a_patch_that_the_server_refuses_ends_in_refused(fault: Fault, reason: Reason, tries: int) -> None:
    simulation = Simulation()
    report = simulation.deploy("new", script={"faults": {0: fault, 1: fault}})
    assert (report.outcome, report.reason, simulation.live) == (Outcome.REFUSED, reason, "old")
    assert len(simulation.cluster.patches) == tries


def test_a_patch_that_is_refused_once_though_nothing_changed_is_planned_anew() -> None:
    simulation = Simulation()
    report = simulation.deploy("new", script={"faults": {0: Fault.INVALID}})
    assert (report.outcome, simulation.live) == (Outcome.DEPLOYED, "new")


@pytest.mark.parametrize("moment", [0.0, 0.005, 5.0])
@pytest.mark.parametrize("signal", [SIGINT, SIGTERM])
def test_a_signal_before_the_patch_ends_the_run_and_changes_nothing(moment: float, signal: int) -> None:
    simulation = Simulation()
    simulation.later(moment, lambda: simulation.cluster.signal(signal))
    report = simulation.deploy("new", built=True)
    assert (report.outcome, report.exit_code) == (Outcome.INTERRUPTED, 128 + signal)
    assert (simulation.cluster.patches, simulation.live) == ([], "old")


@pytest.mark.parametrize("moment", [0.1, 5.0, 21.0, 25.0])
@pytest.mark.parametrize("signal", [SIGINT, SIGTERM])
def test_a_signal_after_the_patch_sends_the_restore_patch_at_once(moment: float, signal: int) -> None:
    """During the rollout, the checks, and what is watched after them."""
    simulation = Simulation(new=SLOW)
    simulation.later(moment, lambda: simulation.cluster.signal(signal))
    started = simulation.now
    report = simulation.deploy("new", checks=(replace(HEALTH, watch_for=10.0),))
    assert (report.outcome, report.exit_code) == (Outcome.INTERRUPTED, 128 + signal)
    assert simulation.now - started < moment + 1.0
    assert simulation.live == "old"
    assert report.deploys[0].rolled_back_to == reference("old")
    assert "kdeploy status --watch" in report.hint
    assert simulation.is_verified()


@pytest.mark.parametrize("asked", [{"on_interrupt": "leave"}, {"rollback": False}])
def test_a_signal_leaves_the_rollout_alone_where_that_was_asked_for(asked: dict[str, Any]) -> None:
    simulation = Simulation(new=SLOW)
    simulation.later(5.0, lambda: simulation.cluster.signal(SIGTERM))
    report = simulation.deploy("new", **asked)
    assert (report.outcome, report.exit_code) == (Outcome.INTERRUPTED, 143)
    assert (simulation.live, len(simulation.cluster.patches)) == ("new", 1)


def test_a_signal_during_the_rollback_ends_the_wait_and_keeps_the_restore() -> None:
    simulation = Simulation(bad=Behaviour(healthy=False, ready_after=1.0), old=SLOW)
    simulation.edges.on_event = lambda event: (
        simulation.cluster.signal(SIGTERM) if isinstance(event, Patched) and event.restore else None
    )
    report = simulation.deploy("bad", checks=(HEALTH,))
    assert (report.outcome, report.exit_code, simulation.live) == (Outcome.INTERRUPTED, 143, "old")
    assert "was not waited for" in report.message


def test_a_signal_whose_restore_is_refused_says_that_a_human_is_needed() -> None:
    simulation = Simulation(new=SLOW)
    simulation.later(5.0, lambda: simulation.cluster.signal(SIGTERM))
    report = simulation.deploy("new", script={"faults": {1: Fault.FORBIDDEN}})
    assert (report.outcome, report.exit_code) == (Outcome.ROLLBACK_FAILED, 11)


def test_a_patch_that_is_never_answered_is_not_called_untouched() -> None:
    simulation = Simulation()
    report = simulation.deploy("new", script={"outages": [Outage(begin=0.03, silent=True)]})
    assert (report.exit_code, report.reason) == (11, Reason.CLUSTER_UNREACHABLE)


def test_a_patch_that_never_left_is_called_untouched() -> None:
    simulation = Simulation()
    report = simulation.deploy("new", script={"outages": [Outage(begin=0.03)]})
    assert (report.outcome, report.exit_code, simulation.live) == (Outcome.REFUSED, 4, "old")


@pytest.mark.parametrize("asked", [{}, {"on_interrupt": "leave"}])
def test_a_signal_while_the_patch_is_tried_again_ends_the_tries(asked: dict[str, Any]) -> None:
    simulation = Simulation()
    started = simulation.now
    simulation.later(5.0, lambda: simulation.cluster.signal(SIGTERM))
    report = simulation.deploy("new", script={"outages": [Outage(begin=0.03, end=60.0)]}, **asked)
    assert (report.outcome, report.exit_code) == (Outcome.INTERRUPTED, 143)
    assert simulation.now - started < 6
    assert not any(patch.applied for patch in simulation.cluster.patches)
    assert simulation.live == "old"


@pytest.mark.parametrize(
    ("fault", "live"), [(Fault.ANSWER_LOST, "old"), (Fault.DROPPED, "old")], ids=["it was applied", "it was not"]
)
def test_a_signal_after_a_patch_without_an_answer_looks_whether_it_was_applied(fault: Fault, live: str) -> None:
    simulation = Simulation(new=SLOW)
    simulation.edges.on_event = lambda event: (
        simulation.cluster.signal(SIGTERM) if isinstance(event, Noted) and "no answer" in event.message else None
    )
    report = simulation.deploy("new", script={"faults": {0: fault}})
    assert (report.outcome, report.exit_code, simulation.live) == (Outcome.INTERRUPTED, 143, live)
    restores = [patch for patch in simulation.cluster.patches if patch.is_restore]
    assert len(restores) == (fault is Fault.ANSWER_LOST)


def test_a_signal_while_nobody_knows_whether_the_patch_arrived_says_that_a_human_is_needed() -> None:
    simulation = Simulation()
    simulation.edges.on_event = lambda event: (
        simulation.cluster.signal(SIGTERM) if isinstance(event, Noted) and "no answer" in event.message else None
    )
    report = simulation.deploy("new", script={"faults": {0: Fault.DROPPED}, "failing_refreshes": frozenset({1})})
    assert (report.outcome, report.reason) == (Outcome.ROLLBACK_FAILED, Reason.CLUSTER_UNREACHABLE)


def test_a_patch_that_was_refused_is_called_untouched_although_nothing_answers_any_more() -> None:
    simulation = Simulation()
    script = {"faults": {0: Fault.INVALID}, "failing_refreshes": frozenset({1})}
    report = simulation.deploy("new", script=script)
    assert (report.outcome, report.exit_code) == (Outcome.REFUSED, 4)
    assert "spec is invalid" in report.message


def test_our_patch_is_known_as_ours_although_a_webhook_altered_it_and_its_answer_was_lost() -> None:
    simulation = Simulation(bad=SICK)
    simulation.world.admit = env
    report = simulation.deploy("bad", checks=(HEALTH,), script={"faults": {0: Fault.ANSWER_LOST}})
    assert (report.outcome, report.reason) == (Outcome.ROLLED_BACK, Reason.UNHEALTHY)


@pytest.mark.parametrize("change", [image("theirs"), env], ids=["set image", "set env"])
def test_a_foreign_change_over_a_patch_of_marks_alone_whose_answer_was_lost_is_theirs(
    change: Callable[[Any], None],
) -> None:
    simulation = Simulation(verified=False, theirs=SICK)
    simulation.later(0.3, lambda: simulation.world.change(change))
    report = simulation.deploy("old", checks=(HEALTH,), script={"faults": {0: Fault.ANSWER_LOST}})
    assert_superseded(simulation, report, simulation.live)
    assert not simulation.is_verified()


@pytest.mark.parametrize("answers", [True, False], ids=["then it answers", "then it does not"])
def test_a_patch_whose_answer_is_not_the_workload_is_rolled_back_where_it_was_applied(answers: bool) -> None:
    simulation = Simulation(bad=SICK)
    script = {"faults": {0: Fault.OTHER_ANSWER}, "failing_refreshes": frozenset() if answers else frozenset({1})}
    report = simulation.deploy("bad", checks=(HEALTH,), script=script)
    assert (report.outcome, report.reason, simulation.live) == (Outcome.ROLLED_BACK, Reason.INTERNAL, "old")


@pytest.mark.parametrize("unanswered", [frozenset(), frozenset({1})], ids=["read afresh", "no fresh read at first"])
def test_a_view_older_than_our_own_patch_is_not_somebody_else_s_change(unanswered: frozenset[int]) -> None:
    simulation = Simulation(bad=SICK)
    before = simulation.world.snapshot()

    def stale(event: Event) -> None:
        if isinstance(event, Patched) and not event.restore:
            simulation.cluster.show(before)

    simulation.edges.on_event = stale
    report = simulation.deploy("bad", checks=(HEALTH,), script={"failing_refreshes": unanswered})
    assert (report.outcome, report.reason) == (Outcome.ROLLED_BACK, Reason.UNHEALTHY)
