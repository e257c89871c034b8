"""`kdeploy build`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdeploy.cli.command import BUILD, OUTPUT, command

if TYPE_CHECKING:
    from kdeploy.cli.run import Result, Session


@command("target", "config", "env", *BUILD, "build_timeout", *OUTPUT)
def build(session: Session) -> Result:
    """Build and push only; print the reference.

    The reference has the digest that was pushed.

    TARGET may be left out where kdeploy.yaml has one service.
    """
    from kdeploy.cli.building import build_only

    return build_only(session)
