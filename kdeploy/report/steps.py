"""The steps of a run, as the timeline of a job summary and a test report show them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kdeploy.model import Outcome
from kdeploy.report.value import Report

_NAMES = ("build", "push", "rollout", "verify", "rollback")
_BEFORE_ANY_STEP = frozenset({Outcome.USAGE, Outcome.REFUSED, Outcome.INTERNAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step that took place, how long it took in seconds, and whether it failed."""

    name: str
    seconds: float
    failed: bool


def steps(report: Report) -> tuple[Step, ...]:
    """Those that took place, one after the other.

    What failed is what the verdict was about: the last one but the rollback, and that one too where it failed itself.
    A run that was refused failed in none of them.
    """
    took = {name: seconds for name in _NAMES if (seconds := getattr(report.timings, name)) is not None}
    guilty = set()
    if report.outcome.exit_code and report.outcome not in _BEFORE_ANY_STEP:
        guilty = set([name for name in took if name != "rollback"][-1:])
    if report.outcome is Outcome.ROLLBACK_FAILED and "rollback" in took:
        guilty.add("rollback")
    return tuple(Step(name=name, seconds=seconds, failed=name in guilty) for name, seconds in took.items())
