"""One check of `kdeploy doctor`, and how all of them are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdeploy.errors import KdeployError
from kdeploy.model import Obj
from kdeploy.report.wording import Marks
from kdeploy.text import clean, one_line

SCHEMA = "kdeploy.doctor/v1"
REFUSED = 4
"""The exit code where something would refuse a deploy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was found. `passed`: None where it is only a warning, or could not be asked.

    `hint` says what to do; it may have several lines.
    """

    name: str
    passed: bool | None
    message: str
    hint: str = ""


def good(name: str, message: str) -> Check:
    """It is as it has to be."""
    return Check(name=name, passed=True, message=message)


def bad(name: str, error: KdeployError) -> Check:
    """A deploy would end with this error."""
    return Check(name=name, passed=False, message=error.message, hint=error.hint)


def warning(name: str, message: str, hint: str = "") -> Check:
    """A deploy goes on all the same."""
    return Check(name=name, passed=None, message=message, hint=hint)


def not_asked(name: str, why: str) -> Check:
    """Something before it is missing."""
    return Check(name=name, passed=None, message=f"not asked: {why}")


def passed(checks: Sequence[Check]) -> bool:
    """Whether nothing would refuse a deploy."""
    return all(check.passed is not False for check in checks)


def document(checks: Sequence[Check]) -> Obj:
    """The checks as JSON."""
    return {
        "schema": SCHEMA,
        "passed": passed(checks),
        "checks": [
            {
                "name": check.name,
                "passed": check.passed,
                "message": one_line(check.message, 600),
                "hint": clean(check.hint),
            }
            for check in checks
        ],
    }


def text(checks: Sequence[Check], marks: Marks, *, only_problems: bool = False) -> str:
    """The checks for a person, a line each, and below it what to do; then what all of it comes to."""
    width = max((len(check.name) for check in checks), default=0)
    lines: list[str] = []
    for check in checks:
        if only_problems and check.passed:
            continue
        mark = {True: marks.good, False: marks.bad, None: marks.warning}[check.passed]
        lines.append(f"{mark} {check.name.ljust(width)}  {one_line(check.message, 600)}")
        lines += [f"  {' ' * width}  {line}" for line in map(one_line, check.hint.splitlines()) if line]
    return "".join(f"{line}\n" for line in [*lines, _end(checks, marks)])


def _end(checks: Sequence[Check], marks: Marks) -> str:
    failed = [check.name for check in checks if check.passed is False]
    warned = sum(check.passed is None for check in checks)
    if failed:
        return f"{marks.bad} a deploy would be refused: {', '.join(failed)}"
    return f"{marks.good} a deploy can go ahead{f', with {warned} of {len(checks)} to look at' if warned else ''}"
