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
    from kdeploy.signals import leave_early

    leave_early()
    from kdeploy.cli.app import run

    run(sys.argv[1:])


if __name__ == "__main__":
    main()
