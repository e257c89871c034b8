"""`kdeploy verify` and `kdeploy rollback`, on virtual time."""

from __future__ import annotations

from signal import SIGTERM

import pytest

from kdeploy.model import HttpCheck, Limits, Outcome, Reason
from kdeploy.report.value import Report
from kdeploy.rollout import marks
from kdeploy.rollout.objects import annotations_of
from kdeploy.story.by_hand import rollback, verify
from kdeploy.story.request import RollbackRequest, VerifyRequest
from tests.unit.rollout.dumps import workload_of
from tests.unit.story.simulated import HEALTH, FakeCluster, FakeEdges, Fault, Simulation
from tests.unit.story.world import REPOSITORY, TARGET, Behaviour, digest, reference

LIMITS = Limits(timeout=40, rollback_timeout=20)


def again(simulation: Simulation, faults: dict[int, Fault] | None = None) -> FakeEdges:
    simulation.cluster = FakeCluster(world=simulation.world, faults=faults or {})
    return FakeEdges(cluster=simulation.cluster)


def verified(simulation: Simulation, *checks: HttpCheck) -> Report:
    return verify(VerifyRequest(target=TARGET, checks=checks, limits=LIMITS), again(simulation).edges())


def rolled_back(simulation: Simulation, to: str | None = None, faults: dict[int, Fault] | None = None) -> Report:
    request = RollbackRequest(target=TARGET, to=to, checks=(HEALTH,), limits=LIMITS, deploy_id="by-hand")
    return rollback(request, again(simulation, faults).edges())


def three_versions(**behaviours: Behaviour) -> Simulation:
    """`one` and `two` verified, `three` live and not verified."""
    simulation = Simulation(behaviours)
    for version in ("one", "two"):
        assert simulation.deploy(version, checks=(HEALTH,)).exit_code == 0
        simulation.world.advance(simulation.now + 30)
    simulation.deploy("three", checks=(HEALTH,), rollback=False)
    simulation.world.advance(simulation.now + 30)
    assert simulation.live == "three"
    return simulation


SICK = Behaviour(healthy=False)


def test_verify_passes_on_a_healthy_version_and_changes_nothing() -> None:
    simulation = Simulation()
    report = verified(simulation, HEALTH)
    assert (report.outcome, report.exit_code, report.reason) == (Outcome.PASSED, 0, Reason.COMPLETE)
    assert simulation.cluster.patches == []


@pytest.mark.parametrize("behaviour", [SICK, Behaviour(sick_after=3.0)])
def test_verify_fails_on_a_sick_version(behaviour: Behaviour) -> None:
    report = verified(Simulation(verified=False, old=behaviour), HEALTH)
    assert (report.outcome, report.exit_code, report.reason) == (Outcome.FAILED, 12, Reason.UNHEALTHY)


def test_verify_without_a_check_says_that_there_was_nothing_to_verify() -> None:
    assert verified(Simulation()).reason is Reason.NOTHING_TO_VERIFY


def test_verify_of_a_paused_workload_is_refused_at_once() -> None:
    simulation = Simulation()
    simulation.world.change(lambda workload: workload["spec"].update(paused=True))
    started, report = simulation.now, verified(simulation)
    assert (report.outcome, report.reason) == (Outcome.REFUSED, Reason.PAUSED)
    assert "kubectl rollout resume deployment/web" in report.hint
    assert simulation.now - started < 1


def test_verify_at_0_replicas_says_that_no_check_ran() -> None:
    report = verified(Simulation(replicas=0), HEALTH)
    assert (report.outcome, report.reason) == (Outcome.PASSED, Reason.NOTHING_TO_VERIFY)
    assert report.message == "it is scaled to 0; no check ran to its end"


def test_verify_of_a_missing_workload_is_refused() -> None:
    simulation = Simulation()
    simulation.world.delete()
    assert verified(simulation, HEALTH).exit_code == 4


def test_a_rollback_restores_the_newest_verified_revision_that_is_not_live() -> None:
    simulation = three_versions(three=SICK)
    report = rolled_back(simulation)
    assert (report.outcome, report.exit_code, report.reason) == (Outcome.RESTORED, 0, Reason.RESTORED)
    assert (simulation.live, simulation.is_verified()) == ("two", True)
    assert report.deploys[0].rolled_back_to == reference("two")
    assert annotations_of(workload_of(simulation.world.snapshot()))[marks.COMMIT] == "commit-two"


@pytest.mark.parametrize("outcome", [Outcome.RESTORED, Outcome.ROLLBACK_FAILED])
def test_a_rollback_reports_what_it_puts_back_what_was_live_before_and_the_address(outcome: Outcome) -> None:
    simulation = three_versions(three=SICK)
    if outcome is Outcome.ROLLBACK_FAILED:
        simulation.behave("two", SICK)
    request = RollbackRequest(
        target=TARGET, checks=(HEALTH,), limits=LIMITS, deploy_id="by-hand", url="https://shop.example"
    )
    report = rollback(request, again(simulation).edges())
    assert report.outcome is outcome
    (entry,) = report.deploys
    assert entry.image is not None
    assert (entry.image.reference, entry.image.previous) == (reference("two"), reference("three"))
    assert (entry.image.repository, entry.image.tag, entry.image.digest) == (REPOSITORY, "two", digest("two"))
    assert entry.url == "https://shop.example"


def test_a_second_rollback_goes_on_to_the_version_before_and_not_back_to_the_one_it_left() -> None:
    simulation = three_versions()
    simulation.deploy("three", checks=(HEALTH,))
    for version in ("two", "one", "old"):
        assert rolled_back(simulation).outcome is Outcome.RESTORED
        assert simulation.live == version
        simulation.world.advance(simulation.now + 30)
    report = rolled_back(simulation)
    assert (report.outcome, report.reason, simulation.live) == (Outcome.REFUSED, Reason.NO_ROLLBACK_TARGET, "old")
    assert "goes forward again" in report.hint
    assert rolled_back(simulation, "commit-three").outcome is Outcome.RESTORED


def test_a_version_that_was_deployed_again_goes_back_to_what_ran_before_that() -> None:
    simulation = three_versions()
    simulation.deploy("three", checks=(HEALTH,))
    assert simulation.deploy("one", checks=(HEALTH,)).outcome is Outcome.DEPLOYED
    simulation.world.advance(simulation.now + 30)
    assert rolled_back(simulation).outcome is Outcome.RESTORED
    assert simulation.live == "three"


@pytest.mark.parametrize("to", ["2", "commit-one", digest("one"), reference("one")])
def test_a_rollback_goes_to_the_revision_commit_or_digest_that_is_named(to: str) -> None:
    simulation = three_versions(three=SICK)
    assert rolled_back(simulation, to).outcome is Outcome.RESTORED
    assert simulation.live == "one"


@pytest.mark.parametrize(
    ("to", "reason"),
    [("9", Reason.NOT_FOUND), ("4", Reason.NO_ROLLBACK_TARGET), ("commit-nine", Reason.NOT_FOUND)],
)
def test_a_rollback_to_what_is_not_there_or_was_never_verified_is_refused(to: str, reason: Reason) -> None:
    simulation = three_versions(three=SICK)
    report = rolled_back(simulation, to)
    assert (report.outcome, report.reason, report.exit_code) == (Outcome.REFUSED, reason, 4)
    assert (simulation.live, simulation.cluster.patches) == ("three", [])
    assert ("spec.revisionHistoryLimit (10), and failed deploys count" in report.hint) == (reason is Reason.NOT_FOUND)


def test_a_rollback_with_nothing_verified_or_to_what_is_live_is_refused() -> None:
    assert rolled_back(Simulation(verified=False)).reason is Reason.NO_ROLLBACK_TARGET
    assert "is live already" in rolled_back(Simulation(), "1").message


def test_a_rollback_to_a_version_that_is_sick_now_has_failed() -> None:
    simulation = three_versions(three=SICK)
    simulation.behave("two", SICK)
    report = rolled_back(simulation)
    assert (report.outcome, report.exit_code) == (Outcome.ROLLBACK_FAILED, 11)


def test_a_rollback_that_the_server_refuses_has_touched_nothing() -> None:
    simulation = three_versions(three=SICK)
    report = rolled_back(simulation, faults={0: Fault.FORBIDDEN})
    assert (report.outcome, report.exit_code, simulation.live) == (Outcome.REFUSED, 4, "three")


def test_a_rollback_that_is_interrupted_after_its_patch_leaves_the_restored_version() -> None:
    simulation = three_versions(three=SICK)
    edges = again(simulation)
    simulation.later(1.0, lambda: simulation.cluster.signal(SIGTERM))
    request = RollbackRequest(target=TARGET, checks=(HEALTH,), limits=LIMITS, deploy_id="by-hand")
    report = rollback(request, edges.edges())
    assert (report.outcome, report.exit_code, simulation.live) == (Outcome.INTERRUPTED, 143, "two")
