from __future__ import annotations

from typing import Any

from kdeploy.cli.listing import table
from kdeploy.rollout.history import RevisionRow


def row(**given: Any) -> RevisionRow:
    unknown: dict[str, Any] = {"commit": None, "digest": None, "actor": None, "run_url": None}
    return RevisionRow(**(unknown | {"verified": False, "live": False, "created": "", "images": ()} | given))


def test_the_table_is_aligned_and_cuts_hashes() -> None:
    rows = [
        row(
            revision=12,
            commit="0123456789abcdef",
            digest="sha256:fedcba9876543210",
            verified=True,
            live=True,
            pods=3,
            ready=2,
            actor="jo",
        ),
        row(revision=9),
    ]
    assert table(rows).splitlines() == [
        "REVISION  COMMIT        DIGEST        VERIFIED  LIVE  PODS  CREATED  BY  RUN",
        "12        0123456789ab  fedcba987654  yes       yes   2/3   -        jo  -",
        "9         -             -             no        -     -     -        -   -",
    ]


def test_an_annotation_cannot_break_the_table() -> None:
    assert len(table([row(revision=1, actor="a\nb\x1b[2J", run_url="x\r\ny")]).splitlines()) == 2
