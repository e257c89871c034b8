"""`python -m tests.cluster up|down|env|status|check`: a real cluster for the tests, see README.md."""

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.cluster import lifecycle, smoke
from tests.cluster.cluster import FILE, Cluster, running, states
from tests.cluster.errors import RigError
from tests.cluster.layout import default_root


def main(arguments: Sequence[str] | None = None) -> int:
    """Does one command; the exit code, with one message on stderr if it fails."""
    options = _parser().parse_args(arguments)
    commands = {"up": _up, "down": _down, "env": _env, "status": _status, "check": _check}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return commands[options.command](options)
    except RigError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was started is stopped again\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description="A real Kubernetes cluster for tests")
    parser.add_argument("command", choices=("up", "down", "env", "status", "check"))
    parser.add_argument("--kubernetes", metavar="VERSION", help="default: $KDEPLOY_E2E_KUBERNETES or the newest here")
    parser.add_argument("--state", type=Path, help=f"default: a folder a version below {default_root()}")
    return parser


def _up(options: argparse.Namespace) -> int:
    _print_summary(lifecycle.up(options.state, options.kubernetes, _say))
    return 0


def _down(options: argparse.Namespace) -> int:
    for state in _states(options):
        _say(f"{state}: {'stopped' if lifecycle.down(state) else 'nothing runs there'}")
    return 0


def _env(options: argparse.Namespace) -> int:
    for name, value in running(options.state, options.kubernetes or "").environment.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    return 0


def _status(options: argparse.Namespace) -> int:
    found = [state for state in _states(options) if (state / FILE).is_file()]
    for state in found:
        cluster = Cluster.load(state)
        dead = [process.name for process in cluster.processes.all() if not process.alive()]
        answers = "ready" if lifecycle.is_up(state) else "does not answer"
        sys.stdout.write(f"{cluster.version} {answers}{', dead: ' if dead else ''}{' '.join(dead)}  {state}\n")
    if not found:
        sys.stdout.write("no cluster runs\n")
    return 0 if found else 1


def _check(options: argparse.Namespace) -> int:
    smoke.check(running(options.state, options.kubernetes or ""), _say)
    return 0


def _states(options: argparse.Namespace) -> list[Path]:
    """The folder that was asked for, or all below the default one."""
    return [options.state] if options.state else states(options.kubernetes or "")


def _print_summary(cluster: Cluster) -> None:
    sys.stdout.write(
        f"Kubernetes {cluster.version} at {cluster.server}\n"
        f"  KUBECONFIG   {cluster.kubeconfig}\n"
        f"  registry     {cluster.registry} (with a password: {cluster.private_registry})\n"
        f"  DOCKER_HOST  {cluster.docker_host}\n"
        f"  base image   {cluster.base_image}\n"
        f'  eval "$(python -m tests.cluster env --state {cluster.state})"\n'
        f"  python -m tests.cluster down --state {cluster.state}\n"
    )


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
