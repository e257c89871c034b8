"""Workflow commands: lines of a step's log that the runner obeys, "::name key=value::data". Pure.

The rules: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands; how the runner reads them:
github.com/actions/runner, src/Runner.Common/ActionCommand.cs.
"""

from __future__ import annotations

import base64

from kdeploy.report.redact import SHORTEST
from kdeploy.secret import Secret
from kdeploy.text import one_line

_DATA = {ord("%"): "%25", ord("\r"): "%0D", ord("\n"): "%0A"}
_PROPERTY = _DATA | {ord(":"): "%3A", ord(","): "%2C"}


def command(name: str, data: str = "", **properties: str | int | None) -> str:
    """One command line; what is None or "" among the properties is left out. Nothing in it can begin another one."""
    given = ",".join(
        f"{key}={str(value).translate(_PROPERTY)}" for key, value in properties.items() if value not in (None, "")
    )
    return f"::{name}{f' {given}' if given else ''}::{data.translate(_DATA)}"


def group(title: str) -> str:
    """Begins a part of the log that a person may fold. Groups do not nest; `ENDGROUP` ends it."""
    return command("group", one_line(title))


ENDGROUP = "::endgroup::"


def error(message: str, *, title: str, file: str | None = None, line: int | None = None) -> str:
    """An annotation of the run, and of the line of a file from the workspace where that is known."""
    return command("error", one_line(message, 1000), file=file, line=line, title=one_line(title))


def masks(secret: Secret) -> list[str]:
    """The commands that make the runner hide a secret in all that the job prints from here on.

    Line by line, since the runner masks line by line, and each line's and the whole's base64. They hold the secret in
    plain: only a stream that the runner itself reads may get them, and only while no fence is up.
    """
    whole = secret.reveal()
    lines = [line.strip() for line in whole.splitlines()]
    plain = [part for part in dict.fromkeys([*lines, whole.strip()]) if len(part) >= SHORTEST and "\n" not in part]
    encoded = [_base64(part) for part in dict.fromkeys([whole, whole.strip(), *plain]) if len(part) >= SHORTEST]
    return [command("add-mask", text) for text in dict.fromkeys([*plain, *encoded])]


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
