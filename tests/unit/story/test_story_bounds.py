"""Whatever dies, at whatever moment: a deploy ends in time, and the next one converges."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeploy.model import Limits, Outcome
from tests.unit.story.simulated import HEALTH, Fault, KilledError, Outage, Simulation
from tests.unit.story.world import Behaviour

QUICK = replace(HEALTH, samples=2, within=1.0)
LIMITS = Limits(timeout=40, build_timeout=30, rollback_timeout=20)
BEHAVIOURS = {
    "good": Behaviour(ready_after=3.0),
    "sick": Behaviour(healthy=False),
    "crash": Behaviour(crash_after=0.5),
    "missing": Behaviour(pull_error="not found"),
    "stuck": Behaviour(ready_after=None),
    "mute": Behaviour(healthy=None),
}
GOOD_CODES = {Outcome.DEPLOYED: "good", Outcome.ROLLED_BACK: "old"}


@settings(max_examples=150)
@given(
    st.sampled_from(sorted(BEHAVIOURS)),
    st.floats(0, 60),
    st.sampled_from([0.2, 3.0, 15.0, float("inf")]),
    st.booleans(),
    st.booleans(),
)
def test_a_deploy_ends_in_time_whenever_the_api_server_dies(
    version: str, begin: float, lasts: float, silent: bool, built: bool
) -> None:
    simulation = Simulation(BEHAVIOURS)
    started = simulation.now
    outage = Outage(begin=begin, end=begin + lasts, silent=silent)
    report = simulation.deploy(version, built=built, checks=(HEALTH,), limits=LIMITS, script={"outages": [outage]})
    bound = LIMITS.timeout + LIMITS.rollback_timeout + (LIMITS.build_timeout if built else 0) + 5
    assert simulation.now - started <= bound
    assert report.timings.total == pytest.approx(simulation.now - started)
    if report.outcome in GOOD_CODES:
        assert simulation.live == GOOD_CODES[report.outcome]
    if report.outcome is Outcome.REFUSED:
        assert simulation.live == "old", "refused means untouched"


def test_a_mark_that_nobody_takes_does_not_hold_up_the_end() -> None:
    simulation = Simulation(new=Behaviour(ready_after=19.0), replicas=1)
    started, limits = simulation.now, Limits(timeout=20, build_timeout=2, rollback_timeout=1)
    report = simulation.deploy("new", limits=limits, script={"faults": {1: Fault.DEATH}})
    assert report.outcome is Outcome.DEPLOYED
    assert "could not be marked as verified" in report.warnings[-1]
    assert simulation.now - started <= 20 + 2 + 1 + 5


@pytest.mark.parametrize("silent", [False, True])
def test_an_api_server_that_is_dead_from_the_start_is_given_up_within_the_build_timeout(silent: bool) -> None:
    simulation = Simulation()
    started = simulation.now
    report = simulation.deploy("good", limits=LIMITS, script={"outages": [Outage(begin=0, silent=silent)]})
    assert (report.outcome, report.exit_code) == (Outcome.REFUSED, 4)
    assert simulation.now - started <= LIMITS.build_timeout


@pytest.mark.parametrize("then", ["same", "another"])
@pytest.mark.parametrize("version", ["good", "sick", "crash", "missing"])
def test_a_run_killed_at_any_call_is_put_right_by_the_next(version: str, then: str) -> None:
    for call in range(1, 1000):
        simulation = Simulation(BEHAVIOURS, replicas=1)
        try:
            simulation.deploy(version, checks=(QUICK,), limits=LIMITS, script={"kill_at": call})
        except KilledError:
            converges(simulation, version if then == "same" else "good")
        else:
            assert call > 15
            return
    raise AssertionError("it never came to its end")


def converges(simulation: Simulation, version: str) -> None:
    report = simulation.deploy(version, checks=(QUICK,), limits=LIMITS)
    good = version == "good"
    expected = (Outcome.DEPLOYED, Outcome.UNCHANGED) if good else (Outcome.ROLLED_BACK,)
    assert report.outcome in expected, report.message
    assert simulation.live == ("good" if good else "old")
    assert simulation.is_verified()


def test_a_first_deploy_killed_at_any_call_is_put_right_by_a_good_version() -> None:
    for call in range(1, 1000):
        simulation = Simulation(BEHAVIOURS, replicas=1, verified=False)
        try:
            simulation.deploy("sick", checks=(QUICK,), limits=LIMITS, script={"kill_at": call})
        except KilledError:
            converges(simulation, "good")
        else:
            return


@given(st.lists(st.sampled_from([None, *Fault]), max_size=4), st.sampled_from(sorted(BEHAVIOURS)))
def test_no_way_of_failing_patches_makes_a_deploy_claim_what_is_not_so(
    faults: list[Fault | None], version: str
) -> None:
    simulation = Simulation(BEHAVIOURS)
    script = {"faults": {number: fault for number, fault in enumerate(faults) if fault}}
    report = simulation.deploy(version, checks=(QUICK,), limits=LIMITS, script=script)
    if report.outcome in GOOD_CODES:
        assert simulation.live == GOOD_CODES[report.outcome]
        assert set(simulation.running) == {simulation.live}
    elif report.outcome is Outcome.REFUSED:
        assert simulation.live == "old"
    else:
        assert report.outcome is Outcome.ROLLBACK_FAILED
