"""A sandbox as a process of its own: started, awaited, found again, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from kdeploy.errors import ClusterError, ConfigError, KdeployError, RefusedError
from kdeploy.model import Outcome
from kdeploy.sandbox.state import Folder, Served
from kdeploy.text import one_line

START = 20.0
"""Seconds for a sandbox to answer."""

STOP = 15.0
"""Seconds for it to end by itself; its pods have 5 of them."""

_ERRORS: Mapping[str, type[KdeployError]] = {Outcome.USAGE: ConfigError, Outcome.REFUSED: RefusedError}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports to serve on; 0 is any free one."""

    api: int = 0
    registry: int = 0


def start(
    folder: Folder, ports: Ports, env: Mapping[str, str], *, bound: bool = False, simulated: bool = False
) -> tuple[Served, subprocess.Popen[bytes]]:
    """Starts a sandbox and waits until it answers. `bound`: it ends when the returned process's stdin is closed.
    `simulated`: no pod of it is a process.

    Raises what the sandbox itself raised: ConfigError, RefusedError; ClusterError where it does not answer.
    """
    folder.make()
    command = [sys.executable, "-m", "kdeploy.sandbox", "serve", "--state", str(folder.path)]
    command += ["--api-port", str(ports.api), "--registry-port", str(ports.registry), *(["--bound"] if bound else [])]
    command += ["--simulated"] if simulated else []
    with open_log(folder) as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if bound else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env=dict(env),
            start_new_session=True,
        )
    try:
        return _answer(process, folder), process
    except BaseException:
        end(process)
        raise


def end(process: subprocess.Popen[bytes]) -> None:
    """Stops a sandbox that was started here; by force where it does not end by itself."""
    if process.stdin:
        process.stdin.close()
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


def let_go(process: subprocess.Popen[bytes]) -> None:
    """Leaves a sandbox that was started here to itself."""
    if process.stdout:
        process.stdout.close()
    process.returncode = 0  # else Popen would complain that it is left running


def stop(folder: Folder) -> bool:
    """Stops the sandbox of that folder, whoever started it, and removes what it kept. False where none was up."""
    served = folder.read()
    if served is not None:
        _signal(served, signal.SIGTERM)
        deadline = time.monotonic() + STOP
        while served.runs and time.monotonic() < deadline:
            time.sleep(0.02)
        if served.runs:
            _signal(served, signal.SIGKILL)
    if folder.path.is_dir():
        _clear(folder)
    return served is not None


def _clear(folder: Folder) -> None:
    """Removes what is left, once nobody serves from it: another one may just be starting."""
    deadline = time.monotonic() + 2
    while True:
        try:
            lock = folder.hold()
        except RefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
            continue
        try:
            folder.clear()
        finally:
            os.close(lock)
        return


def _signal(served: Served, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(served.pid, number)


def _answer(process: subprocess.Popen[bytes], folder: Folder) -> Served:
    """Waits for the first line that the sandbox writes: {"ready": {...}} or {"error": {...}}."""
    line = _first_line(process, START)
    try:
        told = json.loads(line)
    except ValueError:
        told = {}
    if "ready" in told:
        return Served(**told["ready"])
    if problem := told.get("error"):
        error = _ERRORS.get(problem["outcome"], ClusterError)
        raise error(problem["message"], hint=problem["hint"])
    why = "did not answer in time" if process.poll() is None else f"ended with exit code {process.returncode}"
    raise ClusterError(f"the sandbox {why}{_last_words(folder)}", hint=f"its log, where it is kept, is {folder.log}")


def _last_words(folder: Folder) -> str:
    """The end of its log: a demo's folder is gone when a person reads this."""
    try:
        lines = folder.log.read_text(errors="replace").split("\n")
    except OSError:
        return ""
    last = next((line for line in reversed(lines) if line.strip()), "")
    return f": {one_line(last, 200)}" if last else ""


def _first_line(process: subprocess.Popen[bytes], timeout: float) -> bytes:
    assert process.stdout is not None
    deadline, data = time.monotonic() + timeout, b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while b"\n" not in data:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return b""
            chunk = os.read(process.stdout.fileno(), 65_536)
            if not chunk:
                process.wait(5)
                return b""
            data += chunk
    return data.partition(b"\n")[0]


def open_log(folder: Folder) -> BinaryIO:
    """The sandbox's log, to be added to: the sandbox itself empties it once the folder is its own."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    return os.fdopen(os.open(folder.log, flags, 0o600), "ab")
