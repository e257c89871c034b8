"""From a function of one `Session` to a command of the command line with the flags that it names."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from kdeploy.cli.options import OPTIONS
from kdeploy.config.flags import Flags

if TYPE_CHECKING:
    from kdeploy.cli.run import Result, Session

WHERE = ("config", "env", "namespace", "context", "kubeconfig")
OUTPUT = ("output", "report", "junit", "dotenv", "trace", "verbose", "quiet")
WAIT = ("timeout", "crash_budget")
BUILD = ("commit", "image", "push_image", "build_context", "dockerfile", "build_arg", "platform", "builder", "tag")

_DEFAULTS = {part.name: None if part.default is MISSING else part.default for part in fields(Flags)}


def command(*names: str) -> Callable[[Callable[[Session], Result]], Callable[..., None]]:
    """Decorates `body`: typer sees a function with the flags `names` and body's docstring; it runs `body` and exits.

    All that is costly is imported when the command runs, so that --help stays quick.
    """

    def decorate(body: Callable[[Session], Result]) -> Callable[..., None]:
        def run(**given: Any) -> None:
            from kdeploy.cli.run import run_command

            values: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
            }
            run_command(Flags(**values), body)

        run.__name__ = body.__name__
        run.__doc__ = body.__doc__
        run.__annotations__ = {name: OPTIONS[name] for name in names}
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [_parameter(name) for name in names]
        )
        return run

    return decorate


def _parameter(name: str) -> inspect.Parameter:
    default = _DEFAULTS[name]
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=list(default) if isinstance(default, tuple) else default,
        annotation=OPTIONS[name],
    )
