from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import Any

import pytest

from kdeploy.events import BuildOutput, Phase, PhaseEnded, PhaseStarted
from kdeploy.report.folding import GITHUB
from kdeploy.report.github.commands import ENDGROUP, command, error, group, masks
from kdeploy.report.github.outputs import LARGEST, OUTPUTS, file_text, outputs
from kdeploy.report.redact import Redactor
from kdeploy.report.sinks import PlainSink, shows_at
from kdeploy.report.value import Report
from kdeploy.secret import Secret
from tests.unit.report.github.hostile import texts
from tests.unit.report.github.runner import commands, read_file

HOSTILE = texts(10_000)
TOKEN = "0123456789abcdef"


def test_what_is_put_into_a_command_comes_out_of_it_unchanged() -> None:
    for text in HOSTILE:
        line = command("error", text, file=text, line=7)
        (obeyed,) = commands(line)
        assert (obeyed.name, obeyed.data, obeyed.properties["line"]) == ("error", text, "7")
        assert obeyed.properties["file"] == text


@pytest.mark.parametrize("make", [group, lambda text: error(text, title=text, file=text, line=1)])
def test_no_title_or_message_makes_a_second_command(make: Any) -> None:
    for text in HOSTILE:
        assert len(commands(make(text) + "\n" + ENDGROUP)) == 2


def test_every_line_of_a_secret_and_its_base64_is_masked() -> None:
    lines = ["token: s3cr%t-value", "  password: hunter2hunter2"]
    whole = "\n".join([*lines, "a", ""])
    masked = {each.data for each in commands("\n".join(masks(Secret(whole))))}
    for line in lines:
        assert {line.strip(), base64.b64encode(line.strip().encode()).decode()} <= masked
    assert base64.b64encode(whole.encode()).decode() in masked
    assert not {"", "a"} & masked


def test_each_phase_is_a_group_that_ends_before_the_next_line_that_is_not_its_own(
    failed_report: Report, clock: Any
) -> None:
    stream = io.StringIO()
    sink = PlainSink(stream, clock=clock, redact=Redactor(), shows=shows_at(0), token=TOKEN, folding=GITHUB)
    for event in (
        PhaseStarted(phase=Phase.BUILD, detail="web"),
        BuildOutput(line="#1 done"),
        PhaseEnded(phase=Phase.BUILD, seconds=2.0, failed=False),
        PhaseStarted(phase=Phase.ROLLOUT),
    ):
        sink.emit(event)
    sink.finish(failed_report)
    lines = stream.getvalue().splitlines()
    assert lines[:7] == [
        "::group::build web",
        f"::stop-commands::{TOKEN}",
        "  | #1 done",
        f"::{TOKEN}::",
        "::endgroup::",
        "ok: build 2.0s",
        "::group::rollout",
    ]
    assert lines[7] == "::endgroup::"
    assert lines[8].startswith("FAILED: rolled-back")


def test_every_output_is_there_where_nothing_is_known(good_report: Report) -> None:
    values = read_file(file_text(outputs(replace(good_report, deploys=())), "DELIM"))
    assert list(values) == list(OUTPUTS)
    assert values["image"] == ""


def test_the_outputs_tell_of_a_rollback(failed_report: Report) -> None:
    values = outputs(failed_report, "report.json")
    entry = failed_report.deploys[0]
    assert entry.image is not None
    assert values["rolled-back-to"] == values["previous-image"] == entry.image.previous
    assert (values["duration-seconds"], values["time-to-verdict-seconds"]) == ("66.000", "51.000")


def test_a_value_that_holds_the_delimiter_is_refused() -> None:
    with pytest.raises(ValueError, match="delimiter"):
        file_text({"url": "a-DELIM-b"}, "DELIM")


def test_more_than_github_takes_is_refused() -> None:
    with pytest.raises(ValueError, match="larger"):
        file_text({"url": "x" * LARGEST}, "DELIM")
