"""The work of `kdeploy demo`."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from kdeploy.cli.plain import program, quiet
from kdeploy.errors import RefusedError
from kdeploy.model import Reason
from kdeploy.report.renderer import wants_live
from kdeploy.report.wording import marks_for
from kdeploy.sandbox.demo.screen import Screen
from kdeploy.sandbox.demo.story import tell
from kdeploy.sandbox.state import Folder, default_folder
from kdeploy.signals import Signals


def demonstrate(signals: Signals, *, keep: bool, simulated: bool) -> int:
    """Runs the demo on this terminal."""
    folder = Folder(default_folder(os.environ)) if keep else None
    if folder is not None and folder.read() is not None:
        raise RefusedError(
            f"a sandbox runs in {folder.path} already",
            hint=f"stop it first: {program()} sandbox down; or leave --keep out",
            reason=Reason.CONFLICT,
        )
    screen = Screen(
        out=sys.stdout,
        err=sys.stderr,
        marks=marks_for(sys.stdout.encoding),
        colour=_takes_colour,
        kdeploy=program(),
    )
    return tell(os.environ, screen, folder, lambda: quiet(signals), simulated=simulated)


def _takes_colour(stream: TextIO) -> bool:
    return wants_live(tty=stream.isatty(), env=os.environ)
