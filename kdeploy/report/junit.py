"""The report as JUnit XML, which GitLab, Jenkins and others show as a page of tests. Pure.

A test suite a target, a test case a step and a check. The form: https://github.com/testmoapp/junitxml; what GitLab
reads of it: https://docs.gitlab.com/ci/testing/unit_test_reports.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from kdeploy.model import CheckResult, Culprit
from kdeploy.report.human import check_line
from kdeploy.report.steps import Step, steps
from kdeploy.report.summary import CULPRITS, EVENTS, LOG_LINES, now
from kdeploy.report.value import Report, TargetReport
from kdeploy.report.wording import last_lines
from kdeploy.text import clean, one_line

_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document may hold, not even as a reference (XML 1.0, 2.2)."""


def junit(report: Report) -> str:
    """The document. A run that failed in no step (refused, bad usage) has one failed case, "preflight"."""
    entry = report.deploys[0] if report.deploys else None
    name = f"{entry.target} in {entry.target.namespace}" if entry else "kdeploy"
    suite = Element("testsuite", name=_xml(name))
    where = f"kdeploy.{entry.target}" if entry else "kdeploy"
    for step in _cases(report):
        case = _case(suite, where, step.name, step.seconds)
        if step.failed:
            _fail(case, report.reason.value, report.message, _story(report, entry))
    for check in entry.checks if entry else ():
        case = _case(suite, where, f"check {check.name}", None)
        if not check.passed:
            _fail(case, report.reason.value, check.message, _samples(check))
    return _document(suite, report)


def _document(suite: Element, report: Report) -> str:
    cases = suite.findall("testcase")
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
        "skipped": "0",
        "time": f"{report.timings.total:.3f}",
    }
    suite.attrib.update(counts)
    root = Element("testsuites", {"name": "kdeploy", **counts})
    root.append(suite)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _cases(report: Report) -> tuple[Step, ...]:
    found = steps(report)
    if report.outcome.exit_code and not any(step.failed for step in found):
        return (Step(name="preflight", seconds=0.0, failed=True), *found)
    return found or (Step(name="preflight", seconds=report.timings.total, failed=False),)


def _case(suite: Element, where: str, name: str, seconds: float | None) -> Element:
    took = {} if seconds is None else {"time": f"{seconds:.3f}"}
    return SubElement(suite, "testcase", {"classname": _xml(where), "name": _xml(name), **took})


def _fail(case: Element, reason: str, message: str, text: str) -> None:
    SubElement(case, "failure", {"type": reason, "message": _xml(one_line(message, 1000))}).text = _xml(text)


def _story(report: Report, entry: TargetReport | None) -> str:
    shown = [line for culprit in (entry.culprits[:CULPRITS] if entry else ()) for line in _culprit(culprit)]
    hint = [f"next: {one_line(report.hint)}"] if report.hint else []
    return "\n".join([f"{report.reason.value}: {one_line(report.message, 1000)}", f"now: {now(report)}", *shown, *hint])


def _culprit(culprit: Culprit) -> list[str]:
    who = ", container ".join(filter(None, (culprit.pod, culprit.container)))
    lines = [f"pod {who}: {culprit.reason}: {culprit.message}", *culprit.events[-EVENTS:]]
    return [*(one_line(line, 1000) for line in lines), *last_lines(culprit.log_tail, LOG_LINES)]


def _samples(check: CheckResult) -> str:
    return check_line(check).strip()


def _xml(text: str) -> str:
    return _NO_XML.sub("", clean(text, len(text) + 1))
