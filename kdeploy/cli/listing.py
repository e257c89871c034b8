"""The work of `kdeploy history`: a table of revisions."""

from __future__ import annotations

from collections.abc import Sequence

from kdeploy.cli.run import Result, Session
from kdeploy.cli.wiring import load_settings, reach
from kdeploy.report.encode import encode_fields
from kdeploy.rollout.history import RevisionRow, history_of
from kdeploy.text import one_line

READ_TIMEOUT = 30.0
HEADINGS = ("REVISION", "COMMIT", "DIGEST", "VERIFIED", "LIVE", "PODS", "CREATED", "BY", "RUN")


def history_result(session: Session) -> Result:
    """The workload's revisions, newest first, as a table and as JSON."""
    settings = load_settings(session)
    there = reach(session, settings, settings.limits.timeout)
    rows = history_of(there.cluster.open(there.target, session.clock.now() + READ_TIMEOUT))
    document = {
        "schema": "kdeploy.history/v1",
        "target": encode_fields(there.target),
        "revisions": [encode_fields(row) for row in rows],
    }
    return Result(exit_code=0, text=table(rows), document=document)


def table(rows: Sequence[RevisionRow]) -> str:
    """The rows below their headings, aligned; commits and digests cut to what tells them apart."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in cells
    )


def _cells(row: RevisionRow) -> tuple[str, ...]:
    digest = (row.digest or "").removeprefix("sha256:")
    texts = (
        str(row.revision),
        (row.commit or "")[:12],
        digest[:12],
        "yes" if row.verified else "no",
        "yes" if row.live else "",
        f"{row.ready}/{row.pods}" if row.pods else "",
        row.created,
        row.actor or "",
        row.run_url or "",
    )
    return tuple(one_line(text) or "-" for text in texts)
