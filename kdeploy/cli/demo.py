"""`kdeploy demo`."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the sandbox up afterwards, to play with.")] = False,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Run no pod as processes, as where there is one loopback address only.")
    ] = False,
) -> int:
    """Deploy four commits to a sandbox.

    Nothing is needed but Python and git: a cluster and a registry are started for it, and removed at the end.

    Exit 0: all four ended as they had to, and no request was lost meanwhile.
    """
    from kdeploy.cli.demonstrating import demonstrate
    from kdeploy.cli.plain import told

    return told(lambda signals: demonstrate(signals, keep=keep, simulated=simulated))
