"""The sink of a step on GitHub: one annotation with the root cause on the log, the outputs and the job summary."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from kdeploy.events import Event
from kdeploy.model import Location
from kdeploy.report.files import if_written
from kdeploy.report.github.commands import command, error
from kdeploy.report.github.job_summary import job_summary
from kdeploy.report.github.outputs import file_text, outputs
from kdeploy.report.value import Report
from kdeploy.report.wording import last_lines
from kdeploy.text import one_line

_TITLES = {"GITHUB_OUTPUT": "the step's outputs", "GITHUB_STEP_SUMMARY": "the job summary"}
_LONGEST = 700
"""Characters of the message, so that the log's line fits beside it."""


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
        """Writes outputs and summary, each whatever becomes of the other, and annotates what failed."""
        problems = [
            self._append("GITHUB_OUTPUT", lambda: self._outputs(report)),
            self._append("GITHUB_STEP_SUMMARY", lambda: job_summary(report, self._env)),
        ]
        lines = [command("warning", one_line(text, 1000), title="kdeploy") for text in problems if text]
        if report.exit_code:
            title = f"kdeploy: {report.outcome.value}: {report.reason.value}"
            file, line = self._place(report.location)
            lines.append(error(_told(report), title=title, file=file, line=line))
        if lines:
            self._stream.write("".join(f"{self._redact(line)}\n" for line in lines))
            self._stream.flush()

    def _outputs(self, report: Report) -> str:
        return file_text(outputs(report, if_written(self._report)), os.urandom(16).hex())

    def _place(self, location: Location | None) -> tuple[str | None, int | None]:
        """The file as the runner wants it, from the workspace; nothing where it is none of the repository's."""
        workspace = Path(self._env.get("GITHUB_WORKSPACE") or ".").resolve()
        if location is None or not (file := Path(location.file).resolve()).is_relative_to(workspace):
            return None, None
        return str(file.relative_to(workspace)), location.line

    def _append(self, name: str, make: Callable[[], str]) -> str:
        """What went wrong, "" for nothing."""
        if not self._env.get(name):
            return ""
        try:
            with Path(self._env[name]).open("a", encoding="utf-8", errors="replace") as stream:
                stream.write(make())
        except Exception as problem:  # a full disk, or a bug: neither may cost the other file, nor go untold
            return f"{_TITLES[name]} could not be written to {name}: {type(problem).__name__}: {problem}"
        return ""

    def close(self) -> None:
        """Nothing is held."""


def _told(report: Report) -> str:
    """The message, and the last line of the log of what failed: often it says why, and the message only that."""
    logs = (culprit.log_tail for entry in report.deploys for culprit in entry.culprits)
    last = next((lines[0] for log in logs if (lines := last_lines(log, 1))), "")
    message = one_line(report.message, _LONGEST)
    return f"{message}; the last line of its log: {last}" if last and last not in message else message
