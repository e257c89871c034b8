"""Other people's changes, refusals and signals, on virtual time: theirs is never undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from signal import SIGINT, SIGTERM
from typing import Any

import pytest

from kdeploy.events import CheckEnded, Event, Noted, Patched
from kdeploy.model import Outcome, Reason
from kdeploy.report.value import Report
from kdeploy.rollout import marks
from kdeploy.rollout.objects import annotations_of
from tests.unit.rollout.dumps import workload_of
from tests.unit.story.simulated import HEALTH, Fault, KilledError, Outage, Simulation
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


def test_what_is_taken_for_somebody_else_s_without_a_fresh_read_is_waited_for() -> None:
    simulation = Simulation(bad=SICK)
    before = simulation.world.snapshot()

    def stale(event: Event) -> None:
        if isinstance(event, Patched) and not event.restore:
            simulation.cluster.show(before)

    simulation.edges.on_event = stale
    report = simulation.deploy("bad", checks=(HEALTH,), script={"failing_refreshes": frozenset({1})})
    assert report.outcome is Outcome.ROLLED_BACK


def test_a_view_older_than_our_own_patch_is_not_somebody_else_s_change() -> None:
    simulation = Simulation(bad=SICK)
    before = simulation.world.snapshot()

    def stale(event: Event) -> None:
        if isinstance(event, Patched) and not event.restore:
            simulation.cluster.show(before)

    simulation.edges.on_event = stale
    report = simulation.deploy("bad", checks=(HEALTH,))
    assert (report.outcome, report.reason) == (Outcome.ROLLED_BACK, Reason.UNHEALTHY)


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
