"""`-o jsonl`: one JSON object a line, {"v": 1, "at": RFC 3339 time, "type": ..., ...}; the report is the last."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kdeploy.events import Event
from kdeploy.report.encode import dumps, encode_fields, encode_report
from kdeploy.report.value import Report

VERSION = 1


def line(event: Event, at: datetime) -> str:
    """`event` as one line of JSON, without the line's end. `at` must be aware."""
    return _line(event.type, at, encode_fields(event))


def report_line(report: Report, at: datetime) -> str:
    """The last line of a stream: type "report", with the whole report under "report"."""
    return _line("report", at, {"report": encode_report(report)})


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: "2025-01-31T12:00:00.000Z"."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _line(kind: str, at: datetime, body: dict[str, Any]) -> str:
    return dumps({"v": VERSION, "at": timestamp(at), "type": kind, **body})
