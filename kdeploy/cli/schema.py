"""`kdeploy schema`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer


def schema(
    name: Annotated[
        Literal["config", "report", "events"],
        typer.Argument(metavar="NAME", help="config (kdeploy.yaml), report (-o json) or events (-o jsonl)."),
    ],
) -> None:
    """Print a JSON Schema."""
    from kdeploy.config.schema import load_config_schema
    from kdeploy.report.schema import load_schema

    typer.echo(load_config_schema() if name == "config" else load_schema(name), nl=False)
