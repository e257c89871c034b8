"""What a step on GitHub leaves, however it ended: every output, one annotation where it failed, a page."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from kdeploy.model import Outcome
from kdeploy.report.github.outputs import OUTPUTS
from kdeploy.report.github.sink import StepSink
from kdeploy.report.redact import Redactor
from kdeploy.report.value import Report
from tests.unit.report.github.hostile import always, hostile_report
from tests.unit.report.github.runner import commands, read_file

OF_A_TARGET = ("image", "digest", "previous-image", "revision", "rolled-back-to", "url")


@pytest.mark.parametrize("known", [True, False], ids=["of a target", "of none"])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_output_is_written_for_every_outcome(
    failed_report: Report, tmp_path: Path, outcome: Outcome, known: bool
) -> None:
    full = hostile_report(failed_report, always("plain"))
    entries = (replace(full.deploys[0], outcome=outcome),) if known else ()
    report = replace(full, outcome=outcome, exit_code=outcome.exit_code, deploys=entries)
    output, page, log = tmp_path / "output", tmp_path / "page", io.StringIO()
    env = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(page)}
    file = tmp_path / "report.json"
    file.touch()
    StepSink(log, redact=Redactor(), env=env, report=str(file)).finish(report)

    written = read_file(output.read_text())
    assert list(written) == list(OUTPUTS)
    assert len(OUTPUTS) == 11
    assert (written["outcome"], written["reason"], written["report"]) == (outcome.value, "CrashLoop", str(file))
    assert (written["duration-seconds"], written["time-to-verdict-seconds"]) == ("66.000", "51.000")
    assert {written[name] for name in OF_A_TARGET} == {"plain" if known else ""}
    assert [each.name for each in commands(log.getvalue())] == (["error"] if outcome.exit_code else [])
    assert outcome.value in page.read_text().replace("&#45;", "-")
