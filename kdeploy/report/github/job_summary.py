"""The job summary: a report as the Markdown page that GitHub shows for the job. Pure.

Whatever is printed becomes character references, but for letters, digits and blanks: pods, registries and logs may say
what they like, and none of it is Markdown, HTML, a link or a mention. (CommonMark 0.31, 2.5: a reference stands for no
structure.) GitHub takes 1 MiB of it a step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kdeploy.model import CheckResult, Culprit
from kdeploy.reference import commit_of_tag
from kdeploy.report.steps import steps
from kdeploy.report.summary import CULPRITS, EVENTS, LOG_LINES, commands, now, where
from kdeploy.report.value import Report, TargetReport
from kdeploy.report.wording import duration, last_lines, plural, short
from kdeploy.text import one_line

TEMPLATE = Path(__file__).with_name("summary.md.j2")
CHECKS = 30
WARNINGS = 20
"""How many of them the page shows: more would nobody read, and each character may take nine bytes of the 1 MiB."""

_PLAIN = re.compile(r"[A-Za-z0-9 \n]")
_SERVER = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]+)?")
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of the timeline, in whole milliseconds."""

    name: str
    took: str
    begin: int
    end: int
    failed: bool


def job_summary(report: Report, env: Mapping[str, str]) -> str:
    """The page. `env` names the repository (GITHUB_SERVER_URL, GITHUB_REPOSITORY), for links to commits."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    page = SandboxedEnvironment(
        undefined=StrictUndefined, finalize=_finalized, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    entry = report.deploys[0] if report.deploys else None
    good = report.outcome.exit_code == 0
    checks = sorted(map(_check, entry.checks if entry else ()), key=lambda check: check.passed)
    return page.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        mark="✓" if good else "✗",
        outcome=report.outcome.value,
        where=where(entry) if entry else "",
        sentence=f"{report.reason.value}: {one_line(report.message, 1000)}",
        facts=list(_facts(report, entry, env)),
        timeline=list(_timeline(report)),
        culprits=[_culprit(culprit) for culprit in (entry.culprits[:CULPRITS] if entry else ())],
        checks=checks[:CHECKS],
        more_checks=_more(checks, CHECKS, "check"),
        warnings=[one_line(text, 1000) for text in report.warnings[:WARNINGS]],
        more_warnings=_more(report.warnings, WARNINGS, "warning"),
        hint=one_line(report.hint, 1000),
        commands=commands(report),
    )


class _Ours(str):
    """Text of our own making, which is printed as it is."""

    __slots__ = ()


def _finalized(value: object) -> str:
    return value if isinstance(value, _Ours) else references(str(value))


def references(text: str) -> str:
    """`text` with every character that may mean something as a numeric character reference."""
    return "".join(one if _PLAIN.match(one) else f"&#{ord(one)};" for one in text)


def _facts(report: Report, entry: TargetReport | None, env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if report.outcome.exit_code:
        yield "Now", now(report)
    image = entry.image if entry else None
    if image:
        yield "Image", _code(image.reference)
        if image.previous:
            yield "Before", _code(image.previous)
        yield from _commits(report.commit, image.previous, env)
    elif report.commit:
        yield "Commit", _code(report.commit)
    if entry and entry.rolled_back_to:
        yield "Rolled back to", _code(entry.rolled_back_to)
    if entry and entry.revision:
        yield "Revision", one_line(entry.revision)
    if entry and entry.url:
        yield "URL", one_line(entry.url)
    yield "Took", duration(report.timings.total)


def _commits(commit: str | None, previous: str | None, env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The commit, or what came since the one before, whose name its tag has; linked where the repository is known."""
    if commit is None:
        return
    before = commit_of_tag(previous or "")
    has_moved = before and before != commit
    span = f"{before[:12]}...{commit[:12]}" if before and has_moved else commit[:12]
    server, repository = env.get("GITHUB_SERVER_URL", ""), env.get("GITHUB_REPOSITORY", "")
    known = _SERVER.fullmatch(server) and _REPOSITORY.fullmatch(repository) and re.fullmatch("[0-9a-f]{40}", commit)
    if not known:
        yield "Commits", _code(span)
        return
    path = f"compare/{before}...{commit}" if has_moved else f"commit/{commit}"
    yield "Commits", _Ours(f"[{references(span)}]({server}/{repository}/{path})")


def _code(text: str) -> _Ours:
    return _Ours(f"<code>{references(short(text))}</code>")


def _timeline(report: Report) -> Iterator[Bar]:
    begin = 0
    for step in steps(report):
        end = begin + round(1000 * step.seconds)
        yield Bar(name=_Ours(step.name), took=_Ours(duration(step.seconds)), begin=begin, end=end, failed=step.failed)
        begin = end


def _check(check: CheckResult) -> CheckResult:
    return replace(check, name=one_line(check.name), message=one_line(check.message))


def _more(found: Sequence[object], shown: int, what: str) -> str:
    return f"and {plural(len(found) - shown, f'more {what}')}: the report has all" if len(found) > shown else ""


def _culprit(culprit: Culprit) -> dict[str, Any]:
    container = f", container {culprit.container}" if culprit.container else ""
    ended = f"exit code {culprit.exit_code}" if culprit.exit_code is not None else ""
    restarts = plural(culprit.restarts, "restart") if culprit.restarts else ""
    events = [one_line(event) for event in culprit.events[-EVENTS:]]
    lines = [one_line(culprit.message, 1000), *events, *last_lines(culprit.log_tail, LOG_LINES)]
    return {
        "who": one_line(f"pod {culprit.pod}{container}"),
        "facts": ", ".join(filter(None, (one_line(culprit.reason), ended, restarts))),
        "text": "\n".join(line for line in lines if line),
    }
