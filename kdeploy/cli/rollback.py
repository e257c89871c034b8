"""`kdeploy rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdeploy.cli.command import OUTPUT, WHERE, command

if TYPE_CHECKING:
    from kdeploy.cli.run import Result, Session


@command("target", *WHERE, "container", "to", "rollback_timeout", "crash_budget", "verify_http", *OUTPUT)
def rollback(session: Session) -> Result:
    """Restore a verified revision.

    Then wait for it and verify it. Exit 0: restored. 4: refused, nothing changed. 11: the rollback failed.
    """
    from kdeploy.cli.run import reported
    from kdeploy.cli.showing import show_on_github
    from kdeploy.cli.wiring import edges, load_settings, plan_rollback, reach
    from kdeploy.story.by_hand import rollback as tell

    settings = load_settings(session)
    show_on_github(session, None)
    there = reach(session, settings, settings.limits.rollback_timeout)
    request = plan_rollback(session, settings, there.target)
    return reported(tell(request, edges(session, settings, there)))
