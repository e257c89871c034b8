"""How the results of probes add up."""

from __future__ import annotations

import pytest

from kdeploy.sandbox.core.probe import Kind, Probe, after, first_record, port_number, probe_of


def states(kind: Kind, results: str, *, successes: int = 1, failures: int = 3) -> str:
    """The state after each result: + good, - failed, ? not known."""
    probe = Probe(kind=kind, action="exec", how={}, successes=successes, failures=failures)
    record, told = first_record(kind), ""
    for result in results:
        record = after(record, probe, result == "+")
        told += {True: "+", False: "-", None: "?"}[record.state]
    return told


@pytest.mark.parametrize(
    ("kind", "results", "expected"),
    [
        (Kind.READINESS, "+--+---+", "++++++-+"),
        (Kind.READINESS, "---", "---"),
        (Kind.LIVENESS, "--+---", "+++++-"),
        (Kind.STARTUP, "--+", "??+"),
        (Kind.STARTUP, "---", "??-"),
    ],
)
def test_a_state_changes_after_a_row_of_results(kind: Kind, results: str, expected: str) -> None:
    assert states(kind, results) == expected


def test_readiness_may_want_several_successes_in_a_row() -> None:
    assert states(Kind.READINESS, "+-++-", successes=2, failures=1) == "---+-"


def test_a_probes_numbers_have_the_defaults_of_kubernetes() -> None:
    probe = probe_of({"readinessProbe": {"httpGet": {"port": 80}}}, Kind.READINESS)
    assert probe == Probe(kind=Kind.READINESS, action="httpGet", how={"port": 80})
    assert (probe.delay, probe.period, probe.timeout, probe.successes, probe.failures) == (0, 10, 1, 1, 3)
    assert probe_of({}, Kind.LIVENESS) is None


@pytest.mark.parametrize(("port", "number"), [(80, 80), ("http", 8080), ("9090", 9090)])
def test_a_port_may_be_a_name_or_a_number(port: int | str, number: int) -> None:
    assert port_number(port, {"ports": [{"name": "http", "containerPort": 8080}]}) == number


def test_a_port_that_nobody_knows_is_an_error_in_words() -> None:
    with pytest.raises(ValueError, match="couldn't find port"):
        port_number("admin", {})
