"""`kdeploy status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdeploy.cli.command import WAIT, WHERE, command

if TYPE_CHECKING:
    from kdeploy.cli.run import Result, Session


@command("target", *WHERE, "watch", "from_file", *WAIT, "output", "verbose", "quiet")
def status(session: Session) -> Result:
    """Give one verdict on the rollout, and why.

    Exit 0: complete. 1: progressing or paused. 12: failed.
    """
    from kdeploy.cli.looking import status_result

    return status_result(session)
