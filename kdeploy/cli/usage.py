"""The report of a command line that could not be understood."""

from __future__ import annotations

from kdeploy.clock import SystemClock
from kdeploy.model import Outcome, Reason
from kdeploy.report.encode import dumps, encode_report
from kdeploy.report.jsonl import report_line
from kdeploy.report.value import Report
from kdeploy.text import one_line


def usage_report(problem: str, output: str) -> str:
    """What `-o json` or `-o jsonl` print for it, with the line's end."""
    report = Report(
        outcome=Outcome.USAGE,
        exit_code=Outcome.USAGE.exit_code,
        reason=Reason.USAGE_ERROR,
        message=one_line(problem),
        hint="see kdeploy --help",
    )
    if output == "jsonl":
        return report_line(report, SystemClock().wall()) + "\n"
    return dumps(encode_report(report), indent=2) + "\n"
