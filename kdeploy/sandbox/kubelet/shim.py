"""The parent of one container's processes: `python -I -S shim.py`, what containerd-shim is to a real one.

Reads one line of JSON on its standard input: {"program", "argv", "env", "folder"}, runs that in a session of its own,
and writes one line of JSON for each thing that happens to its standard output: {"pid": N}, or {"error": "..."} where it
cannot be run, and in the end {"code": N} or {"signal": N}. The container's output goes to this program's stderr.

Each further line of input is the number of a signal for the container's first process. When the input ends, the
sandbox is gone: then, and when the first process has ended, all that the container started is killed, with it what
left its session: this process adopts orphans (PR_SET_CHILD_SUBREAPER), as the first process of a PID namespace does.

It imports nothing of kdeploy, and little else, so that it starts in 30 ms.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Runs one container to its end."""
    with open(0, "rb", buffering=0, closefd=False) as unbuffered:  # takes no byte of the lines that follow
        task = json.loads(unbuffered.readline())
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the sandbox speaks by the pipe; its end is what ends us
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    child = _start(task)
    status = _watch(child, woken) if child else None
    _kill_all(child)
    if status is not None:
        code = os.waitstatus_to_exitcode(status)
        _tell({"signal": -code} if code < 0 else {"code": code})


def _start(task: dict[str, object]) -> int:
    """Forks and executes; 0 where that failed, which is told."""
    failed, report = os.pipe()  # closed by a successful exec
    child = os.fork()
    if not child:
        try:
            _execute(task)
        except OSError as error:
            os.write(report, str(error.strerror).encode())
        except ValueError:  # a NUL in a word or a variable: Python does not even ask the system
            os.write(report, os.strerror(errno.EINVAL).encode())
        finally:
            os._exit(127)
    os.close(report)
    problem = os.read(failed, 1000).decode()
    os.close(failed)
    if problem:
        os.waitpid(child, 0)
        _tell({"error": problem.lower()})
        return 0
    _tell({"pid": child})
    return child


def _execute(task: dict[str, object]) -> None:
    """In the child: leaves the sandbox's session, and becomes the container's first process."""
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.chdir(str(task["folder"]))
    os.execve(str(task["program"]), task["argv"], task["env"])  # type: ignore[arg-type]  # noqa: S606


def _watch(child: int, woken: int) -> int | None:
    """Passes signals on until the first process ends, and returns its wait status; None where the sandbox is gone."""
    pending = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            if (status := _reap(child)) is not None:
                return status
        if 0 in ready:
            data = os.read(0, 4096)
            if not data:
                return None
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                with suppress(ProcessLookupError):
                    os.kill(child, int(line))


def _reap(child: int) -> int | None:
    """Collects all that have ended; the wait status of the first process if it is among them."""
    found = None
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return found
            if pid == child:
                found = status
    return found


def _kill_all(child: int) -> None:
    """Kills the container's session and, round by round, whatever of its processes was left to this one."""
    if child:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
    for _ in range(100):
        with suppress(ProcessLookupError, PermissionError):
            for pid in _children():
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    """The processes whose parent is this one, by /proc; none where there is no /proc."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 (pathlib is slow to import)
    except OSError:
        return []
    own = str(os.getpid()).encode()
    # "PID (NAME) STATE PPID ...": the name may hold anything, spaces and brackets too
    return [pid for pid in pids if _content(f"/proc/{pid}/stat").rpartition(b") ")[2].split()[1:2] == [own]]


def _content(path: str) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(file, 4096)
    except OSError:  # it has ended meanwhile
        return b""
    finally:
        os.close(file)


def _prctl(option: int, value: int) -> None:
    """prctl(2), where the system has it; what it is for is then done less well, and the session has to do."""
    if sys.platform != "linux":
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _tell(what: dict[str, object]) -> None:
    with suppress(BrokenPipeError):
        os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main()
