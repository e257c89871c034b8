"""The demo's end: the table of its deploys, what the steady client got, and whether all was as told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdeploy.report.wording import Marks, duration, plural, short
from kdeploy.sandbox.demo.client import Tally
from kdeploy.sandbox.demo.commits import Commit, ending
from kdeploy.text import one_line

HEADINGS = ("", "COMMIT", "DIGEST", "OUTCOME", "VERDICT", "RESTORED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One deploy. `verdict` and `restored` are seconds from the patch, None where that did not come to be."""

    commit: str
    subject: str
    digest: str
    ended: str
    expected: str
    verdict: float | None
    restored: float | None

    @property
    def as_told(self) -> bool:
        """Whether it ended as it had to."""
        return self.ended == self.expected


def row_of(commit: Commit, sha: str, report: Mapping[str, Any] | None) -> Row:
    """The row of a deploy by its report (`--report`), None where it left none."""
    timings = (report or {}).get("timings") or {}
    deploys = (report or {}).get("deploys") or [{}]
    detect, rollback = timings.get("detect"), timings.get("rollback")
    return Row(
        commit=sha,
        subject=commit.subject,
        digest=str((deploys[0].get("image") or {}).get("digest") or ""),
        ended=ending(str(report.get("outcome")), str(report.get("reason"))) if report else "no report",
        expected=commit.expected,
        verdict=detect,
        restored=detect + rollback if detect is not None and rollback is not None else None,
    )


def table(rows: Sequence[Row], marks: Marks) -> str:
    """The rows below their headings, with a mark before each that says whether it ended as told."""
    cells = [HEADINGS, *(_cells(row, marks) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in cells
    )


def differences(rows: Sequence[Row], commits: Sequence[Commit], tally: Tally) -> list[str]:
    """What was not as told, a sentence each; empty where all was."""
    found = [
        f"commit {row.commit[:12]} ended {row.ended}, and had to end {row.expected}" for row in rows if not row.as_told
    ]
    if len(rows) < len(commits):
        found.append(f"only {plural(len(rows), 'commit')} of {len(commits)} came to be deployed")
    if tally.lost:
        why = ", ".join(f"{one_line(problem, 80)} ({count})" for problem, count in tally.problems.most_common(3))
        found.append(f"{plural(tally.lost, 'request')} of {tally.sent} lost: {why}")
    if not tally.sent:
        found.append("the steady client asked nothing")
    return found


def running_now(images: Iterable[str], ready: int, pods: int, rows: Sequence[Row]) -> str:
    """What runs: the commit whose image the pods have, and how many of them are ready."""
    found = sorted(images)
    row = next((row for row in rows if row.digest and found and found[0].endswith(row.digest)), None)
    what = f"commit {row.commit[:12]}" if row else short(found[0]) if found else "nothing"
    also = f", and {plural(len(found) - 1, 'other image')}" if len(found) > 1 else ""
    return f"{what}{also}, {ready} of {plural(pods, 'pod')} ready"


def client_lines(tally: Tally) -> list[str]:
    """What the steady client got: the count first, then who answered how often."""
    head = f"{tally.sent:,} requests, {tally.rate} a second, each by a new connection: {tally.lost} lost"
    width = len(f"{tally.answered:,}")
    return [head, *(f"{count:>{width},} x {one_line(body, 60)}" for body, count in tally.answers.most_common(4))]


def _cells(row: Row, marks: Marks) -> tuple[str, ...]:
    return (
        marks.good if row.as_told else marks.bad,
        row.commit[:12],
        row.digest.removeprefix("sha256:")[:12] or "-",
        one_line(row.ended),
        duration(row.verdict) if row.verdict is not None else "-",
        duration(row.restored) if row.restored is not None else "-",
    )
