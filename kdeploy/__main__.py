"""The entry point of `kdeploy` and `python -m kdeploy`."""

from __future__ import annotations

import gc
import sys

OBJECTS = 100_000
"""More than all imports together make, for nearly all of it stays: to look through it for garbage took 7% of them."""


def main() -> None:
    """Runs the command line; answers a lone --version before anything costly is imported."""
    if sys.argv[1:] == ["--version"]:
        from kdeploy import __version__

        sys.stdout.write(f"kdeploy {__version__}\n")
        return
    gc.set_threshold(OBJECTS)
    _leave_at_a_signal()
    from kdeploy.cli.app import run

    run(sys.argv[1:])


def _leave_at_a_signal() -> None:
    """While it starts nothing is touched: a signal ends it with a word, and no traceback. kdeploy.signals comes later.

    Without a handler a process 1 in a container would not even hear SIGTERM.
    """
    import os
    import signal

    def leave(number: int, _: object) -> None:
        os.write(2, b"kdeploy: interrupted\n")
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)


if __name__ == "__main__":
    main()
