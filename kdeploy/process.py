"""Programs as child processes, never through a shell: run one for its answer, or stream its lines as they come.

A child gets a process group of its own, and the group is ended whichever way this code is left: a timeout, a signal
that raises, an error in the caller's callback; and by `end_all` where a thread that nobody waits for any more runs it.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kdeploy.clock import Deadline
from kdeploy.secret import PRIVATE
from kdeploy.text import one_line

NOT_FOUND = 127
"""The exit code that stands for a program that is not there, as shells have it."""

_GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL; GitHub leaves a cancelled job 2.5 s."""

_LONGEST_LINE = 16_384
_SHOWN = 200
"""Characters of what a program that was late had written."""
_LINE_ENDS = re.compile(r"\r\n|\n|\r")

_running: set[subprocess.Popen[bytes]] = set()
# As global as the process's own table of children, which it mirrors.


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended: its exit code (NOT_FOUND where there is none) and what it printed."""

    code: int
    out: bytes = b""
    err: str = ""

    @property
    def text(self) -> str:
        """Standard output as text, without white space at the ends."""
        return self.out.decode("utf-8", "replace").strip()


class Run(Protocol):
    """Runs a program to its end. Raises TimeoutError after `timeout` seconds."""

    def __call__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        timeout: float = 60.0,
    ) -> Finished:
        """`env` is the whole environment of the child; None: this process's own."""
        ...


class Stream(Protocol):
    """Runs a program and gives each line of its output, both streams as one, to `line`. Returns the exit code."""

    def __call__(
        self,
        command: Sequence[str],
        *,
        line: Callable[[str], None],
        timeout: float,
        env: Mapping[str, str] | None = None,
    ) -> int:
        """Raises TimeoutError after `timeout` seconds."""
        ...


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float = 60.0,
    on_terminal: bool = False,
) -> Finished:
    """See `Run`. `on_terminal`: it talks to the person at this process's terminal, and `err` stays empty."""
    try:
        child = _start(
            command,
            env,
            stdin=None if on_terminal else subprocess.PIPE,
            stderr=None if on_terminal else subprocess.PIPE,
            own_group=not on_terminal,
        )
    except OSError as error:
        return Finished(code=NOT_FOUND, err=f"{command[0]}: {error.strerror}")
    with _ended(child):
        try:
            out, err = child.communicate(None if on_terminal else stdin, timeout)
        except subprocess.TimeoutExpired as error:
            said = one_line((error.stderr or b"").decode("utf-8", "replace"), _SHOWN)
            late = f"{command[0]} did not end within {max(timeout, 0.1):.1f} s"
            raise TimeoutError(f"{late}; it had written: {said}" if said else late) from error
    return Finished(code=child.returncode, out=out, err=(err or b"").decode("utf-8", "replace"))


def within(deadline: Deadline, run: Run = run) -> Run:
    """`run`, bounded by `deadline` as well: several programs together have no more than that."""

    def run_within(
        command: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: bytes = b"", timeout: float = 60.0
    ) -> Finished:
        return run(command, env=env, stdin=stdin, timeout=deadline.remaining(timeout))

    return run_within


def end_all() -> None:
    """Ends every program that still runs: for the exit of this process."""
    for child in tuple(_running):
        if child.poll() is None:
            _kill(child, signal.SIGKILL)


def stream(
    command: Sequence[str], *, line: Callable[[str], None], timeout: float, env: Mapping[str, str] | None = None
) -> int:
    """See `Stream`."""
    try:
        child = _start(command, env, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    except OSError as error:
        line(f"{command[0]}: {error.strerror}")
        return NOT_FOUND
    deadline = time.monotonic() + timeout
    with _ended(child):
        for text in _lines(child, deadline):
            line(text)
        try:
            return child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{command[0]} did not end within {timeout:g} s") from error


def _start(
    command: Sequence[str],
    env: Mapping[str, str] | None,
    *,
    stdin: int | None,
    stderr: int | None,
    own_group: bool = True,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(command),
        env={name: value for name, value in (os.environ if env is None else env).items() if name not in PRIVATE},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=own_group,
    )


def _lines(child: subprocess.Popen[bytes], deadline: float) -> Iterator[str]:
    """The output line by line until it ends, or until the child has ended and nothing more comes for half a second."""
    assert child.stdout is not None
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    rest = ""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(min(left, 0.5)):
                if child.poll() is not None:
                    break
                continue
            chunk = os.read(child.stdout.fileno(), 65_536)
            if not chunk:
                break
            *whole, rest = _LINE_ENDS.split(rest + decode(chunk))
            yield from filter(None, whole)
            if len(rest) > _LONGEST_LINE:
                yield rest[:_LONGEST_LINE]
                rest = ""
        else:
            raise TimeoutError("it did not end in time")
    if rest:
        yield rest


@contextlib.contextmanager
def _ended(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leaves no process of the child's group behind where the body did not see it end, and closes the pipes."""
    _running.add(child)
    try:
        yield
    finally:
        if child.poll() is None:
            _kill(child, signal.SIGTERM)
            try:
                child.wait(_GRACE)
            except subprocess.TimeoutExpired:
                pass
            finally:
                _kill(child, signal.SIGKILL)
                child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        _running.discard(child)


def _kill(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signals the child and its group; the child alone where it shares this process's own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(child.pid) == os.getpgrp():
            os.kill(child.pid, number)
        else:
            os.killpg(child.pid, number)
