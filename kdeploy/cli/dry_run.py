"""What `kdeploy deploy --dry-run` prints: the patch, as `kubectl patch --type=json --patch-file` would take it."""

from __future__ import annotations

from kdeploy.report.encode import dumps, encode_value
from kdeploy.report.value import Report


def patch_text(report: Report) -> str:
    """The changes of a dry run as JSON; "" for any other report."""
    return "".join(
        dumps(encode_value(entry.patch), indent=2) + "\n" for entry in report.deploys if entry.patch is not None
    )
