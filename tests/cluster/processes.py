"""Programs that outlive the command that starts them: started, recorded, stopped and started again by their record.

A record names a process by its pid and its start time, so that a pid that was given to somebody else is never hit.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster.errors import RigError

STOP_GRACE = 15.0
POLL = 0.05
LOG_LINES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One started program: what was run, and how to find it. `inner` is the pid behind a nsenter or unshare."""

    name: str
    command: list[str]
    environment: dict[str, str]
    pid: int
    inner: int
    born: int

    def alive(self) -> bool:
        """Whether it still runs; one that has ended is none, even before its parent asked after it."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return _born(self.inner) == self.born

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal, if it still runs. A nsenter stops with its child and must be told to go on as well."""
        for pid in self._reached_by(number):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _reached_by(self, number: signal.Signals) -> list[int]:
        wrapper = Path(f"/proc/{self.pid}/cmdline")
        stopped = number == signal.SIGCONT and wrapper.is_file() and wrapper.read_bytes() == _cmdline(self.command)
        return [*([self.inner] if self.alive() else []), *([self.pid] if stopped else [])]

    def stop(self, grace: float = STOP_GRACE) -> None:
        """Ends it: SIGTERM, and SIGKILL after `grace` seconds."""
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, STOP_GRACE)):
            self.send(signal.SIGCONT)
            self.send(number)
            with contextlib.suppress(RigError):
                wait_until(lambda: not self.alive(), patience, self.name)
                return
        raise RigError(f"{self.name} (pid {self.inner}) cannot be stopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """The programs of one cluster: a folder of records and a folder of logs."""

    folder: Path
    logs: Path

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None, nested: bool = False
    ) -> Process:
        """Starts a program in the background; `nested` says that the command forks and its child is the one meant."""
        variables = dict(environment or {})
        with (self.logs / f"{name}.log").open("ab") as log, Path(os.devnull).open("rb") as nothing:
            redirect = [
                (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
            ]
            pid = os.posix_spawnp(
                command[0], list(command), os.environ | variables, file_actions=redirect, setsid=True, setsigdef=[]
            )
        inner = self._child(name, pid) if nested else pid
        process = Process(
            name=name, command=list(command), environment=variables, pid=pid, inner=inner, born=_born(inner) or 0
        )
        (self.folder / f"{name}.json").write_text(json.dumps(asdict(process) | {"nested": nested}))
        return process

    def again(self, name: str) -> Process:
        """Starts a stopped program with the command that started it first."""
        old = self.find(name)
        if old.alive():
            return old
        nested = bool(json.loads((self.folder / f"{name}.json").read_text())["nested"])
        return self.start(name, old.command, old.environment, nested)

    def find(self, name: str) -> Process:
        """The record of a program that was started."""
        try:
            saved = json.loads((self.folder / f"{name}.json").read_text())
        except OSError as error:
            raise RigError(f"{name} was never started") from error
        del saved["nested"]
        return Process(**saved)

    def all(self) -> list[Process]:
        """Every program that was started, by name."""
        return [self.find(file.stem) for file in sorted(self.folder.glob("*.json"))]

    def wait(self, name: str, ready: Callable[[], bool], timeout: float) -> None:
        """Waits until `ready`; a program that ends instead is an error that quotes the end of its log."""
        process = self.find(name)

        def settled() -> bool:
            return ready() or not process.alive()

        with contextlib.suppress(RigError):
            wait_until(settled, timeout, name)
            if process.alive():
                return
        raise RigError(f"{name} {'is not ready' if process.alive() else 'has ended'}:\n{self.tail(name)}")

    def tail(self, name: str, lines: int = LOG_LINES) -> str:
        """The last lines of a program's log."""
        log = (self.logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(line[:300] for line in log.splitlines()[-lines:])

    def _child(self, name: str, parent: int) -> int:
        found: list[int] = []

        def appeared() -> bool:
            found.extend(children(parent))
            return bool(found) or _born(parent) is None

        wait_until(appeared, 5, name)
        if not found:
            raise RigError(f"{name} has ended at once:\n{self.tail(name)}")
        return found[0]


def wait_until(ready: Callable[[], bool], timeout: float, what: str) -> None:
    """Asks `ready` until it says yes."""
    end = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > end:
            raise RigError(f"{what} took more than {timeout:.0f} s")
        time.sleep(POLL)


def children(parent: int) -> list[int]:
    """The pids whose parent is `parent`."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if (fields := _stat(pid)) and int(fields[1]) == parent]


def _cmdline(command: Sequence[str]) -> bytes:
    return b"".join(os.fsencode(word) + b"\0" for word in command)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on; the name before them may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _born(pid: int) -> int | None:
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])
