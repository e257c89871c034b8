"""What was live before us, and whether it passes the same checks: it decides what a rollback may put back."""

from __future__ import annotations

from dataclasses import replace

from kdeploy.events import Phase
from kdeploy.model import HttpCheck, Snapshot
from kdeploy.rollback.choose import Baseline, observe_baseline
from kdeploy.rollout.assess import expect
from kdeploy.rollout.objects import images_of
from kdeploy.rollout.template import template_of
from kdeploy.story.checks import examine, settled
from kdeploy.story.request import DeployRequest
from kdeploy.story.run import Run

PATIENCE = 5.0
"""Seconds to a first success of what is live already: it has no warming up to do."""


def take_baseline(run: Run, request: DeployRequest, before: Snapshot, until: float) -> Baseline:
    """Observes the live version, until `until` at most. Its checks are asked in full where they decide, else once.

    A check that does not pass here is a warning: when it fails on the new version too, it is the check's own fault.
    """
    assert before.workload is not None
    baseline = observe_baseline(before)
    if not request.checks or not baseline.is_available or is_live(run, before):
        return baseline
    ask = _glance if baseline.is_verified else _in_full
    checks = tuple(ask(check) for check in request.checks)
    with run.phase(Phase.BASELINE, "the same checks on the version that runs now"):
        expected = replace(expect(before.workload, crash_budget=1), containers=run.containers)
        examined = examine(run, Phase.BASELINE, checks, settled(before, expected), until, watch=False, whole=False)
    for result in examined.checks:
        if not result.passed:
            run.warn(f"check {result.name} does not pass on the version before: {result.message}")
    return replace(baseline, checks=examined.checks)


def _glance(check: HttpCheck) -> HttpCheck:
    return replace(_in_full(check), samples=1, pods=1)


def _in_full(check: HttpCheck) -> HttpCheck:
    return replace(check, within=min(check.within, PATIENCE))


def is_live(run: Run, snapshot: Snapshot) -> bool:
    """Whether the workload names our very image already, in every container of the service."""
    if run.image is None or snapshot.workload is None:
        return False
    live = images_of(template_of(snapshot.workload), run.containers)
    return all(image == run.image.reference for image in live)
