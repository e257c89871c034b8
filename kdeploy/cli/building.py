"""The work of `kdeploy build`."""

from __future__ import annotations

from kdeploy.cli.run import Result, Session, reported
from kdeploy.cli.wiring import builder_of, image_repository, load_settings, plan_build
from kdeploy.config.settings import Settings
from kdeploy.errors import ConfigError
from kdeploy.events import BuildOutput, ImageReady, Phase, PhaseEnded, PhaseStarted
from kdeploy.model import Image, Outcome, Reason
from kdeploy.report.value import Report, TargetReport, Timings, image_report


def build_only(session: Session) -> Result:
    """Builds and pushes; the result's text is the reference with digest, its report has the timings."""
    settings = load_settings(session)
    repository = image_repository(settings)
    if not settings.builds:
        raise ConfigError(
            f"there is nothing to build: {settings.image} names a finished image",
            hint="give --image without tag and digest",
        )
    request = plan_build(session, settings, repository)
    builder, started = builder_of(session, settings), session.clock.now()
    session.emit(PhaseStarted(phase=Phase.BUILD, detail=f"{repository}:{request.tag} with {builder.title}"))
    try:
        image = builder.build_and_push(
            request,
            lambda line: session.emit(BuildOutput(line=line)),
            session.started + settings.limits.build_timeout - session.clock.now(),
        )
    finally:
        seconds = session.clock.now() - started
        session.emit(PhaseEnded(phase=Phase.BUILD, seconds=seconds))
    session.emit(ImageReady(image=image))
    return reported(build_report(settings, image, request.commit, seconds), text=f"{image.reference}\n")


def build_report(settings: Settings, image: Image, commit: str, seconds: float) -> Report:
    """The report of a build: its image where a deploy's is, for a workload that no cluster was asked about. Pure."""
    entry = TargetReport(
        outcome=Outcome.BUILT,
        reason=Reason.COMPLETE,
        message=image.reference,
        target=settings.workload.within(settings.namespace or ""),
        cluster="",
        containers=settings.containers,
        image=image_report(image),
        url=settings.url,
    )
    return Report(
        outcome=entry.outcome,
        exit_code=entry.outcome.exit_code,
        reason=entry.reason,
        message=entry.message,
        commit=commit,
        timings=Timings(build=seconds, total=seconds),
        deploys=(entry,),
    )
