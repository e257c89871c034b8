"""The page that GitHub shows for the job, read as CommonMark reads it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from kdeploy.model import CheckResult, Outcome
from kdeploy.report.github.job_summary import job_summary, references
from kdeploy.report.github.outputs import LARGEST
from kdeploy.report.github.sink import StepSink
from kdeploy.report.redact import Redactor
from kdeploy.report.value import Report
from kdeploy.secret import Secret
from tests.unit.report.github.hostile import always, hostile_report
from tests.unit.report.github.runner import commands, read_file

HERE = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/web"}


def tokens(page: str) -> list[Token]:
    found: list[Token] = []
    for token in MarkdownIt("commonmark").enable("table").parse(page):
        found += [token, *(token.children or ())]
    return found


def texts_of(page: str, kind: str = "text") -> str:
    return "\n".join(unescape(token.content) for token in tokens(page) if token.type == kind)


def test_a_rollback_is_told_with_its_cause_and_what_to_do_next(failed_report: Report) -> None:
    page = job_summary(failed_report, HERE)
    entry, text, blocks = failed_report.deploys[0], texts_of(page), texts_of(page, "html_block")
    assert entry.image is not None
    assert text.startswith("✗ rolled-back")
    assert failed_report.message[:200] in text.replace("\n", " ")
    assert "the previous version runs again" in text
    assert entry.culprits[0].pod in blocks
    assert "kdeploy history" in blocks
    assert f"`{failed_report.hint}`".strip("`") in text


def test_a_good_deploy_has_no_root_cause_and_nothing_to_do(good_report: Report) -> None:
    page = job_summary(good_report, HERE)
    assert texts_of(page).startswith("✓ deployed")
    assert "Root cause" not in page
    assert "#### Next" not in page


def test_the_timeline_has_each_step_after_the_one_before_and_marks_what_failed(failed_report: Report) -> None:
    page = job_summary(failed_report, {})
    (fence,) = [token for token in tokens(page) if token.type == "fence"]
    assert fence.info == "mermaid"
    steps = re.findall(r"^    (\w+) \S+ :(crit, )?(\d+), (\d+)$", fence.content, re.M)
    assert [step[0] for step in steps] == [
        name for name in ("build", "push", "rollout", "verify", "rollback") if getattr(failed_report.timings, name)
    ]
    assert [step[2] for step in steps[1:]] == [step[3] for step in steps[:-1]]
    assert [step[0] for step in steps if step[1]] == [step[0] for step in steps if step[0] != "rollback"][-1:]


@pytest.mark.parametrize(
    ("env", "link"),
    [
        (HERE, "https://github.com/acme/web/compare/{before}...{commit}"),
        ({}, None),
        ({**HERE, "GITHUB_REPOSITORY": "a/b)](javascript:alert(1))"}, None),
        ({**HERE, "GITHUB_SERVER_URL": "javascript:alert(1)"}, None),
    ],
)
def test_what_came_since_the_version_before_is_linked_where_the_repository_is_known(
    good_report: Report, env: Mapping[str, str], link: str | None
) -> None:
    entry, before, commit = good_report.deploys[0], "a" * 40, "b" * 40
    assert entry.image is not None
    image = replace(entry.image, previous=f"ghcr.io/acme/web:{before}@sha256:{'0' * 64}")
    report = replace(good_report, commit=commit, deploys=(replace(entry, image=image),))
    found = [token.attrs["href"] for token in tokens(job_summary(report, env)) if token.type == "link_open"]
    assert found == ([link.format(before=before, commit=commit)] if link else [])
    assert f"{before[:12]}...{commit[:12]}" in unescape(job_summary(report, env))


def test_every_outcome_has_a_page_that_github_takes(failed_report: Report) -> None:
    huge = hostile_report(failed_report, always("<" * 100_000))
    entry = huge.deploys[0]
    many = replace(entry, checks=entry.checks * 200, culprits=entry.culprits * 50)
    huge = replace(huge, warnings=huge.warnings * 500, deploys=(many,))
    for outcome in Outcome:
        for deploys in ((), huge.deploys):
            report = replace(huge, outcome=outcome, exit_code=outcome.exit_code, deploys=deploys)
            assert 0 < len(job_summary(report, {}).encode()) < LARGEST


def test_what_is_left_out_of_a_long_page_is_counted_and_it_is_no_failed_check(failed_report: Report) -> None:
    bad = CheckResult(name="bad", passed=False, samples=3, failures=3, message="HTTP 500")
    good = replace(bad, name="fine", passed=True, failures=0)
    entry = replace(failed_report.deploys[0], checks=(*[good] * 40, bad))
    page = job_summary(replace(failed_report, warnings=("careful",) * 21, deploys=(entry,)), {})
    found = texts_of(page)
    assert (found.count("fine"), found.count("bad"), found.count("careful")) == (29, 1, 20)
    assert "and 11 more checks: the report has all" in found
    assert "and 1 more warning: the report has all" in found


def test_references_are_read_back_as_the_text_itself() -> None:
    for text in ("a<b>&c|d`e*f_g", "::error::x", "é✓ 1.5"):
        assert unescape(references(text)) == text


def test_no_two_steps_have_one_delimiter_and_it_cannot_be_guessed(failed_report: Report, tmp_path: Path) -> None:
    env = {"GITHUB_OUTPUT": str(tmp_path / "output")}
    for _ in range(2):
        StepSink(io.StringIO(), redact=Redactor(), env=env).finish(failed_report)
    found = re.findall(r"^outcome<<(.*)$", (tmp_path / "output").read_text(), re.M)
    assert len(set(found)) == 2
    assert [one for one in found if not re.fullmatch("[0-9a-f]{32}", one)] == []


def test_a_step_writes_its_outputs_and_its_page_where_the_runner_says(failed_report: Report, tmp_path: Path) -> None:
    output, page, log = tmp_path / "output", tmp_path / "summary", io.StringIO()
    page.write_text("of an earlier step\n")
    env = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(page)}
    StepSink(log, redact=Redactor(), env=env).finish(failed_report)
    assert read_file(output.read_text())["outcome"] == "rolled-back"
    assert page.read_text() == "of an earlier step\n" + job_summary(failed_report, {})
    assert [each.name for each in commands(log.getvalue())] == ["error"]
    StepSink(log, redact=Redactor(), env={}).finish(failed_report)  # a runner that gave no files


@pytest.mark.parametrize("bad", ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"])
def test_a_file_of_the_runner_that_cannot_be_written_costs_no_other_and_is_told(
    good_report: Report, failed_report: Report, tmp_path: Path, bad: str
) -> None:
    files = {name: tmp_path / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    env = {name: str(path) for name, path in files.items()} | {bad: str(tmp_path / "nowhere/at-all")}
    for report, names in ((good_report, ["warning"]), (failed_report, ["warning", "error"])):
        log = io.StringIO()
        StepSink(log, redact=Redactor(), env=env).finish(report)
        told = commands(log.getvalue())
        assert [each.name for each in told] == names
        assert f"could not be written to {bad}: FileNotFoundError" in told[0].data
        assert [name for name, path in files.items() if path.exists()] == [name for name in files if name != bad]


def annotation(report: Report, redactor: Redactor | None = None) -> str:
    log = io.StringIO()
    StepSink(log, redact=redactor or Redactor(), env={}).finish(report)
    (found,) = commands(log.getvalue())
    return found.data


def with_log(report: Report, log: str, message: str = "it crashed") -> Report:
    (entry,) = report.deploys
    culprits = (replace(entry.culprits[0], log_tail=""), replace(entry.culprits[0], log_tail=log))
    return replace(report, message=message, deploys=(replace(entry, culprits=culprits),))


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (
            "Traceback:\n\nConnectionError: db:5432\n\n",
            "it crashed; the last line of its log: ConnectionError: db:5432",
        ),
        ("::set-output name=a::b\n", "it crashed; the last line of its log: ::set-output name=a::b"),
        ("50% of\r\x1b[31mit\n", "it crashed; the last line of its log: 50% ofit"),
        ("", "it crashed"),
        ("hm: it crashed\nit crashed", "it crashed"),
    ],
)
def test_the_annotation_of_a_crash_has_the_last_line_of_the_log(failed_report: Report, log: str, told: str) -> None:
    assert annotation(with_log(failed_report, log)) == told


def test_the_line_of_the_log_has_room_beside_a_long_message_and_no_secret_in_it(failed_report: Report) -> None:
    redactor = Redactor()
    redactor.add(Secret("s3cret-token"))
    told = annotation(with_log(failed_report, "login with s3cret-token\n" + "x" * 5000 + "end", "m" * 5000), redactor)
    assert told.startswith("m" * 600)
    assert "the last line of its log: xxx" in told
    assert len(told) <= 1000
    assert annotation(with_log(failed_report, "login with s3cret-token"), redactor).endswith("login with ***")
