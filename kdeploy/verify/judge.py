"""Passes, fails or waits: the judgement of one health check from the samples so far. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from kdeploy.model import CheckResult, HttpCheck, Reason
from kdeploy.verify.trial import Tally, Trial

UNREACHABLE_HINT = (
    "kdeploy needs `get` on pods/proxy, or `create` and `get` on pods/portforward, and an API server that reaches the "
    "pods; or give the check a `url` instead of a `path`"
)


class Standing(Enum):
    """Where a check stands."""

    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is known about a check at one moment.

    `reason`: Complete when passed, Progressing while pending, Unhealthy or VerifyUnreachable when failed. `due`: the
    next moment (on `Clock.now`) at which `probes_due` and `judge` are to be asked again even if no sample comes; None
    when it is over.
    """

    standing: Standing
    reason: Reason
    result: CheckResult
    due: float | None = None
    hint: str = ""

    @property
    def is_final(self) -> bool:
        """True where more samples cannot change it."""
        return self.standing is not Standing.PENDING


def failures_allowed(check: HttpCheck) -> int:
    """How many of a pod's `samples` may fail. Exact: 0.95 of 20 allows 1 though 0.95 is no binary fraction."""
    return check.samples - math.ceil(Fraction(str(check.success_rate)) * check.samples)


def judge(trial: Trial, now: float) -> Judgement:
    """The judgement at `now`, to be asked after `probes_due` of the same moment.

    Fails as soon as one pod cannot meet the rate any more, has had no success by `within`, or gives no answer of its
    own for `within`; passes when every chosen pod has all its samples. Unhealthy goes before VerifyUnreachable.
    """
    failures = [failure for tally in trial.tallies.values() if (failure := _failure(tally, trial.check, now))]
    if not trial.tallies and (failure := _no_pods(trial, now)):
        failures = [failure]
    if failures:
        reason, message = min(failures, key=lambda failure: failure[0] is not Reason.UNHEALTHY)
        hint = UNREACHABLE_HINT if reason is Reason.VERIFY_UNREACHABLE and trial.check.url is None else ""
        return Judgement(standing=Standing.FAILED, reason=reason, result=_result(trial, message), hint=hint)
    if trial.tallies and all(tally.is_done(trial.check) for tally in trial.tallies.values()):
        return Judgement(standing=Standing.PASSED, reason=Reason.COMPLETE, result=_result(trial, passed=True))
    return Judgement(standing=Standing.PENDING, reason=Reason.PROGRESSING, result=_result(trial), due=_due(trial))


def _failure(tally: Tally, check: HttpCheck, now: float) -> tuple[Reason, str] | None:
    allowed = failures_allowed(check)
    if tally.failures > allowed:
        count = f"{tally.passes} of {tally.counted} samples passed ({_allowance(allowed, check.samples)})"
        return Reason.UNHEALTHY, f"{_subject(tally)}{count}: {tally.failure}"
    deadline = tally.deadline(check)
    if tally.is_done(check) or tally.in_flight or tally.asked is None or deadline is None or now < deadline:
        return None
    if tally.warm_up and not tally.counted:
        return Reason.UNHEALTHY, f"{_subject(tally)}no success within {check.within:g}s: {tally.failure}"
    return Reason.VERIFY_UNREACHABLE, f"{_subject(tally)}no answer of its own for {check.within:g}s: {tally.silence}"


def _no_pods(trial: Trial, now: float) -> tuple[Reason, str] | None:
    if trial.empty_since is None or now < trial.empty_since + trial.check.within:
        return None
    return Reason.VERIFY_UNREACHABLE, f"no ready pod to ask for {trial.check.within:g}s"


def _allowance(allowed: int, samples: int) -> str:
    return f"at most {allowed} of {samples} may fail" if allowed else f"none of {samples} may fail"


def _subject(tally: Tally) -> str:
    return "" if tally.address is None else f"{tally.address.name}: "


def _due(trial: Trial) -> float:
    if not trial.tallies:
        return trial.started if trial.empty_since is None else trial.empty_since + trial.check.within
    return min(_tally_due(tally, trial.check) for tally in trial.tallies.values() if not tally.is_done(trial.check))


def _tally_due(tally: Tally, check: HttpCheck) -> float:
    deadline = tally.deadline(check)
    if tally.in_flight or tally.asked is None or deadline is None:
        return tally.next_at(check)
    return min(tally.next_at(check), deadline)


def _result(trial: Trial, failure: str = "", *, passed: bool = False) -> CheckResult:
    """Sums over the pods. A pod's warm-up counts only while it has nothing better to show."""
    tallies = trial.tallies.values()
    failures = sum(tally.failures if tally.counted else tally.warm_up for tally in tallies)
    passes = sum(tally.passes for tally in tallies)
    return CheckResult(
        name=trial.check.name,
        passed=passed,
        samples=passes + failures,
        failures=failures,
        message=failure or _progress(trial, passes, passed=passed),
    )


def _progress(trial: Trial, passes: int, *, passed: bool) -> str:
    count = f"{passes} of {trial.check.samples * max(1, len(trial.tallies))} samples{_of_pods(trial)} passed"
    return count if passed else f"{count} so far{_latest_trouble(trial)}"


def _of_pods(trial: Trial) -> str:
    if trial.check.url is not None:
        return ""
    return f" of {len(trial.tallies)} pod{'' if len(trial.tallies) == 1 else 's'}"


def _latest_trouble(trial: Trial) -> str:
    for tally in trial.tallies.values():
        if trouble := tally.failure if tally.silent_since is None else tally.silence:
            return f"; {_subject(tally)}{trouble}"
    return ""
