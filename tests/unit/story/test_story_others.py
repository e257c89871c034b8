"""Other people's changes, refusals and signals, on virtual time: theirs is never undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from kdeploy.events import CheckEnded, Event, Patched
from kdeploy.model import Outcome, Reason
from kdeploy.report.value import Report
from kdeploy.rollout import marks
from kdeploy.rollout.objects import annotations_of
from tests.unit.rollout.dumps import workload_of
from tests.unit.story.simulated import HEALTH, Fault, KilledError, Simulation
from tests.unit.story.world import Behaviour, reference

TWO = [{"name": "one", "image": "busybox"}, {"name": "two", "image": "busybox"}]
SLOW = Behaviour(ready_after=10.0)
SICK = Behaviour(healthy=False)


def image(version: str) -> Callable[[Any], None]:
    def change(workload: Any) -> None:
        workload["spec"]["template"]["spec"]["containers"][0]["image"] = reference(version)

    return change


def env(workload: Any) -> None:
    workload["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "b"}]


def restart(workload: Any) -> None:
    """As `kubectl rollout restart` does."""
    annotations = {"kubectl.kubernetes.io/restartedAt": "2025-01-01T00:00:00Z"}
    workload["spec"]["template"]["metadata"]["annotations"] = annotations


def other_deploy(workload: Any) -> None:
    workload["metadata"]["annotations"][marks.DEPLOY_ID] = "theirs"


def rolling_deploy(version: str) -> Callable[[Any], None]:
    """Another run has patched the workload, and is waiting for its rollout."""

    def change(workload: Any) -> None:
        image(version)(workload)
        own = {marks.DEPLOY_ID: "theirs", marks.COMMIT: f"commit-{version}", marks.STATE: marks.DEPLOYING}
        workload["metadata"]["annotations"].update(own)

    return change


def assert_superseded(simulation: Simulation, report: Report, live: str) -> None:
    assert (report.outcome, report.exit_code) == (Outcome.SUPERSEDED, 13), report.message
    assert simulation.live == live
    assert not any(patch.is_restore and patch.applied for patch in simulation.cluster.patches)
    assert report.deploys[0].rolled_back_to is None


@pytest.mark.parametrize("change", [image("theirs"), env])
def test_a_foreign_change_just_before_the_patch_is_left_untouched(change: Callable[[Any], None]) -> None:
    """The snapshot does not show it yet: only the patch's own tests can."""
    simulation = Simulation()
    simulation.edges.on_defer = lambda: simulation.hide(lambda: simulation.world.change(change))
    report = simulation.deploy("new")
    assert_superseded(simulation, report, simulation.live)
    assert simulation.live != "new"
    assert [patch.applied for patch in simulation.cluster.patches] == [False]


def test_a_foreign_change_during_the_baseline_is_left_untouched() -> None:
    simulation = Simulation(verified=False)
    simulation.later(0.5, lambda: simulation.world.change(env))
    report = simulation.deploy("new", checks=(HEALTH,))
    assert_superseded(simulation, report, "old")
    assert simulation.cluster.patches == []


@pytest.mark.parametrize("change", [image("theirs"), env, other_deploy])
@pytest.mark.parametrize("moment", [0.5, 3.0, 22.0])
def test_a_foreign_change_during_rollout_or_checks_is_left_untouched(
    change: Callable[[Any], None], moment: float
) -> None:
    simulation = Simulation(new=SLOW)
    simulation.later(moment, lambda: simulation.world.change(change))
    report = simulation.deploy("new", checks=(replace(HEALTH, watch_for=10),))
    assert_superseded(simulation, report, simulation.live)
    assert len(simulation.cluster.patches) == 1


@pytest.mark.parametrize("change", [image("theirs"), env, other_deploy])
def test_a_foreign_change_between_the_failure_and_the_restore_is_left_untouched(change: Callable[[Any], None]) -> None:
    for hidden in (False, True):
        simulation = Simulation(bad=SICK)
        simulation.edges.on_event = at_failure_of(simulation, "bad", change, hidden=hidden)
        report = simulation.deploy("bad", checks=(HEALTH,))
        assert_superseded(simulation, report, simulation.live)
        workload = workload_of(simulation.world.snapshot())
        wanted = dict(workload)
        change(wanted)
        assert workload == wanted, "their change is still there"


def test_a_workload_made_anew_between_the_failure_and_the_restore_is_left_untouched() -> None:
    simulation = Simulation(bad=SICK)
    simulation.edges.on_event = at_failure_of(simulation, "bad", lambda w: w["metadata"].update(uid="another"))
    report = simulation.deploy("bad", checks=(HEALTH,))
    assert (report.outcome, simulation.live) == (Outcome.SUPERSEDED, "bad")


@pytest.mark.parametrize("change", [image("theirs"), env])
def test_a_foreign_change_over_our_patch_whose_answer_was_lost_is_theirs(change: Callable[[Any], None]) -> None:
    """It inherits our deploy-id: only the template tells it from our own work."""
    simulation = Simulation(theirs=SICK)
    simulation.later(0.3, lambda: simulation.world.change(change))
    report = simulation.deploy("new", checks=(HEALTH,), script={"faults": {0: Fault.ANSWER_LOST}})
    assert_superseded(simulation, report, simulation.live)
    assert annotations_of(workload_of(simulation.world.snapshot()))[marks.STATE] == marks.DEPLOYING


def test_a_foreign_change_during_the_rollback_is_left_untouched() -> None:
    simulation = Simulation(bad=SICK)
    simulation.edges.on_event = at_restore_of(simulation, image("theirs"))
    report = simulation.deploy("bad", checks=(HEALTH,))
    assert (report.outcome, simulation.live) == (Outcome.SUPERSEDED, "theirs")


@pytest.mark.parametrize("moment", [0.005, 2.0, 25.0])
def test_a_workload_that_is_deleted_meanwhile_is_not_made_again(moment: float) -> None:
    simulation = Simulation(new=SLOW)
    simulation.later(moment, simulation.world.delete)
    report = simulation.deploy("new", checks=(replace(HEALTH, watch_for=10),))
    assert report.exit_code in (4, 13)
    assert report.reason in (Reason.DELETED, Reason.NOT_FOUND)
    assert simulation.world.workload is None


@pytest.mark.parametrize(
    ("change", "asked", "reason"),
    [
        (lambda w: w["spec"].update(paused=True), {}, Reason.PAUSED),
        (lambda w: w, {"containers": ("nginx",)}, Reason.NOT_FOUND),
        (lambda w: w["spec"]["template"]["spec"]["containers"][0].update(ports=[]), {"checks": (HEALTH,)}, None),
        (lambda w: w["spec"]["template"]["spec"].update(containers=TWO), {}, Reason.AMBIGUOUS),
    ],
)
def test_what_cannot_be_deployed_is_refused_before_anything_is_built(
    change: Callable[[Any], None], asked: dict[str, Any], reason: Reason | None
) -> None:
    simulation = Simulation()
    simulation.world.change(change)
    simulation.world.advance(simulation.now + 30)
    started = simulation.now
    report = simulation.deploy("new", built=True, **asked)
    assert (report.outcome, report.exit_code) == (Outcome.REFUSED, 4)
    assert reason in (None, report.reason)
    assert report.hint
    assert simulation.cluster.patches == []
    assert simulation.now - started < 1


@pytest.mark.parametrize(("asked", "code"), [({}, 4), ({"force": True}, 0), ({"commit": None}, 0)])
def test_an_older_commit_is_refused_unless_forced(asked: dict[str, Any], code: int) -> None:
    simulation = Simulation()
    simulation.edges.ancestors = frozenset({("commit-older", "commit-old")})
    report = simulation.deploy("older", **asked)
    assert report.exit_code == code
    assert report.reason is (Reason.OLDER_COMMIT if code else Reason.NOTHING_TO_VERIFY)


@pytest.mark.parametrize("change", [env, restart], ids=["set env", "rollout restart"])
def test_an_older_commit_is_refused_although_somebody_restarted_the_newer_one(change: Callable[[Any], None]) -> None:
    simulation = Simulation()
    simulation.world.change(change)
    simulation.world.advance(simulation.now + 60)
    simulation.edges.ancestors = frozenset({("commit-older", "commit-old")})
    report = simulation.deploy("older")
    assert (report.outcome, report.reason) == (Outcome.REFUSED, Reason.OLDER_COMMIT)


def test_an_older_commit_may_replace_a_foreign_image_that_inherited_the_marks_of_a_newer_one() -> None:
    simulation = Simulation()
    simulation.world.change(image("theirs"))
    simulation.world.advance(simulation.now + 60)
    simulation.edges.ancestors = frozenset({("commit-older", "commit-old")})
    assert simulation.deploy("older").outcome is Outcome.DEPLOYED


def test_a_newer_commit_that_went_live_while_this_one_was_built_is_not_undone() -> None:
    simulation = Simulation()
    simulation.edges.ancestors = frozenset({("commit-older", "commit-newer")})
    simulation.edges.on_build = lambda: simulation.meanwhile("newer")
    report = simulation.deploy("older", built=True)
    assert (report.outcome, report.reason) == (Outcome.REFUSED, Reason.OLDER_COMMIT)
    assert simulation.live == "newer"


def test_a_newer_commit_that_a_dead_run_left_rolling_does_not_count() -> None:
    simulation = Simulation(newer=SLOW)
    simulation.edges.ancestors = frozenset({("commit-older", "commit-newer")})
    with pytest.raises(KilledError):
        simulation.deploy("newer", script={"kill_at": 20})
    assert simulation.live == "newer"
    assert simulation.deploy("older").outcome is Outcome.DEPLOYED


def test_a_build_that_fails_leaves_the_cluster_alone() -> None:
    simulation = Simulation()
    simulation.edges.build_error = "RUN false: exit code 1"
    report = simulation.deploy("new", built=True)
    assert (report.outcome, report.exit_code) == (Outcome.BUILD_FAILED, 3)
    assert simulation.cluster.patches == []


def test_an_image_that_is_not_in_the_registry_is_refused() -> None:
    simulation = Simulation()
    report = simulation.deploy("absent")
    assert (report.exit_code, report.reason, simulation.cluster.patches) == (4, Reason.IMAGE_NOT_FOUND, [])


def at_failure_of(
    simulation: Simulation, version: str, change: Callable[[Any], object], *, hidden: bool = False
) -> Callable[[Event], None]:
    """Somebody's change when the check of `version` has just failed; `hidden`: the watch has not told it yet."""

    def strike(event: Event) -> None:
        if isinstance(event, CheckEnded) and not event.result.passed and simulation.live == version:
            (simulation.hide if hidden else call)(partial(simulation.world.change, change))

    return strike


def call(action: Callable[[], None]) -> None:
    action()


def at_restore_of(simulation: Simulation, change: Callable[[Any], object]) -> Callable[[Event], None]:
    def strike(event: Event) -> None:
        if isinstance(event, Patched) and event.restore:
            simulation.world.change(change)

    return strike


def test_a_permission_that_is_missing_is_told_before_anything_is_built() -> None:
    simulation = Simulation()
    script = {"forbidden": frozenset({"watch pods in namespace shop"})}
    report = simulation.deploy("new", built=True, script=script)
    assert (report.outcome, report.reason) == (Outcome.REFUSED, Reason.FORBIDDEN)
    assert report.hint == "grant: watch pods in namespace shop"
    assert report.timings.build is None
    assert simulation.live == "old"


def test_evidence_that_may_not_be_read_is_a_warning() -> None:
    simulation = Simulation()
    script = {"forbidden": frozenset({"list events in namespace shop"})}
    report = simulation.deploy("new", script=script)
    assert report.outcome is Outcome.DEPLOYED
    assert any("without list events" in warning for warning in report.warnings)


@pytest.mark.parametrize("hidden", [False, True], ids=["rolling", "not seen by its controller yet"])
def test_a_slow_build_does_not_overtake_a_newer_deploy_that_is_still_rolling(hidden: bool) -> None:
    simulation = Simulation(newer=SLOW)
    simulation.edges.ancestors = frozenset({("commit-new", "commit-newer")})

    def patch() -> None:
        simulation.world.change(rolling_deploy("newer"))
        simulation.world.advance(simulation.now + (0.0 if hidden else 1.0))

    simulation.edges.on_build = patch
    report = simulation.deploy("new", built=True)
    assert (report.outcome, report.reason) == (Outcome.REFUSED, Reason.OLDER_COMMIT)
    assert simulation.live == "newer"
    assert simulation.cluster.patches == []


def test_what_a_dead_deploy_left_rolling_does_not_stop_an_older_commit() -> None:
    simulation = Simulation(newer=SLOW)
    simulation.edges.ancestors = frozenset({("commit-new", "commit-newer")})
    simulation.world.change(rolling_deploy("newer"))
    simulation.world.advance(simulation.now + 1.0)
    assert simulation.deploy("new", built=True).outcome is Outcome.DEPLOYED
