"""`kdeploy history`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdeploy.cli.command import WHERE, command

if TYPE_CHECKING:
    from kdeploy.cli.run import Result, Session


@command("target", *WHERE, "output", "verbose", "quiet")
def history(session: Session) -> Result:
    """List the revisions, newest first.

    With commit, digest, who, the run's page, and whether it was verified.
    """
    from kdeploy.cli.listing import history_result

    return history_result(session)
