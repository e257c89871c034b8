"""A good and a failed deploy, as events and as reports."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kdeploy.events import (
    BuildOutput,
    CheckEnded,
    Event,
    Heartbeat,
    ImageReady,
    Judged,
    Patched,
    Phase,
    PhaseEnded,
    PhaseStarted,
    Progressed,
    Warned,
)
from kdeploy.model import (
    CheckResult,
    Culprit,
    Image,
    Kind,
    Outcome,
    PodCounts,
    Reason,
    State,
    Target,
    Verdict,
)
from kdeploy.report.value import ImageReport, Report, TargetReport, Timings

IMAGE = Image(
    repository="ghcr.io/acme/web", tag="3f2c1a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f", digest="sha256:" + "ab" * 32
)
PREVIOUS = f"ghcr.io/acme/web:1111111@sha256:{'cd' * 32}"
WEB = Target(kind=Kind.DEPLOYMENT, name="web", namespace="shop")
CRASH = "container web of pod web-7d9-x2x1z exited with code 1, 4 times"


class StillClock:
    """Time that stands until it is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return datetime(2025, 1, 31, 12, 0, 0, 5_000, tzinfo=UTC)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


def _pods(new: int, ready: int, available: int, old: int) -> PodCounts:
    return PodCounts(desired=3, new=new, ready=ready, available=available, old=old)


def _to_rollout() -> list[Event]:
    return [
        PhaseStarted(phase=Phase.BUILD, detail="ghcr.io/acme/web:3f2c1a9"),
        BuildOutput(line="#7 [2/4] RUN pip install ."),
        PhaseEnded(phase=Phase.BUILD, seconds=12.4),
        ImageReady(image=IMAGE),
        Warned(message="git history is shallow"),
        PhaseStarted(phase=Phase.ROLLOUT, detail="deployment/web"),
        Patched(generation=5, image=IMAGE.reference),
        Progressed(phase=Phase.ROLLOUT, message="0 of 3 new pods available", pods=_pods(1, 0, 0, 3)),
        Progressed(phase=Phase.ROLLOUT, message="0 of 3 new pods available", pods=_pods(1, 0, 0, 3)),
        Heartbeat(phase=Phase.ROLLOUT, message="0 of 3 new pods available", seconds=30.0),
    ]


@pytest.fixture
def good_events() -> list[Event]:
    good = Verdict(state=State.COMPLETE, reason=Reason.COMPLETE, message="3 of 3 pods are available")
    check = CheckResult(name="health", passed=True, samples=60, failures=0, message="")
    return [
        *_to_rollout(),
        Progressed(phase=Phase.ROLLOUT, message="2 of 3 new pods available", pods=_pods(3, 3, 2, 1)),
        Judged(phase=Phase.ROLLOUT, verdict=good),
        PhaseEnded(phase=Phase.ROLLOUT, seconds=65.0),
        PhaseStarted(phase=Phase.VERIFY),
        CheckEnded(result=check),
        PhaseEnded(phase=Phase.VERIFY, seconds=1.0),
    ]


@pytest.fixture
def failed_events() -> list[Event]:
    crash = Verdict(state=State.FAILED, reason=Reason.CRASH_LOOP, message=CRASH)
    return [
        *_to_rollout(),
        Judged(phase=Phase.ROLLOUT, verdict=crash),
        PhaseEnded(phase=Phase.ROLLOUT, seconds=51.0),
        PhaseStarted(phase=Phase.ROLLBACK, detail="to revision 4"),
        Patched(generation=6, image=PREVIOUS, restore=True),
        PhaseEnded(phase=Phase.ROLLBACK, seconds=2.0),
    ]


@pytest.fixture
def good_report() -> Report:
    check = CheckResult(name="health", passed=True, samples=60, failures=0, message="")
    return Report(
        outcome=Outcome.DEPLOYED,
        exit_code=0,
        reason=Reason.COMPLETE,
        message="3 of 3 pods are available",
        deploy_id="d-1",
        commit="3f2c1a9",
        api_requests=9,
        timings=Timings(build=12.4, push=3.0, rollout=65.0, detect=65.0, verify=1.0, total=81.56789),
        deploys=(
            TargetReport(
                outcome=Outcome.DEPLOYED,
                reason=Reason.COMPLETE,
                message="3 of 3 pods are available",
                target=WEB,
                cluster="prod",
                containers=("web",),
                image=ImageReport(
                    reference=IMAGE.reference, repository=IMAGE.repository, tag=IMAGE.tag, digest=IMAGE.digest
                ),
                revision="5",
                checks=(check,),
            ),
        ),
    )


@pytest.fixture
def failed_report() -> Report:
    culprit = Culprit(
        pod="web-7d9-x2x1z",
        container="web",
        reason="CrashLoopBackOff",
        message="back-off 40s restarting failed container",
        exit_code=1,
        restarts=3,
        log_tail="Traceback:\n\nConnectionError: db:5432\n",
        events=("BackOff: Back-off restarting failed container",),
    )
    return Report(
        outcome=Outcome.ROLLED_BACK,
        exit_code=10,
        reason=Reason.CRASH_LOOP,
        message=CRASH,
        hint="read the log above",
        warnings=("git history is shallow",),
        timings=Timings(build=12.4, rollout=51.0, detect=51.0, rollback=2.0, total=66.0),
        deploys=(
            TargetReport(
                outcome=Outcome.ROLLED_BACK,
                reason=Reason.CRASH_LOOP,
                message=CRASH,
                target=WEB,
                cluster="prod",
                containers=("web",),
                image=ImageReport(reference=IMAGE.reference, repository=IMAGE.repository, previous=PREVIOUS),
                revision="6",
                rolled_back_to=PREVIOUS,
                culprits=(culprit,),
                checks=(CheckResult(name="health", passed=False, samples=20, failures=3, message="HTTP 500"),),
            ),
        ),
    )
