"""The sink of a step on GitHub: one annotation with the root cause on the log, the outputs and the job summary."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from kdeploy.events import Event
from kdeploy.model import Location
from kdeploy.report.files import if_written
from kdeploy.report.github.commands import error
from kdeploy.report.github.job_summary import job_summary
from kdeploy.report.github.outputs import file_text, outputs
from kdeploy.report.value import Report


class StepSink:
    """Implements `sinks.Sink`. It comes after the sink that shows the summary on the same stream: no fence is up then.

    `env` names the files of the runner, GITHUB_OUTPUT and GITHUB_STEP_SUMMARY. `report`: where --report writes, ""
    for nowhere.
    """

    title = "GitHub"

    def __init__(
        self, stream: TextIO, *, redact: Callable[[str], str], env: Mapping[str, str], report: str = ""
    ) -> None:
        self._stream, self._redact, self._env, self._report = stream, redact, env, report

    def emit(self, event: Event) -> None:
        """Nothing: the log has it."""

    def finish(self, report: Report) -> None:
        """Annotates what failed, and writes outputs and summary. Raises OSError where their files cannot be written."""
        if report.exit_code:
            title = f"kdeploy: {report.outcome.value}: {report.reason.value}"
            file, line = self._place(report.location)
            self._stream.write(self._redact(error(report.message, title=title, file=file, line=line)) + "\n")
            self._stream.flush()
        self._append("GITHUB_OUTPUT", file_text(outputs(report, if_written(self._report)), os.urandom(16).hex()))
        self._append("GITHUB_STEP_SUMMARY", job_summary(report, self._env))

    def _place(self, location: Location | None) -> tuple[str | None, int | None]:
        """The file as the runner wants it, from the workspace; nothing where it is none of the repository's."""
        workspace = Path(self._env.get("GITHUB_WORKSPACE") or ".").resolve()
        if location is None or not (file := Path(location.file).resolve()).is_relative_to(workspace):
            return None, None
        return str(file.relative_to(workspace)), location.line

    def _append(self, name: str, text: str) -> None:
        if self._env.get(name):
            with Path(self._env[name]).open("a", encoding="utf-8", errors="replace") as stream:
                stream.write(text)

    def close(self) -> None:
        """Nothing is held."""
