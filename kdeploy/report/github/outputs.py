"""The outputs of the action, and the text of the file by which the runner takes them. Pure.

How the runner reads the file: github.com/actions/runner, src/Runner.Worker/FileCommandManager.cs.
"""

from __future__ import annotations

from collections.abc import Mapping

from kdeploy.report.value import Report
from kdeploy.text import one_line

LARGEST = 1024 * 1024
"""Bytes that GitHub takes of a step's outputs, and of its summary."""

_LONGEST = 4096
"""Characters of one output."""

OUTPUTS: Mapping[str, str] = {
    "outcome": "How it ended: deployed, unchanged, rolled-back, build-failed and so on; see the exit codes.",
    "reason": "Why, as one stable word: Complete, CrashLoop, Unhealthy and so on.",
    "image": "The image that was deployed, or restored by hand, with its digest.",
    "digest": "That image's digest.",
    "previous-image": "The image that ran before.",
    "revision": "The number of the revision that is live now.",
    "rolled-back-to": "The image that was put back; empty where nothing was.",
    "url": "The environment's address in kdeploy.yaml.",
    "duration-seconds": "How long all of it took.",
    "time-to-verdict-seconds": "From the patch to the verdict; empty where nothing was patched.",
    "report": "The file with the report as JSON, from the workspace; empty where it could not be written.",
}
"""Every output and what it says. All are written whatever the outcome; what is not known is empty."""


def outputs(report: Report, file: str = "") -> dict[str, str]:
    """The value of each output. `file`: where the report was written, "" where it was not."""
    entry = report.deploys[0] if report.deploys else None
    image = entry.image if entry else None
    values: dict[str, str | float | None] = {
        "outcome": report.outcome.value,
        "reason": report.reason.value,
        "image": image.reference if image else None,
        "digest": image.digest if image else None,
        "previous-image": image.previous if image else None,
        "revision": entry.revision if entry else None,
        "rolled-back-to": entry.rolled_back_to if entry else None,
        "url": entry.url if entry else None,
        "duration-seconds": report.timings.total,
        "time-to-verdict-seconds": report.timings.detect,
        "report": file,
    }
    return {name: _text(values[name]) for name in OUTPUTS}


def file_text(values: Mapping[str, str], delimiter: str) -> str:
    """What to append to GITHUB_OUTPUT. `delimiter` must be random and new: whoever knows it could forge an output.

    Raises ValueError for a value that holds the delimiter, and for more than `LARGEST` bytes.
    """
    for name, value in values.items():
        if delimiter in name or delimiter in value:
            raise ValueError(f"the output {name} holds the delimiter")
    text = "".join(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in values.items())
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise ValueError("the outputs are larger than GitHub takes")
    return text


def _text(value: str | float | None) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return one_line(value or "", _LONGEST) if isinstance(value, str) else ""
