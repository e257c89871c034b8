"""Ten thousand hostile texts, each in every field that somebody else may write: not one command, output or link."""

from __future__ import annotations

import io
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from kdeploy.events import Event, Phase
from kdeploy.report.folding import GITHUB
from kdeploy.report.github import sink as step
from kdeploy.report.github.job_summary import job_summary
from kdeploy.report.github.outputs import OUTPUTS, file_text, outputs
from kdeploy.report.redact import Redactor
from kdeploy.report.sinks import PlainSink, shows_at
from kdeploy.report.value import Report
from tests.unit.report.github.hostile import always, hostile_events, hostile_report, leaves, texts
from tests.unit.report.github.runner import commands, read_file
from tests.unit.report.github.test_job_summary import tokens

HOSTILE = texts(10_000)
TOKEN = "0123456789abcdef"
PHASES = tuple(Phase)
OURS = {"<code>", "</code>"}


def test_no_field_and_no_event_is_left_out(failed_report: Report) -> None:
    report, events = hostile_report(failed_report, always("x")), hostile_events(Phase.BUILD, always("x"))
    assert {type(event) for event in events} == set(get_args(Event))
    left = [(path, value) for path, value in leaves([report, *events]) if value in (None, "", (), [])]
    assert [path for path, _ in left if ".timings." not in path] == []
    plain = {str(value) for _, value in leaves([report, *events]) if type(value) is str}
    assert plain == {"x"}


def test_no_text_in_an_event_or_a_report_gives_a_command(failed_report: Report, clock: Any) -> None:
    redactor = Redactor()
    for number, text in enumerate(HOSTILE):
        stream, phase = io.StringIO(), PHASES[number % len(PHASES)]
        sink = PlainSink(stream, clock=clock, redact=redactor, shows=shows_at(1), token=TOKEN, folding=GITHUB)
        take = always(redactor.scrub(text))  # as the renderer has it
        for event in hostile_events(phase, take):
            sink.emit(event)
        sink.finish(hostile_report(failed_report, take))
        found = [each for each in commands(stream.getvalue()) if (each.name, each.data) != ("stop-commands", TOKEN)]
        assert [each.name for each in found] == ["group", "endgroup"], repr(text)
        assert found[0].data.startswith(phase.value), repr(text)


def test_no_text_forges_an_output(failed_report: Report) -> None:
    for text in HOSTILE:
        values = outputs(hostile_report(failed_report, always(text)), text)
        assert list(values) == list(OUTPUTS)
        read = read_file(file_text(values, os.urandom(16).hex()))
        assert read == values
        assert (read["outcome"], read["reason"]) == ("rolled-back", "CrashLoop")


def test_a_step_gives_one_annotation_and_its_own_outputs(
    failed_report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page apart: it takes ten times as long as the rest, and has a test of its own."""
    monkeypatch.setattr(step, "job_summary", lambda *_: "")
    output = tmp_path / "output"
    env = {"GITHUB_OUTPUT": str(output), "GITHUB_WORKSPACE": str(tmp_path)}
    monkeypatch.chdir(tmp_path)
    redactor, files = Redactor(), set()
    for text in HOSTILE:
        log = io.StringIO()
        output.unlink(missing_ok=True)
        report = hostile_report(failed_report, always(redactor.scrub(text)))
        step.StepSink(log, redact=redactor, env=env, report=text).finish(report)
        (annotation,) = commands(log.getvalue())
        assert (annotation.name, annotation.properties["title"]) == ("error", "kdeploy: rolled-back: CrashLoop")
        assert set(annotation.properties) <= {"file", "line", "title"}
        files.add(annotation.properties.get("file"))
        read = read_file(output.read_text())
        assert list(read) == list(OUTPUTS)
        assert (read["outcome"], read["reason"]) == ("rolled-back", "CrashLoop")
    assert len(files) > 1000


def page_of(report: Report) -> str:
    """The page, after a look at what it is made of."""
    page = job_summary(report, {})
    found = tokens(page)
    assert {token.content for token in found if token.type == "html_inline"} <= OURS
    for block in (token.content for token in found if token.type == "html_block"):
        assert set(re.findall(r"<[^>]*>?", block)) <= {
            "<details>", "</details>", "<summary>", "</summary>", "<pre>", "</pre>",
        }  # fmt: skip
    assert [token.content for token in found if token.type == "heading_open"].count("") == 5
    assert "@" not in page
    assert "http" not in re.sub(r"https?(?=&#58;)", "", page)
    return page


EXTRA = ["</pre></details><script>x", "[a](b)", "|a|b|", "```\n# x", "https://x.example @acme/team", "<img src=x>"]


def test_no_text_is_markdown_html_a_link_or_a_mention(failed_report: Report) -> None:
    """Some of them in all fields of a page, and all of them, each page with other ones in its fields."""
    usual = {token.type for token in tokens(job_summary(hostile_report(failed_report, always("plain")), {}))}
    for text in [*HOSTILE[::40], *EXTRA]:
        assert {token.type for token in tokens(page_of(hostile_report(failed_report, always(text))))} <= usual

    entry = failed_report.deploys[0]
    long = replace(entry, checks=entry.checks * 30, culprits=entry.culprits * 3)
    wide = replace(failed_report, warnings=failed_report.warnings * 20, deploys=(long,))
    left = HOSTILE[:]
    while left:
        page = page_of(hostile_report(wide, lambda: left.pop() if left else "x"))
        assert {token.type for token in tokens(page)} <= usual
