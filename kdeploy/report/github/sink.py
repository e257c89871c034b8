"""The sink of a step on GitHub: one annotation with the root cause on the log, and the outputs in their file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from kdeploy.events import Event
from kdeploy.report.github.commands import error
from kdeploy.report.github.outputs import file_text, outputs
from kdeploy.report.value import Report


class StepSink:
    """Implements `sinks.Sink`. It comes after the sink that shows the summary on the same stream: no fence is up then.

    `file`: GITHUB_OUTPUT, None where the runner gave none. `report`: where --report writes, "" for nowhere.
    """

    title = "GitHub"

    def __init__(self, stream: TextIO, *, redact: Callable[[str], str], file: Path | None, report: str = "") -> None:
        self._stream, self._redact, self._file, self._report = stream, redact, file, report

    def emit(self, event: Event) -> None:
        """Nothing: the log has it."""

    def finish(self, report: Report) -> None:
        """Annotates what failed, and writes every output. Raises OSError where their file cannot be written."""
        if report.exit_code:
            title = f"kdeploy: {report.outcome.value}: {report.reason.value}"
            self._stream.write(self._redact(error(report.message, title=title)) + "\n")
            self._stream.flush()
        if self._file is not None:
            text = file_text(outputs(report, self._report), os.urandom(16).hex())
            with self._file.open("a", encoding="utf-8", errors="replace") as stream:
                stream.write(text)

    def close(self) -> None:
        """Nothing is held."""
