"""`kdeploy doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdeploy.cli.command import BUILD, WHERE, command

if TYPE_CHECKING:
    from kdeploy.cli.run import Result, Session


@command("target", *WHERE, *BUILD, "container", "verify_http", "output", "verbose", "quiet")
def doctor(session: Session) -> Result:
    """Look for what would refuse a deploy, and say what to do.

    It asks about config, git, builder, registry, cluster, clock, target, permissions and rollback, and changes nothing.

    Exit 0: nothing would. 4: something would, and the line with it says what to do.
    """
    from kdeploy.cli.examining import doctor_result

    return doctor_result(session)
