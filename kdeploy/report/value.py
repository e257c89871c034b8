"""The report: the one value that `-o json`, `--report`, the job summary and the tests all render.

Its JSON shape is the contract "kdeploy.report/v1" (kdeploy/report/report.schema.json): fields are only ever added.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kdeploy.errors import ConfigError
from kdeploy.model import CheckResult, Culprit, Image, Location, Operation, Outcome, Reason, Target
from kdeploy.reference import parse

SCHEMA = "kdeploy.report/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds each step took; None for one that did not happen. `detect`: from the patch to the verdict."""

    build: float | None = None
    push: float | None = None
    rollout: float | None = None
    detect: float | None = None
    verify: float | None = None
    rollback: float | None = None
    total: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReport:
    """The image deployed, built or restored by hand; `previous` is the reference that ran in its container before."""

    reference: str
    repository: str
    tag: str | None = None
    digest: str | None = None
    previous: str | None = None


def image_report(image: Image, previous: str | None = None) -> ImageReport:
    """An image as the report shows it."""
    return ImageReport(
        reference=image.reference,
        repository=image.repository,
        tag=image.tag,
        digest=image.digest,
        previous=previous,
    )


def restored_report(reference: str, previous: str | None = None) -> ImageReport:
    """An image that a pod template names, which need not have a digest, nor be a name at all."""
    try:
        image = parse(reference)
    except ConfigError:
        return ImageReport(reference=reference, repository=reference, previous=previous)
    return ImageReport(
        reference=reference, repository=image.repository, tag=image.tag, digest=image.digest, previous=previous
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetReport:
    """One target's part of the report. `cluster` is "" where none was asked, and so the namespace may be.

    `revision` is the number of the revision that is live at the end; `rolled_back_to` the image reference that was put
    back, None where nothing was; `patch` what a dry run would have changed, as JSON Patch operations.
    """

    outcome: Outcome
    reason: Reason
    message: str
    target: Target
    cluster: str
    containers: tuple[str, ...] = ()
    image: ImageReport | None = None
    revision: str | None = None
    rolled_back_to: str | None = None
    url: str | None = None
    culprits: tuple[Culprit, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    patch: tuple[Operation, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a run ended. `deploys` has one entry a target, none where the target was never known.

    `location`: the line to mend in the Dockerfile or kdeploy.yaml, where that is the cause and known.
    """

    outcome: Outcome
    exit_code: int
    reason: Reason
    message: str
    hint: str = ""
    location: Location | None = None
    warnings: tuple[str, ...] = ()
    deploy_id: str | None = None
    commit: str | None = None
    api_requests: int = 0
    timings: Timings = Timings()
    deploys: tuple[TargetReport, ...] = ()

    def with_exit_code(self, code: int) -> Report:
        """The same report with another exit code (143 for SIGTERM)."""
        return replace(self, exit_code=code)
