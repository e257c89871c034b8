"""The entry point of the container: `python -m kdeploy.cli.action`.

With arguments it is `kdeploy` itself; with none, the GitHub action: inputs become the command line of `kdeploy deploy`.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import TextIO

from kdeploy.cli.inputs import KUBECONFIG, PREFIX, SECRETS, read_inputs
from kdeploy.cli.private import keep, remove_all
from kdeploy.cli.pull_request import read_event, refuse_fork
from kdeploy.config.file import NAMES
from kdeploy.config.flags import Flags
from kdeploy.errors import ConfigError, InterruptedBySignalError, KdeployError
from kdeploy.report.github.commands import masks
from kdeploy.secret import Secret
from kdeploy.text import one_line

_SECRET_VALUE = re.compile(r"""\b(?:token|password|client-key-data|[\w-]*secret)['"]?: *['"]?([^\s'",}]+)""")
"""The values in a kubeconfig that are secret by themselves, where a later step of the job might print them alone."""


class _StoppedError(BaseException):
    """A signal before the command has its own handlers: no `except Exception` of an import may swallow it."""


def main() -> None:
    """Runs, and exits with kdeploy's code."""
    for number in (signal.SIGINT, signal.SIGTERM):  # process 1 has no default action for them
        signal.signal(number, _leave)
    try:
        if sys.argv[1:]:
            _run(sys.argv[1:])
        _deploy(prepare(os.environ, Path(), sys.stderr))
    except ConfigError as error:
        _fail(error)
    except _StoppedError as stopped:
        if sys.argv[1:]:
            os.write(2, b"kdeploy: interrupted\n")
            raise SystemExit(128 + stopped.args[0]) from None
        _fail(InterruptedBySignalError(stopped.args[0]))
    finally:
        remove_all()


def prepare(env: MutableMapping[str, str], workspace: Path, log: TextIO) -> list[str]:
    """The command line that the inputs ask for; what has no flag becomes a variable in `env`. Secrets are masked before
    anything is printed. Raises ConfigError.
    """
    given = {name: env.pop(f"{PREFIX}{name.upper()}", "").strip() for name in SECRETS}
    hidden = [given[KUBECONFIG], *(match[1] for match in _SECRET_VALUE.finditer(given[KUBECONFIG])), *given.values()]
    log.write("".join(f"{line}\n" for text in dict.fromkeys(hidden) for line in masks(Secret(text))))
    log.flush()
    inputs = read_inputs(env, given, has_config=any((workspace / name).is_file() for name in NAMES))
    if not given[KUBECONFIG] and not env.get("KUBECONFIG"):
        refuse_fork(read_event(env))
    env.update(inputs.variables)
    return inputs.arguments(str(keep("kubeconfig", f"{given[KUBECONFIG]}\n")) if given[KUBECONFIG] else "")


def _run(arguments: list[str]) -> None:
    from kdeploy.cli.app import run

    run(arguments)


def _deploy(arguments: list[str]) -> None:
    """Runs the command; what typer finds wrong with a value becomes a report, as every output must be written."""
    import typer
    from typer.main import get_command

    from kdeploy.cli.app import app

    try:
        get_command(app).main(args=arguments, prog_name="kdeploy", standalone_mode=False)
    except typer.TyperException as error:
        _fail(ConfigError(one_line(error.format_message()), hint="see the inputs in action.yml"))


def _fail(error: KdeployError) -> None:
    """Ends as any command with this error does: with its report, outputs and exit code."""
    from kdeploy.cli.run import Result, Session, run_command

    def body(_: Session) -> Result:
        raise error

    run_command(Flags(), body)


def _leave(number: int, frame: object) -> None:  # noqa: ARG001  (signal's signature)
    for each in (signal.SIGINT, signal.SIGTERM):  # one is enough: what follows is short
        signal.signal(each, signal.SIG_IGN)
    raise _StoppedError(number)


if __name__ == "__main__":
    main()
