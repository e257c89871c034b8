"""The work of `kdeploy sandbox`."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from kdeploy.cli.plain import program, say
from kdeploy.errors import RefusedError
from kdeploy.model import Reason
from kdeploy.sandbox.background import Ports, let_go, start, stop
from kdeploy.sandbox.state import Folder, Served, default_folder


def bring_up(state: str | None, ports: Ports, *, simulated: bool) -> int:
    """Starts the sandbox where none runs, and prints its variables on stdout."""
    folder = _folder(state)
    served, is_new = folder.read(), False
    if served is not None:
        _refuse_other(served, ports, down_command(state), simulated=simulated)
    if served is None:
        try:
            served, process = start(folder, ports, os.environ, simulated=simulated)
        except RefusedError:
            served = folder.read()  # another `up` was quicker
            if served is None:
                raise
        else:
            is_new = True
            let_go(process)
    sys.stdout.write(exports(folder, served))
    say(f"{'the sandbox is up' if is_new else 'the sandbox is up already'}: {_words(served)}")
    if sys.stdout.isatty():
        say(f'to use it here: eval "$({program()} sandbox up)"')
    say(f"stop it: {down_command(state)}")
    return 0


def take_down(state: str | None) -> int:
    """Stops the sandbox; that none runs is no error."""
    folder = _folder(state)
    stopped = stop(folder)
    left = f"; what else is in {folder.path} was left there" if folder.path.is_dir() else ""
    say(f"{'the sandbox has ended' if stopped else 'no sandbox runs in ' + str(folder.path)}{left}")
    if os.environ.get("KUBECONFIG") == str(folder.kubeconfig):
        say("this shell still points at it: unset KUBECONFIG KDEPLOY_SANDBOX_REGISTRY")
    return 0


def tell_status(state: str | None) -> int:
    """Prints the variables where it runs."""
    folder = _folder(state)
    served = folder.read()
    if served is None:
        say(f"no sandbox runs in {folder.path}")
        return 1
    sys.stdout.write(exports(folder, served))
    say(f"the sandbox is up: {_words(served)}, process {served.pid}, log {folder.log}")
    return 0


def exports(folder: Folder, served: Served) -> str:
    """The lines for a shell."""
    values = {"KUBECONFIG": str(folder.kubeconfig), "KDEPLOY_SANDBOX_REGISTRY": served.registry}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


def down_command(state: str | None) -> str:
    """What stops it again."""
    return f"{program()} sandbox down{f' --state {shlex.quote(state)}' if state else ''}"


def _refuse_other(served: Served, ports: Ports, down: str, *, simulated: bool) -> None:
    """Raises RefusedError where what runs is not what is asked for."""
    asked = {served.api: ports.api, served.registry: ports.registry}
    other = [f"port {port}" for place, port in asked.items() if port and not place.endswith(f":{port}")]
    other += ["simulated pods only"] if simulated and served.network else []
    if other:
        raise RefusedError(
            f"the sandbox is up already, without {' and '.join(other)}: {_words(served)}",
            hint=f"stop it first: {down}",
            reason=Reason.CONFLICT,
        )


def _folder(state: str | None) -> Folder:
    return Folder(Path(state).absolute() if state else default_folder(os.environ))


def _words(served: Served) -> str:
    pods = f"pods at {served.network}" if served.network else "simulated pods only"
    return f"API server {served.api}, registry {served.registry}, {pods}"
