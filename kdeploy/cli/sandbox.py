"""`kdeploy sandbox up`, `down` and `status`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

sandbox = typer.Typer(
    name="sandbox", help="Start and stop a cluster and a registry for yourself, as one process.", no_args_is_help=True
)

State = Annotated[
    str | None,
    typer.Option(
        "--state",
        help="Its folder [~/.local/state/kdeploy/sandbox].",
        metavar="DIR",
        envvar="KDEPLOY_STATE",
        show_envvar=False,
    ),
]


def _port(name: str, whose: str) -> Any:
    return typer.Option(
        f"--{name}-port",
        help=f"The port of {whose} [a free one].",
        metavar="PORT",
        min=0,
        max=65535,
        envvar=f"KDEPLOY_{name.upper()}_PORT",
        show_envvar=False,
        show_default=False,
    )


ApiPort = Annotated[int, _port("api", "its API server")]
RegistryPort = Annotated[int, _port("registry", "its registry")]


Simulated = Annotated[bool, typer.Option("--simulated", help="Run no pod as processes: simulate them all.")]


@sandbox.command()
def up(
    state: State = None, api_port: ApiPort = 0, registry_port: RegistryPort = 0, simulated: Simulated = False
) -> int:
    """Start it, or find the one that runs.

    Prints what to export, so that kubectl and kdeploy use it: eval "$(kdeploy sandbox up)"
    """
    from kdeploy.cli.plain import told
    from kdeploy.cli.sandboxing import bring_up
    from kdeploy.sandbox.background import Ports

    return told(lambda _: bring_up(state, Ports(api=api_port, registry=registry_port), simulated=simulated))


@sandbox.command()
def down(state: State = None) -> int:
    """Stop it, and remove all that it kept."""
    from kdeploy.cli.plain import told
    from kdeploy.cli.sandboxing import take_down

    return told(lambda _: take_down(state))


@sandbox.command()
def status(state: State = None) -> int:
    """Say whether it runs, and where. Exit 0: it does. 1: it does not."""
    from kdeploy.cli.plain import told
    from kdeploy.cli.sandboxing import tell_status

    return told(lambda _: tell_status(state))
