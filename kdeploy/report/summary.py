"""The last words of a run, for the engineer who was woken by it: the verdict first, then what production runs now, then
the evidence, then the commands to look further. Pure.
"""

from __future__ import annotations

import shlex
from dataclasses import fields, replace

from kdeploy.model import SCALED_TO_0, CheckResult, Culprit, Outcome, Reason
from kdeploy.report.human import check_line
from kdeploy.report.value import Report, TargetReport, Timings
from kdeploy.report.wording import UNICODE, Marks, defused, duration, fenced, last_lines, plural, short
from kdeploy.text import one_line

CULPRITS = 3
EVENTS = 6
LOG_LINES = 20

_UNTOUCHED = "the workload was not touched"
_NOW: dict[Outcome, str] = {
    Outcome.USAGE: "nothing was touched",
    Outcome.BUILD_FAILED: "the cluster was not touched",
    Outcome.REFUSED: _UNTOUCHED,
    Outcome.ROLLED_BACK: "the previous version runs again, as good as before",
    Outcome.ROLLBACK_FAILED: "neither version is known to be healthy: this needs a person",
    Outcome.NOT_ROLLED_BACK: "the failed version was left in place",
    Outcome.SUPERSEDED: "somebody else's newer change is live; it was not touched",
    Outcome.INTERNAL: "unknown: this is a bug in kdeploy; look at the workload",
}
_NO_POD = frozenset({Reason.QUOTA_EXCEEDED, Reason.ADMISSION_DENIED})
"""No pod came to be: what is to be looked at is the workload."""
_BEFORE_ANY_CHANGE = frozenset({Outcome.USAGE, Outcome.BUILD_FAILED, Outcome.BUILT})


def summary(report: Report, marks: Marks = UNICODE, token: str | None = None) -> str:
    """The end of the output, some lines of plain text without the last line's end.

    With `token` (on GitHub: random, new for this run) hostile text stands between stop-commands lines.
    """
    head = _verdict(report, marks)
    body = [] if report.outcome.exit_code == 0 else _evidence(report, marks, token)
    warnings = [f"{marks.warning} warning: {one_line(text)}" for text in report.warnings]
    hint = [f"  next: {one_line(report.hint)}"] if report.hint else []
    look = [f"  look: {command}" for command in commands(report)]
    return "\n".join([*map(defused, head), *body, *map(defused, [*warnings, *hint, *look])])


def _verdict(report: Report, marks: Marks) -> list[str]:
    took = f"  {_timings(report.timings)}"
    if report.outcome.exit_code == 0:
        return [*(_good(report, entry, marks) for entry in report.deploys or (None,)), took]
    target = f" {where(report.deploys[0])}" if len(report.deploys) == 1 else ""
    first = f"{marks.bad} {report.outcome.value}{target}: {report.reason.value}: {one_line(report.message, 600)}"
    return [first, f"  now: {now(report)}", *([took] if report.deploys else [])]


def _good(report: Report, entry: TargetReport | None, marks: Marks) -> str:
    if entry is None or entry.outcome is Outcome.BUILT:
        return f"{marks.good} {report.outcome.value}: {one_line(report.message)}"
    if report.timings.rollout is None:  # a dry run, verify, rollback: the story's own sentence says more
        return f"{marks.good} {report.outcome.value} {where(entry)}: {one_line(report.message)}"
    image = short(entry.image.reference) if entry.image else ""
    revision = f"revision {one_line(entry.revision)}" if entry.revision else ""
    facts = ", ".join(filter(None, (image, revision, _verified(entry))))
    return f"{marks.good} {report.outcome.value} {where(entry)}: {facts}"


def _verified(entry: TargetReport) -> str:
    if entry.checks:
        return f"verified by {plural(len(entry.checks), 'check')}"
    if SCALED_TO_0 in entry.message:
        return f"{SCALED_TO_0}, so nothing was verified"
    return "complete and available; no check is configured, so nothing more was verified"


def now(report: Report) -> str:
    """What production is in now."""
    entry = report.deploys[0] if report.deploys else None
    if report.outcome is Outcome.ROLLED_BACK and entry is not None:
        image = f": {short(entry.rolled_back_to)}" if entry.rolled_back_to else ""
        revision = f", revision {one_line(entry.revision)}" if entry.revision else ""
        return f"{_now_rolled_back(entry)}{image}{revision}"
    if report.outcome is Outcome.ROLLBACK_FAILED and entry is not None and entry.rolled_back_to:
        return f"{short(entry.rolled_back_to)} was put back, and is not known to be healthy: this needs a person"
    if report.outcome is Outcome.INTERRUPTED:
        return _now_interrupted(report, entry)
    if report.outcome is Outcome.FAILED:
        return "nothing was changed by this command"
    return _NOW[report.outcome]


def _now_rolled_back(entry: TargetReport) -> str:
    """What was live just before may itself have failed, as a deploy that was killed leaves it: an older one is back."""
    before = entry.image.previous if entry.image else None
    if before and entry.rolled_back_to and entry.rolled_back_to != before:
        return "an older version, which was verified, runs again"
    return _NOW[Outcome.ROLLED_BACK]


def _now_interrupted(report: Report, entry: TargetReport | None) -> str:
    if entry is not None and entry.rolled_back_to:
        return f"{short(entry.rolled_back_to)} was put back; nobody waited for its rollout"
    is_patched = report.timings.detect is not None
    return "the new version was left rolling" if is_patched else _UNTOUCHED


def _evidence(report: Report, marks: Marks, token: str | None) -> list[str]:
    found = []
    for entry in report.deploys:
        shown = entry.culprits[:CULPRITS]
        for culprit in shown:
            found += _culprit(culprit, marks, token)
        if len(entry.culprits) > len(shown):
            found.append(f"  and {plural(len(entry.culprits) - len(shown), 'more pod')} like these")
        found += [defused(check_line(_as_told(check, report.message), marks)) for check in entry.checks]
    return found


def _as_told(check: CheckResult, verdict: str) -> CheckResult:
    """The check without its message where the verdict, a few lines above, has that."""
    return replace(check, message="") if check.message and check.message in verdict else check


def _culprit(culprit: Culprit, marks: Marks, token: str | None) -> list[str]:
    ended = f"exit code {culprit.exit_code}" if culprit.exit_code is not None else ""
    restarts = plural(culprit.restarts, "restart") if culprit.restarts else ""
    container = f"container {culprit.container}" if culprit.container else ""
    facts = ", ".join(filter(None, (one_line(culprit.reason), ended, restarts)))
    who = ", ".join(filter(None, (f"pod {culprit.pod}", container)))
    head = [f"  {one_line(who)}: {facts}"]
    message = one_line(culprit.message)
    if message and message not in facts:
        head.append(f"    {message}")
    events = [f"      {one_line(event)}" for event in culprit.events[-EVENTS:]]
    log = [f"      {marks.log} {line}" for line in last_lines(culprit.log_tail, LOG_LINES)]
    quoted = [*(["    events:", *events] if events else []), *(["    last log lines:", *log] if log else [])]
    return [*map(defused, head), *fenced(map(defused, quoted), token)]


def commands(report: Report) -> list[str]:
    """What to type next, ready to be pasted; none where the cluster has nothing to show."""
    if report.outcome.exit_code == 0 or report.outcome in _BEFORE_ANY_CHANGE or report.reason is Reason.NOT_FOUND:
        return []
    found: list[list[str]] = []
    for entry in report.deploys:
        kubectl = ["kubectl", "-n", entry.target.namespace]
        if entry.culprits and report.reason not in _NO_POD:
            found += _about_pod(kubectl, entry.culprits[0], gone=report.outcome is Outcome.ROLLED_BACK)
        else:
            found.append([*kubectl, "describe", str(entry.target)])
        found.append(["kdeploy", "history", str(entry.target), "-n", entry.target.namespace])
    return [shlex.join(one_line(part) for part in command) for command in found]


def _about_pod(kubectl: list[str], culprit: Culprit, *, gone: bool) -> list[list[str]]:
    if gone:  # the rollback ended it; its events outlive it by an hour
        return [[*kubectl, "events", "--for", f"pod/{culprit.pod}"]]
    described = [*kubectl, "describe", "pod", culprit.pod]
    started = culprit.container and (culprit.exit_code is not None or culprit.restarts or culprit.log_tail)
    if not started:
        return [described]
    previous = ["--previous"] if culprit.restarts else []
    return [[*kubectl, "logs", culprit.pod, "-c", culprit.container or "", *previous], described]


def _timings(timings: Timings) -> str:
    steps = ((part.name, getattr(timings, part.name)) for part in fields(timings) if part.name != "detect")
    return ", ".join(f"{name} {duration(seconds)}" for name, seconds in steps if seconds is not None)


def where(entry: TargetReport) -> str:
    """The target, and the cluster that it is in."""
    cluster = f" on {entry.cluster}" if entry.cluster else ""
    return one_line(f"{entry.target} in {entry.target.namespace}{cluster}")
