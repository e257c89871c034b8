"""A container's processes, by a shim of their own (see shim.py): started, signalled, waited for, their output read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kdeploy.sandbox.kubelet.command import Command, StartError

SHIM = Path(__file__).with_name("shim.py")
_CHUNK = 65_536

Output = Callable[[bytes], None]
"""Takes what a container writes, stdout and stderr as one, in pieces as they come."""


@dataclass(slots=True)
class Process:
    """A container's first process. `pid` is its number, and that of its session."""

    pid: int
    _shim: asyncio.subprocess.Process
    _ended: asyncio.Task[int]

    def send(self, number: int) -> None:
        """Sends the first process a signal; one that has ended already is no error."""
        assert self._shim.stdin is not None
        with contextlib.suppress(OSError, RuntimeError):
            self._shim.stdin.write(b"%d\n" % number)

    async def wait(self) -> int:
        """Waits until it and all that it started have ended. Returns its exit code: 128 and the number of a signal."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace: float) -> int:
        """SIGTERM, and after `grace` seconds SIGKILL. Returns the exit code."""
        if grace > 0:
            self.send(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    return await self.wait()
        self.send(signal.SIGKILL)
        return await self.wait()


async def start(command: Command, output: Output) -> Process:
    """Runs the command. Raises StartError where that cannot be, with what the system says."""
    shim = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(SHIM), stdin=PIPE, stdout=PIPE, stderr=PIPE, env={}, start_new_session=True
    )
    assert shim.stdin is not None
    task = {"program": command.program, "argv": command.argv, "env": dict(command.env), "folder": command.folder}
    shim.stdin.write(json.dumps(task).encode() + b"\n")
    reading = asyncio.create_task(_read(shim, output))
    try:
        told = await _told(shim)
    except asyncio.CancelledError:
        shim.stdin.close()  # the shim ends what it has begun, and itself
        raise
    if "pid" not in told:
        await reading
        await shim.wait()
        raise StartError(f'exec: "{command.argv[0]}": {told.get("error", "the shim has ended")}')
    pid = int(told["pid"])
    return Process(pid, shim, asyncio.create_task(_wait(shim, pid, reading)))


async def _wait(shim: asyncio.subprocess.Process, pid: int, reading: asyncio.Task[None]) -> int:
    told = await _told(shim)
    if not told:  # the shim itself was killed: what it would have ended is ended here
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    await reading
    await shim.wait()
    return int(told["code"]) if "code" in told else 128 + int(told.get("signal", signal.SIGKILL))


async def _told(shim: asyncio.subprocess.Process) -> dict[str, int | str]:
    """The shim's next line; empty where it has ended."""
    assert shim.stdout is not None
    line = await shim.stdout.readline()
    told: dict[str, int | str] = json.loads(line) if line else {}
    return told


async def _read(shim: asyncio.subprocess.Process, output: Output) -> None:
    assert shim.stderr is not None
    while chunk := await shim.stderr.read(_CHUNK):
        output(chunk)
