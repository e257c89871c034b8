"""Deploys that end well, on virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kdeploy.events import Event, Heartbeat, Patched, Phase, PhaseEnded, PhaseStarted
from kdeploy.model import Outcome, Reason
from kdeploy.rollout import marks
from kdeploy.rollout.objects import annotations_of
from kdeploy.rollout.revisions import revisions_of
from tests.unit.rollout.dumps import workload_of
from tests.unit.story.simulated import HEALTH, Fault, KilledError, Outage, Simulation
from tests.unit.story.world import REPOSITORY, Behaviour, digest, reference, version_of


def test_a_good_version_is_deployed_verified_and_reported() -> None:
    simulation = Simulation()
    report = simulation.deploy("new", checks=(HEALTH,))
    assert (report.outcome, report.exit_code, report.reason) == (Outcome.DEPLOYED, 0, Reason.COMPLETE)
    assert (simulation.live, simulation.running) == ("new", ["new", "new"])
    assert simulation.is_verified()
    assert (report.deploy_id, report.commit, report.warnings) == ("deploy-2", "commit-new", ())
    (entry,) = report.deploys
    assert entry.image is not None
    assert (entry.image.reference, entry.image.digest) == (reference("new"), digest("new"))
    assert (entry.image.previous, entry.revision, entry.rolled_back_to) == (reference("old"), "2", None)
    assert [(check.name, check.passed, check.samples, check.failures) for check in entry.checks] == [
        ("health", True, 8, 0)
    ]
    assert entry.containers == ("web",)


@pytest.mark.parametrize("more", [{}, {"dry_run": True, "built": True}, {"containers": ("web",)}])
def test_an_image_of_another_repository_than_what_runs_is_deployed_with_a_warning(more: dict[str, Any]) -> None:
    report = Simulation().deploy("new", repository="registry.test/other/web", checks=(HEALTH,), **more)
    assert report.exit_code == 0
    (warning,) = report.warnings
    assert "another repository, registry.test/other/web" in warning
    assert f"runs {REPOSITORY}:old," in warning


def test_the_timings_are_those_of_the_steps() -> None:
    report = Simulation(new=Behaviour(ready_after=20.0)).deploy("new", checks=(HEALTH,), built=True)
    timings = report.timings
    assert timings.build == pytest.approx(10.0)
    assert timings.rollout == pytest.approx(40.5, abs=0.5), "two pods, one after the other"
    assert timings.verify == pytest.approx(0.75, abs=0.1)
    assert timings.rollback is None
    assert timings.build is not None
    assert timings.rollout is not None
    assert timings.verify is not None
    assert timings.detect is not None
    assert timings.detect == pytest.approx(timings.rollout + timings.verify, abs=0.1)
    assert timings.total == pytest.approx(timings.build + timings.detect, abs=0.5)


def test_a_good_deploy_needs_few_requests() -> None:
    report = Simulation(replicas=9).deploy("new", checks=(HEALTH,))
    assert report.outcome is Outcome.DEPLOYED
    assert report.api_requests <= 6


def test_the_marks_tell_who_deployed_what() -> None:
    simulation = Simulation()
    simulation.deploy("new", actor="jane", run_url="https://ci/1", run="github/acme/web#7")
    assert dict(marks.marks_of(workload_of(simulation.world.snapshot()))) | {marks.VERIFIED: "x"} == {
        marks.DEPLOY_ID: "deploy-2",
        marks.STATE: marks.DEPLOYED,
        marks.COMMIT: "commit-new",
        marks.DIGEST: digest("new"),
        marks.RUN_URL: "https://ci/1",
        marks.RUN: "github/acme/web#7",
        marks.ACTOR: "jane",
        marks.VERIFIED: "x",
    }


def test_without_checks_it_is_said_that_nothing_more_was_verified() -> None:
    report = Simulation().deploy("new")
    assert (report.outcome, report.reason) == (Outcome.DEPLOYED, Reason.NOTHING_TO_VERIFY)
    assert "nothing more checked" in report.message


def test_a_verified_version_that_is_live_is_verified_again_and_not_patched() -> None:
    simulation = Simulation()
    report = simulation.deploy("old", checks=(HEALTH,))
    assert (report.outcome, report.exit_code) == (Outcome.UNCHANGED, 0)
    assert simulation.cluster.patches == []
    assert report.deploys[0].checks[0].passed
    assert report.deploys[0].revision == "1"


def test_a_verified_live_version_that_became_sick_is_reported_and_left_alone() -> None:
    simulation = Simulation(old=Behaviour(sick_after=30.0))
    report = simulation.deploy("old", checks=(HEALTH,))
    assert (report.outcome, report.reason) == (Outcome.NOT_ROLLED_BACK, Reason.UNHEALTHY)
    assert simulation.cluster.patches == []


def test_a_live_version_that_was_never_verified_is_verified_and_marked_without_rolling_a_pod() -> None:
    simulation = Simulation(verified=False)
    before = set(simulation.world.pods)
    report = simulation.deploy("old", checks=(HEALTH,))
    assert report.outcome is Outcome.DEPLOYED
    assert set(simulation.world.pods) == before
    assert simulation.is_verified()


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.DROPPED])
@pytest.mark.parametrize("number", [0, 1])
def test_a_patch_without_an_answer_is_sent_again_and_found_done(fault: Fault, number: int) -> None:
    """Number 0 is the deploy's patch, 1 the mark of its verification."""
    simulation = Simulation()
    report = simulation.deploy("new", checks=(HEALTH,), script={"faults": {number: fault}})
    assert (report.outcome, report.warnings) == (Outcome.DEPLOYED, ())
    assert len(simulation.cluster.patches) == 3
    assert sum(patch.is_deploy and patch.applied for patch in simulation.cluster.patches) == 1
    assert simulation.is_verified()


def test_a_version_that_cannot_be_marked_is_deployed_with_a_warning_and_verified_by_the_next_run() -> None:
    simulation = Simulation()
    report = simulation.deploy("new", script={"faults": {1: Fault.FORBIDDEN}})
    assert report.outcome is Outcome.DEPLOYED
    assert any("could not be marked as verified" in warning for warning in report.warnings)
    assert not simulation.is_verified()
    assert simulation.deploy("new").outcome is Outcome.DEPLOYED
    assert simulation.is_verified()


def test_the_rollout_of_a_killed_run_is_taken_over_by_the_same_commit() -> None:
    simulation = Simulation(new=Behaviour(ready_after=10.0))
    with pytest.raises(KilledError):
        simulation.deploy("new", script={"kill_at": 20})
    assert simulation.live == "new"
    started = simulation.now
    assert simulation.deploy("new", checks=(HEALTH,)).outcome is Outcome.DEPLOYED
    assert simulation.now - started < 25, "its pods are not rolled anew"
    assert len(revisions_of(simulation.world.snapshot())) == 2


def test_a_container_that_crashes_twice_and_then_runs_is_within_its_budget() -> None:
    simulation = Simulation(new=Behaviour(ready_after=2.5, crash_after=2.0))
    simulation.later(4.0, lambda: simulation.behave("new", Behaviour()))
    assert simulation.deploy("new").outcome is Outcome.DEPLOYED


def test_scaling_during_the_rollout_is_nobody_else_s_deploy_and_is_kept() -> None:
    simulation = Simulation(new=Behaviour(ready_after=5.0))
    simulation.later(3.0, lambda: simulation.world.change(lambda w: w["spec"].update(replicas=4)))
    report = simulation.deploy("new", checks=(HEALTH,))
    assert report.outcome is Outcome.DEPLOYED
    assert simulation.running == ["new"] * 4


def test_an_api_server_that_is_away_during_the_rollout_changes_nothing() -> None:
    for silent in (False, True):
        simulation = Simulation(new=Behaviour(ready_after=5.0))
        script = {"outages": [Outage(begin=2.0, end=20.0, silent=silent)]}
        report = simulation.deploy("new", checks=(HEALTH,), script=script)
        assert report.outcome is Outcome.DEPLOYED, report.message


def test_a_workload_that_is_scaled_to_0_is_complete_at_once_with_nothing_to_verify() -> None:
    simulation = Simulation(replicas=0)
    report = simulation.deploy("new")
    assert (report.outcome, report.reason) == (Outcome.DEPLOYED, Reason.NOTHING_TO_VERIFY)


@pytest.mark.parametrize("phase", [Phase.ROLLOUT, Phase.VERIFY])
def test_a_version_that_was_scaled_to_0_is_checked_once_it_is_scaled_up_at_the_last_moment(phase: Phase) -> None:
    simulation = Simulation(replicas=0, new=Behaviour(healthy=False))
    refreshes = 0

    def wake() -> None:  # as an autoscaler does: before the checks, or just before the fresh read that ends the run
        nonlocal refreshes
        refreshes += 1
        if phase is Phase.VERIFY and refreshes == 2:
            simulation.world.change(scale(2))

    def hidden(event: Event) -> None:
        if phase is Phase.ROLLOUT and isinstance(event, PhaseEnded) and event.phase is Phase.ROLLOUT:
            simulation.hide(lambda: simulation.world.change(scale(2)))

    simulation.edges.on_event = hidden
    report = simulation.deploy("new", checks=(HEALTH,), script={"before_refresh": wake})
    assert report.reason is Reason.UNHEALTHY, report.message
    assert not (simulation.live == "new" and simulation.is_verified())


def test_a_version_that_is_scaled_to_0_and_up_again_during_its_checks_is_checked() -> None:
    simulation = Simulation(bad=Behaviour(healthy=None))

    def strike(event: Event) -> None:
        if isinstance(event, PhaseStarted) and event.phase is Phase.VERIFY and simulation.live == "bad":
            simulation.later(0.5, lambda: simulation.world.change(scale(0)))
            simulation.later(0.505, lambda: simulation.world.change(scale(2)))

    simulation.edges.on_event = strike
    assert simulation.deploy("bad", checks=(HEALTH,)).reason is Reason.VERIFY_UNREACHABLE


def test_where_no_check_ran_none_is_said_to_have_passed() -> None:
    simulation = Simulation(replicas=0)
    assert "it is scaled to 0; no check ran" in simulation.deploy("new", checks=(HEALTH,)).message
    assert "it is scaled to 0; nothing more checked" in simulation.deploy("newer").message


def test_a_dry_run_shows_the_patch_to_the_server_and_changes_nothing() -> None:
    simulation = Simulation()
    before = simulation.world.workload
    report = simulation.deploy("new", built=True, dry_run=True)
    assert (report.outcome, report.exit_code) == (Outcome.UNCHANGED, 0)
    assert simulation.world.workload == before
    (patch,) = simulation.cluster.patches
    assert not patch.applied
    assert report.timings.build is None
    (entry,) = report.deploys
    assert entry.patch == tuple(operation for operation in patch.operations if operation["op"] != "test")
    assert entry.patch[0]["value"] == f"{REPOSITORY}:new"
    assert report.message == f"dry run, nothing was changed: web goes from {reference('old')} to {REPOSITORY}:new"


def test_a_dry_run_of_an_image_that_is_there_shows_its_digest() -> None:
    simulation = Simulation()
    (entry,) = simulation.deploy("new", dry_run=True).deploys
    assert entry.patch is not None
    assert entry.patch[0]["value"] == reference("new")
    assert simulation.deploy("absent", dry_run=True).reason is Reason.IMAGE_NOT_FOUND


def test_a_dry_run_of_what_runs_already_says_so_and_has_no_patch() -> None:
    simulation = Simulation()
    report = simulation.deploy("old", dry_run=True)
    assert report.deploys[0].patch is None
    assert simulation.cluster.patches == []
    assert "runs already" in report.message


def test_a_long_wait_gives_a_sign_of_life_each_30_seconds() -> None:
    simulation = Simulation(new=Behaviour(ready_after=70.0))
    simulation.deploy("new", rollback=False)
    beats = [event.seconds for event in simulation.edges.events if isinstance(event, Heartbeat)]
    assert len(beats) >= 2
    assert beats[0] == pytest.approx(30.0, abs=1.0)


def test_the_steps_are_told_in_their_order() -> None:
    simulation = Simulation(bad=Behaviour(healthy=False), verified=False)
    simulation.deploy("bad", checks=(HEALTH,), built=True)
    told = [event.phase for event in simulation.edges.events if isinstance(event, PhaseStarted)]
    assert told == [Phase.PREFLIGHT, Phase.BUILD, Phase.BASELINE, Phase.ROLLOUT, Phase.VERIFY, Phase.ROLLBACK]
    patched = [(event.image, event.restore) for event in simulation.edges.events if isinstance(event, Patched)]
    assert patched == [(reference("bad"), False), (reference("old"), True)]


def test_annotations_of_others_are_kept() -> None:
    simulation = Simulation(bad=Behaviour(healthy=False))
    simulation.world.change(lambda w: w["metadata"]["annotations"].update({"team": "shop"}))
    for version in ("new", "bad"):
        simulation.deploy(version, checks=(HEALTH,))
        assert annotations_of(workload_of(simulation.world.snapshot()))["team"] == "shop"


def test_a_rollout_found_complete_by_the_last_look_is_still_confirmed() -> None:
    simulation = Simulation()
    script = {"outages": [Outage(begin=1.0, end=120.5, silent=True)]}
    assert simulation.deploy("new", script=script).outcome is Outcome.DEPLOYED


def test_crashes_of_a_killed_run_s_pods_do_not_count_against_the_run_that_takes_over() -> None:
    simulation = Simulation(new=Behaviour(crash_after=0.5))
    with pytest.raises(KilledError):
        simulation.deploy("new", script={"kill_at": 40})
    (pod,) = (pod for pod in simulation.world.pods.values() if version_of(pod) == "new")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 2
    simulation.later(30.0, lambda: simulation.behave("new", Behaviour()))
    assert simulation.deploy("new").outcome is Outcome.DEPLOYED


def scale(replicas: int) -> Callable[[dict[str, Any]], None]:
    def change(workload: dict[str, Any]) -> None:
        workload["spec"]["replicas"] = replicas

    return change
