"""Commands that end with an exit code and words on stderr, not with a report: the sandbox and the demo."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from kdeploy.errors import InterruptedBySignalError, KdeployError
from kdeploy.report.wording import marks_for
from kdeploy.signals import Signals
from kdeploy.text import one_line

INTERNAL = 70


def told(body: Callable[[Signals], int]) -> int:
    """Runs `body` and returns its exit code, or that of what it raises, which is said.

    SIGINT, SIGTERM and SIGHUP (the terminal has gone) raise InterruptedBySignalError in it.
    """
    try:
        with Signals() as signals:
            signal.signal(signal.SIGHUP, _hang_up)
            return signals.interruptible(lambda: body(signals))
    except InterruptedBySignalError as error:
        say("interrupted")
        return 128 + error.signal
    except KdeployError as error:
        bad = marks_for(sys.stderr.encoding).bad
        say(f"{bad} {error.outcome.value}: {error.reason.value}: {one_line(error.message, 600)}")
        if error.hint:
            say(f"  next: {one_line(error.hint)}")
        return error.outcome.exit_code
    except Exception:  # a bug: it must end in an exit code like everything else
        say("this is a bug in kdeploy:")
        say(traceback.format_exc())
        return INTERNAL


def say(text: str = "") -> None:
    """Words for people, if there is still somebody to read them."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def program() -> str:
    """How a shell finds this kdeploy: by its name, or by its path where PATH has none (`make demo`'s own folder)."""
    if shutil.which("kdeploy"):
        return "kdeploy"
    script = Path(sys.executable).with_name("kdeploy")
    return shlex.quote(str(script)) if script.is_file() else f"{shlex.quote(sys.executable)} -m kdeploy"


def quiet(signals: Signals) -> None:
    """From now on no signal disturbs."""
    signals.finish()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _hang_up(number: int, _: FrameType | None) -> None:
    raise InterruptedBySignalError(number)
