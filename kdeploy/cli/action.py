"""The entry point of the container: `python -m kdeploy.cli.action`.

With arguments it is `kdeploy` itself; with none, the GitHub action: inputs become the command line of `kdeploy deploy`.
"""

from __future__ import annotations

import signal

HANDLED = (signal.SIGINT, signal.SIGTERM)
if __name__ == "__main__":  # they wait: the imports below take several times as long as Python's own start
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)

import os
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, NoReturn, TextIO

from kdeploy.cli.inputs import KUBECONFIG, PREFIX, SECRETS, files, read_inputs
from kdeploy.cli.private import keep, remove_all
from kdeploy.cli.pull_request import read_event, refuse_fork
from kdeploy.config.document import load
from kdeploy.config.file import NAMES
from kdeploy.config.flags import Flags
from kdeploy.errors import ConfigError, InterruptedBySignalError
from kdeploy.report.github.commands import masks
from kdeploy.secret import Secret, is_secret
from kdeploy.text import one_line

_SECRET_VALUE = re.compile(r"""\b(?:token|password|client-key-data|[\w-]*secret)['"]?: *['"]?([^\s'",}]+)""")
"""The values in a kubeconfig that are secret by themselves, where a later step of the job might print them alone."""


_NO_VALUES = frozenset(
    {
        *("name", "username", "client-certificate", "client-key", "tokenFile"),
        *("command", "args", "apiVersion", "interactiveMode", "installHint"),
    }
)
"""What a user has besides secrets: names, paths, a program and its words."""

SHORTEST_VALUE = 12
"""Characters of a value that is masked alone: "kdeploy" and "v1beta1" stand in many an innocent line."""


class _StoppedError(BaseException):
    """A signal before the command has its own handlers: no `except Exception` of an import may swallow it."""


def main() -> None:
    """Runs, and exits with kdeploy's code. Whatever comes before the command ends as that does: with every output."""
    for number in HANDLED:  # process 1 has no default action for them
        signal.signal(number, _leave)
    try:
        for number in HANDLED:  # held back above, or by the composite's step, which became this process
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        _start()
    except _StoppedError as stopped:
        if sys.argv[1:]:
            os.write(2, b"kdeploy: interrupted\n")
            raise SystemExit(128 + stopped.args[0]) from None
        _fail(InterruptedBySignalError(stopped.args[0]))
    finally:
        remove_all()


def _start() -> None:
    if sys.argv[1:]:
        _run(sys.argv[1:])
    try:
        arguments = prepare(os.environ, Path(), sys.stderr)
    except OSError as error:
        _fail(ConfigError(f"the kubeconfig cannot be kept: {error.strerror}", hint="is the disk full, or TMPDIR set?"))
    except Exception as error:  # a ConfigError, or a bug: it must end in a report like everything else
        _fail(error)
    _deploy(arguments)


def prepare(env: MutableMapping[str, str], workspace: Path, log: TextIO) -> list[str]:
    """The command line that the inputs ask for; what has no flag becomes a variable in `env`. Secrets are masked before
    anything is printed, where a runner reads `log`: the command to mask one holds it. Raises ConfigError.
    """
    given = {name: env.pop(f"{PREFIX}{name.upper()}", "").strip() for name in SECRETS}
    if env.get("GITHUB_ACTIONS") == "true":
        hidden = [*given.values(), *_values_of(given[KUBECONFIG])]
        log.write("".join(f"{line}\n" for text in dict.fromkeys(hidden) for line in masks(Secret(text))))
        log.flush()
    inputs = read_inputs(env, given, has_config=any((workspace / name).is_file() for name in NAMES))
    if given[KUBECONFIG] and ":" not in given[KUBECONFIG]:
        raise ConfigError("the input kubeconfig holds none", hint="give the file's content as it is, and not in base64")
    if not given[KUBECONFIG] and (event := read_event(env)):
        from kdeploy.cluster.kubeconfig import knows_a_cluster

        if not knows_a_cluster(env):
            refuse_fork(event)
    env.update(inputs.variables)
    return inputs.arguments(str(keep("kubeconfig", f"{given[KUBECONFIG]}\n")) if given[KUBECONFIG] else "")


def _values_of(kubeconfig: str) -> list[str]:
    """The values of its users, each by itself, as a later step of the job might print one alone. Not their names, nor
    the words of a login plugin: the context, and with it each headline, is often called like that.
    """
    try:
        users = load(kubeconfig.encode(), "the kubeconfig").get("users")
        logins = [user["user"] for user in users if isinstance(user, dict) and "user" in user]
    except (ConfigError, AttributeError, TypeError, ValueError, RecursionError):
        logins = []
    return [*_texts(logins), *(match[1] for match in _SECRET_VALUE.finditer(kubeconfig))]


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        words = value.get("args") if isinstance(value.get("args"), list) else []
        own = [text for key, inner in value.items() if key not in _NO_VALUES for text in _texts(inner)]
        return [*own, *_of_words([str(word) for word in words or ()])]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) and len(value) >= SHORTEST_VALUE else []


def _of_words(words: list[str]) -> list[str]:
    """What a login plugin is given by flags that are secrets by their names: "--client-secret=..." or the next word."""
    found = []
    for word, after in zip(words, [*words[1:], ""], strict=False):
        name, given, value = word.partition("=")
        secret = value if given else after
        if name.startswith("-") and is_secret(name, secret):
            found.append(secret)
    return found


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


def _fail(error: Exception) -> NoReturn:
    """Ends as any command with this error does: with its report, outputs and exit code."""
    from kdeploy.cli.run import Result, Session, run_command

    def body(_: Session) -> Result:
        raise error

    is_action = not sys.argv[1:] and os.access(Path(), os.W_OK)
    run_command(files(os.environ) if is_action else Flags(), body)


def _leave(number: int, frame: object) -> None:  # noqa: ARG001  (signal's signature)
    for each in HANDLED:  # one is enough: what follows is short
        signal.signal(each, signal.SIG_IGN)
    raise _StoppedError(number)


if __name__ == "__main__":
    main()
