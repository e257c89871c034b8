"""`python -m kdeploy.sandbox serve --state DIR`: the sandbox in the foreground, until SIGINT or SIGTERM.

The first line on stdout is JSON: {"ready": ...} with what state.json holds, or {"error": ...} with an exit code.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import stat
import sys
from dataclasses import asdict
from pathlib import Path

from kdeploy.errors import KdeployError
from kdeploy.sandbox.background import Ports
from kdeploy.sandbox.serve import serve
from kdeploy.sandbox.state import Folder, Served


def main() -> None:
    """Serves, and exits."""
    parser = argparse.ArgumentParser(prog="python -m kdeploy.sandbox")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("serve")
    command.add_argument("--state", type=Path, required=True, metavar="DIR")
    command.add_argument("--api-port", type=int, default=0, metavar="PORT")
    command.add_argument("--registry-port", type=int, default=0, metavar="PORT")
    command.add_argument("--bound", action="store_true", help="end when stdin is closed")
    command.add_argument("--simulated", action="store_true", help="run no pod as processes")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    folder = Folder(chosen.state.absolute())
    try:
        folder.make()
        lock = folder.hold()
        try:
            _empty_log()
            folder.clear(keep=("lock", "sandbox.log", "demo"))
            ports = Ports(api=chosen.api_port, registry=chosen.registry_port)
            asyncio.run(_serve(folder, ports, bound=chosen.bound, simulated=chosen.simulated))
        finally:
            folder.clear(keep=("demo",))
            os.close(lock)
    except KdeployError as error:
        _tell({"error": {"outcome": error.outcome, "message": error.message, "hint": error.hint}})
        raise SystemExit(error.outcome.exit_code) from None


async def _serve(folder: Folder, ports: Ports, *, bound: bool, simulated: bool) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    if bound:
        loop.add_reader(0, _read_on, over)
    await serve(folder, ports, _ready, over, simulated=simulated)


def _read_on(over: asyncio.Event) -> None:
    """What comes on stdin is nothing to us, but its end is."""
    if not os.read(0, 4096):
        asyncio.get_running_loop().remove_reader(0)
        over.set()


def _ready(served: Served) -> None:
    _tell({"ready": asdict(served)})


def _tell(what: dict[str, object]) -> None:
    with contextlib.suppress(OSError):
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


def _empty_log() -> None:
    """Where stderr is a log file, what an earlier sandbox wrote there goes."""
    if stat.S_ISREG(os.fstat(2).st_mode):
        os.ftruncate(2, 0)


if __name__ == "__main__":
    main()
