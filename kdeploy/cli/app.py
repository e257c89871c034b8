"""The command line: its commands, and what happens where it is used wrongly."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Annotated

import typer
from typer.main import get_command

from kdeploy.cli.build import build
from kdeploy.cli.demo import demo
from kdeploy.cli.deploy import deploy
from kdeploy.cli.doctor import doctor
from kdeploy.cli.history import history
from kdeploy.cli.init import init
from kdeploy.cli.rollback import rollback
from kdeploy.cli.sandbox import sandbox
from kdeploy.cli.schema import schema
from kdeploy.cli.status import status
from kdeploy.cli.verify import verify

app = typer.Typer(
    name="kdeploy",
    help="Deploy a commit to Kubernetes safely: build, push, roll out, verify, and roll back by itself.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
VARIABLES = "Each flag has an environment variable: KDEPLOY_ and its name, as in KDEPLOY_BUILD_ARG for --build-arg."
for command in (deploy, build, status, verify, rollback, history, doctor):
    app.command(epilog=VARIABLES)(command)
app.command()(init)
app.command()(schema)
app.command()(demo)
app.add_typer(sandbox)


def _print_version(wanted: bool) -> None:
    if wanted:
        from kdeploy import __version__

        typer.echo(f"kdeploy {__version__}")
        raise typer.Exit


@app.callback()
def kdeploy(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Only carries the flags that stand before the command."""


def run(arguments: Sequence[str]) -> None:
    """Runs the command that `arguments` (without the program's name) ask for, and exits."""
    try:
        code = get_command(app).main(args=list(arguments), prog_name="kdeploy", standalone_mode=False)
    except typer.TyperException as error:
        _usage(error, arguments)
    except (typer.Abort, KeyboardInterrupt):
        raise SystemExit(130) from None
    raise SystemExit(code if isinstance(code, int) else 0)


def _usage(error: typer.TyperException, arguments: Sequence[str]) -> None:
    """Says on stderr what is wrong, as click does; a script that asked for JSON gets its report all the same."""
    show = getattr(error, "show", None)
    if show is not None:
        show()
    else:
        typer.echo(f"Error: {error.format_message()}", err=True)
    output = wanted_output(arguments, os.environ)
    if output != "human":
        from kdeploy.cli.usage import usage_report

        sys.stdout.write(usage_report(error.format_message(), output))
    raise SystemExit(2)


def wanted_output(arguments: Sequence[str], env: Mapping[str, str]) -> str:
    """What -o asks for, read from arguments that are wrong somewhere: "json", "jsonl" or "human"."""
    wanted = env.get("KDEPLOY_OUTPUT") or "human"
    for flag, value in zip_longest(arguments, arguments[1:], fillvalue=""):
        if flag in ("-o", "--output"):
            wanted = value
        elif flag.startswith(("-o", "--output=")) and not flag.startswith("--on"):
            wanted = flag.removeprefix("--output=").removeprefix("-o")
    return wanted if wanted in ("json", "jsonl") else "human"
