"""`kdeploy deploy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdeploy.cli.command import BUILD, OUTPUT, WHERE, command

if TYPE_CHECKING:
    from kdeploy.cli.run import Result, Session


@command(
    "target",
    *WHERE,
    *BUILD,
    "container",
    "timeout",
    "build_timeout",
    "rollback_timeout",
    "crash_budget",
    "verify_http",
    "rollback",
    "on_interrupt",
    "force",
    "dry_run",
    *OUTPUT,
)
def deploy(session: Session) -> Result:
    """Build, push, roll out, verify, or roll back.

    The workload ends on the new version, verified, or on the last verified one; the exit code says which.

    TARGET may be left out where kdeploy.yaml has one service.
    """
    from kdeploy.cli.dry_run import patch_text
    from kdeploy.cli.run import reported
    from kdeploy.cli.showing import show_on_github
    from kdeploy.cli.wiring import edges, load_settings, plan_deploy, reach
    from kdeploy.deploy import deploy as tell
    from kdeploy.github.plan import deployed_commit

    settings = load_settings(session)
    plan = plan_deploy(session, settings)
    show_on_github(session, deployed_commit(plan.commit, str(settings.image)))
    there = reach(session, settings, settings.limits.build_timeout)
    report = tell(plan.request(there.target), edges(session, settings, there, plan.builder))
    return reported(report, text=patch_text(report))
