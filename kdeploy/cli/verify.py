"""`kdeploy verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdeploy.cli.command import OUTPUT, WAIT, WHERE, command

if TYPE_CHECKING:
    from kdeploy.cli.run import Result, Session


@command("target", *WHERE, "container", *WAIT, "verify_http", *OUTPUT)
def verify(session: Session) -> Result:
    """Run the health checks only.

    They run on what is live now; nothing is changed. Exit 0: passed. 12: failed.
    """
    from kdeploy.cli.run import reported
    from kdeploy.cli.wiring import edges, load_settings, reach
    from kdeploy.story.by_hand import verify as tell
    from kdeploy.story.request import VerifyRequest

    settings = load_settings(session)
    there = reach(session, settings, settings.limits.timeout)
    request = VerifyRequest(
        target=there.target,
        containers=settings.containers,
        checks=settings.checks,
        limits=settings.limits,
        started=session.started,
    )
    return reported(tell(request, edges(session, settings, there)))
