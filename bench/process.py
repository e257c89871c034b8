"""Running a program and learning exactly when it ended and what it cost."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A program that has ended. Moments are `time.time()`; `cpu` is user and system time in seconds, `peak` bytes."""

    started: float
    ended: float
    code: int
    cpu: float
    peak: int
    output: str


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    codes: Sequence[int] = (0,),
    meanwhile: Callable[[], None] = lambda: None,
) -> Ended:
    """Runs a program to its end. Its output goes to a file, so that no pipe is waited for. Raises for another code.

    `meanwhile` is called while it runs. `peak` is never too small: the kernel lets a program start with the peak of the
    process that started it.
    """
    with tempfile.TemporaryFile(dir=folder) as output:
        started = time.time()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=dict(environment), cwd=folder
        )
        meanwhile()
        _, status, usage = os.wait4(process.pid, 0)
        ended = time.time()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode not in codes:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{text[-2000:]}")
    return Ended(
        started=started,
        ended=ended,
        code=process.returncode,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=usage.ru_maxrss * 1024,
        output=text,
    )
