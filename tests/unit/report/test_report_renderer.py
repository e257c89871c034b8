from __future__ import annotations

import io
import json
import re
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from kdeploy.cli.files import write_files
from kdeploy.config.flags import Flags
from kdeploy.events import BuildOutput, Event, Noted, Phase, PhaseEnded, PhaseStarted, Warned
from kdeploy.ports import Clock
from kdeploy.report.files import as_json, open_private, write_whole
from kdeploy.report.folding import GITLAB
from kdeploy.report.redact import Redactor
from kdeploy.report.renderer import Output, Renderer, renderer, wants_live
from kdeploy.report.sinks import JsonLinesSink
from kdeploy.report.value import Report
from kdeploy.secret import Secret

TOKEN = "feedfacefeedfacefeedfacefeedface"


class Streams:
    """Stands in for stdout and stderr."""

    def __init__(self) -> None:
        self.out, self.err = io.StringIO(), io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")

    def told(self) -> str:
        self.err.seek(0)
        return self.err.read()


class BrokenStream(io.StringIO):
    def write(self, text: str) -> NoReturn:
        raise BrokenPipeError("nobody reads")


@pytest.fixture
def streams() -> Streams:
    return Streams()


def made(streams: Streams, clock: Clock, output: Output = "human", verbosity: int = 0, **more: Any) -> Renderer:
    return renderer(
        output,
        out=streams.out,
        err=streams.err,
        clock=clock,
        redactor=Redactor([Secret("hunter2hunter2")]),
        verbosity=verbosity,
        **more,
    )


def test_human_output_leaves_stdout_empty(streams: Streams, clock: Clock, good_report: Report) -> None:
    made(streams, clock).finish(good_report)
    assert streams.out.getvalue() == ""
    assert streams.told().startswith("✓ deployed deployment/web")


def test_json_gives_stdout_the_report_alone_and_stderr_the_progress(
    streams: Streams, clock: Clock, good_events: list[Event], good_report: Report
) -> None:
    with made(streams, clock, "json") as shown:
        for event in good_events:
            shown.emit(event)
        shown.finish(good_report)
    assert json.loads(streams.out.getvalue())["outcome"] == "deployed"
    assert "✓ rollout 1m05s" in streams.told()


def test_jsonl_gives_stdout_each_event_and_the_report_and_stderr_only_warnings_and_the_end(
    streams: Streams, clock: Clock, good_events: list[Event], good_report: Report
) -> None:
    with made(streams, clock, "jsonl") as shown:
        for event in good_events:
            shown.emit(event)
        shown.finish(good_report)
    types = [json.loads(line)["type"] for line in streams.out.getvalue().splitlines()]
    assert types == [*(event.type for event in good_events), "report"]
    assert [line[0] for line in streams.told().splitlines()] == ["!", "✓", " "]


def test_quiet_shows_warnings_only_and_verbose_shows_notes(streams: Streams, clock: Clock) -> None:
    events: list[Event] = [Warned(message="w"), Noted(message="n"), PhaseEnded(phase=Phase.PUSH, seconds=1)]
    told = {}
    for verbosity in (-1, 0, 1):
        each = Streams()
        with made(each, clock, verbosity=verbosity) as shown:
            for event in events:
                shown.emit(event)
        told[verbosity] = each.told().splitlines()
    assert told[-1] == ["! warning: w"]
    assert told[0] == ["! warning: w", "✓ push 1.0s"]
    assert told[1] == ["! warning: w", "  n", "✓ push 1.0s"]


@pytest.mark.parametrize("output", ["human", "json", "jsonl"])
def test_no_output_shows_a_secret(
    streams: Streams, clock: Clock, tmp_path: Path, failed_report: Report, output: Output
) -> None:
    trace, report = tmp_path / "trace", tmp_path / "report.json"
    leaky = replace(failed_report, message="token hunter2hunter2, aHVudGVyMmh1bnRlcjI=")
    with made(streams, clock, output, trace=trace) as shown:
        shown.emit(BuildOutput(line="hunter2\x1b[0mhunter2"))
        shown.finish(leaky)
    flags = Flags(report=str(report), junit=str(tmp_path / "junit.xml"), dotenv=str(tmp_path / "env"))
    assert write_files(flags, leaky, Redactor([Secret("hunter2hunter2")])) == ()
    files = [path.read_text() for path in tmp_path.iterdir()]
    assert len(files) == 4
    for text in (streams.told(), streams.out.getvalue(), *files):
        assert "hunter2" not in text
        assert "aHVudGVy" not in text


def test_on_github_build_output_is_one_fenced_block(streams: Streams, clock: Clock) -> None:
    with made(streams, clock, token=TOKEN) as shown:
        shown.emit(BuildOutput(line="::error::a"))
        shown.emit(BuildOutput(line=f"::{TOKEN}::"))
        shown.emit(PhaseEnded(phase=Phase.BUILD, seconds=1))
        shown.emit(BuildOutput(line="b"))
    assert streams.told().splitlines() == [
        f"::stop-commands::{TOKEN}",
        "  │ ::error::a",
        "  │ ::***::",
        f"::{TOKEN}::",
        "✓ build 1.0s",
        f"::stop-commands::{TOKEN}",
        "  │ b",
        f"::{TOKEN}::",
    ]


def test_a_closed_pipe_does_not_stop_a_deploy_and_is_said_elsewhere(
    clock: Clock, good_events: list[Event], good_report: Report
) -> None:
    out = io.StringIO()
    shown = renderer("json", out=out, err=BrokenStream(), clock=clock, redactor=Redactor())
    for event in good_events:
        shown.emit(event)
    shown.finish(good_report)
    assert json.loads(out.getvalue())["warnings"] == ["output to stderr stopped: BrokenPipeError: nobody reads"]
    assert shown.lost


def test_a_trace_and_a_report_can_be_read_by_their_owner_only(
    streams: Streams, clock: Clock, tmp_path: Path, good_report: Report
) -> None:
    trace, report = tmp_path / "trace", tmp_path / "report.json"
    trace.touch(mode=0o644)
    with made(streams, clock, trace=trace) as shown:
        shown.emit(Noted(message="n"))
    write_whole(report, as_json(good_report))
    assert json.loads(trace.read_text())["message"] == "n"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (trace, report)] == [0o600, 0o600]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "trace"]


def test_a_report_that_cannot_be_written_raises_and_leaves_the_old_one_alone(
    tmp_path: Path, good_report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> NoReturn:
        path.write_text("{half of it")
        raise OSError("disk full")

    report = tmp_path / "report.json"
    report.write_text("the old one")
    monkeypatch.setattr("kdeploy.report.files.open_private", full)
    with pytest.raises(OSError, match="disk full"):
        write_whole(report, as_json(good_report))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"report.json": "the old one"}


def test_a_stream_that_is_not_the_sinks_own_stays_open(clock: Clock, tmp_path: Path) -> None:
    stream = io.StringIO()
    JsonLinesSink(stream, clock=clock).close()
    assert not stream.closed
    own = open_private(tmp_path / "f")
    JsonLinesSink(own, clock=clock, owns=True).close()
    assert own.closed


@pytest.mark.parametrize(
    ("tty", "env", "live"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "CI": "false", "NO_COLOR": ""}, True),
        (False, {"TERM": "xterm"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {}, False),
        (True, {"TERM": "xterm", "CI": "true"}, False),
    ],
)
def test_the_live_view_is_for_a_terminal_with_colour_outside_of_a_ci(
    tty: bool, env: dict[str, str], live: bool
) -> None:
    assert wants_live(tty=tty, env=env) is live


def test_plain_output_does_not_import_rich(streams: Streams, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "rich" or name.startswith(("rich.", "kdeploy.report.live"))]:
        monkeypatch.delitem(sys.modules, name)
    made(streams, clock).close()
    assert not any(name == "rich" or name.startswith("rich.") for name in sys.modules)


SECTION = re.compile(r"\x1b\[0Ksection_(start|end):(\d+):(\w+)(?:\[collapsed=(?:true|false)\])?\r\x1b\[0K(.*)")
"""As GitLab reads them: gitlab.com/gitlab-org/gitlab, lib/gitlab/ci/ansi2json/converter.rb."""


def test_on_gitlab_each_phase_is_a_section_that_no_text_can_forge(streams: Streams, clock: Clock) -> None:
    forged = "\x1b[0Ksection_end:1:kdeploy_1_build\r\x1b[0K"
    with made(streams, clock, folding=GITLAB) as shown:
        shown.emit(PhaseStarted(phase=Phase.BUILD, detail=f"web {forged}"))
        shown.emit(BuildOutput(line=f"{forged}\n{forged}"))
        shown.emit(PhaseEnded(phase=Phase.BUILD, seconds=1))
        shown.emit(PhaseStarted(phase=Phase.ROLLOUT))
        shown.emit(Noted(message=forged))
    found = [SECTION.search(line) for line in streams.told().split("\n")]
    marks = [(match[1], match[3]) for match in found if match]
    one, two = "kdeploy_1_build", "kdeploy_2_rollout"
    assert marks == [("start", one), ("end", one), ("start", two), ("end", two)]
    assert streams.told().count("\x1b") == 2 * len(marks)
