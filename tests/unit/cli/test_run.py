from __future__ import annotations

import io
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from kdeploy.cli import run
from kdeploy.cli.run import Body, Result, Session, execute, reported
from kdeploy.config.flags import Flags
from kdeploy.errors import BuildError, ClusterError, ConfigError, KdeployError
from kdeploy.events import BuildOutput, Noted, Phase, PhaseEnded, PhaseStarted
from kdeploy.model import Outcome, Reason
from kdeploy.report import renderer as rendering
from kdeploy.report.value import Report
from kdeploy.secret import Secret
from kdeploy.signals import Signals
from tests.unit.report.github.runner import commands, read_file


class Ran:
    """A command that ran: its code and what it wrote."""

    def __init__(self, body: Body, flags: Flags | None = None, env: dict[str, str] | None = None) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.code = execute(flags or Flags(), body, env=env or {}, out=out, err=err)
        self.out, self.err = out.getvalue(), err.getvalue()

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


def raising(error: BaseException) -> Body:
    def body(_: Session) -> Result:
        raise error

    return body


def deployed(_: Session) -> Result:
    return reported(Report(outcome=Outcome.DEPLOYED, exit_code=0, reason=Reason.COMPLETE, message="it runs"))


@pytest.mark.parametrize(
    ("error", "code", "outcome"),
    [
        (ConfigError("bad", hint="mend it"), 2, "usage"),
        (BuildError("bad", hint="mend it"), 3, "build-failed"),
        (ClusterError("bad", hint="mend it"), 4, "refused"),
    ],
)
def test_an_expected_error_is_one_line_one_hint_and_its_code(error: Exception, code: int, outcome: str) -> None:
    ran = Ran(raising(error))
    assert ran.code == code
    assert "bad" in ran.err
    assert "mend it" in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""
    assert Ran(raising(error), Flags(output="json")).report["outcome"] == outcome


def test_a_bug_is_exit_70_with_one_line_and_where_to_report_it() -> None:
    ran = Ran(raising(KeyError("x")), Flags(output="json"))
    assert (ran.code, ran.report["outcome"], ran.report["reason"]) == (70, "internal", "Internal")
    assert "KeyError" in ran.report["message"]
    assert "report what that shows" in ran.report["hint"]
    assert "Traceback" not in ran.err


def test_a_bug_shows_its_traceback_when_asked_without_secrets() -> None:
    def body(session: Session) -> Result:
        session.redactor.add(Secret("s3cr3t-token"))
        raise ValueError("with s3cr3t-token")

    ran = Ran(body, Flags(verbose=True))
    assert "Traceback" in ran.err
    assert "s3cr3t-token" not in ran.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_before_any_change_has_its_own_code(number: int, code: int) -> None:
    def body(_: Session) -> Result:
        signal.raise_signal(number)
        raise AssertionError("not interrupted")

    ran = Ran(body, Flags(output="json"))
    assert (ran.code, ran.report["outcome"], ran.report["exit_code"]) == (code, "interrupted", code)


def test_a_signal_while_the_renderer_opens_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    real = rendering.renderer

    def interrupted(*given: Any, **named: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return real(*given, **named)

    monkeypatch.setattr(run, "renderer", interrupted)
    assert Ran(deployed).code == 143


def test_a_second_signal_while_the_first_is_told_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    real = run._failure

    def interrupted(error: KdeployError) -> Report:
        signal.raise_signal(signal.SIGTERM)
        return real(error)

    def body(_: Session) -> Result:
        signal.raise_signal(signal.SIGINT)
        return deployed(_)

    monkeypatch.setattr(run, "_failure", interrupted)
    assert Ran(body).code == 130


def test_a_signal_just_after_the_end_does_not_change_how_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Signals.finish

    def late(self: Signals) -> None:
        signal.raise_signal(signal.SIGTERM)
        real(self)

    monkeypatch.setattr(Signals, "finish", late)
    assert Ran(deployed).code == 0


@pytest.mark.parametrize("flag", ["report", "trace"])
def test_a_file_name_that_is_too_long_is_a_usage_error(flag: str) -> None:
    ran = Ran(deployed, Flags(**{flag: "a" * 300}))  # type: ignore[arg-type]
    assert ran.code == 2
    assert "cannot be written: File name too long" in ran.err


def test_an_interrupted_story_ends_with_the_code_of_its_signal() -> None:
    def body(session: Session) -> Result:
        session.signals.defer()
        signal.raise_signal(signal.SIGTERM)
        return reported(
            Report(outcome=Outcome.INTERRUPTED, exit_code=130, reason=Reason.INTERRUPTED, message="put back")
        )

    assert Ran(body).code == 143


def test_a_report_goes_to_stdout_only_where_it_is_asked_for() -> None:
    assert Ran(deployed).out == ""
    assert Ran(deployed, Flags(output="json")).report["outcome"] == "deployed"
    lines = Ran(deployed, Flags(output="jsonl")).out.splitlines()
    assert json.loads(lines[-1])["report"]["outcome"] == "deployed"


def test_a_table_goes_to_stdout_as_text_or_as_json() -> None:
    def body(_: Session) -> Result:
        return Result(exit_code=1, text="a table\n", document={"rows": [1]})

    assert (Ran(body).out, Ran(body).code) == ("a table\n", 1)
    assert Ran(body, Flags(output="json")).report == {"rows": [1]}
    assert Ran(body, Flags(output="jsonl")).out == '{"rows": [1]}\n'


def test_a_mask_leaves_json_that_can_be_read() -> None:
    def body(session: Session) -> Result:
        session.redactor.add(Secret("true"))
        session.redactor.add(Secret("verified"))
        return Result(exit_code=0, document={"verified": True, "why": "so true"})

    for output in ("json", "jsonl"):
        assert Ran(body, Flags(output=output)).report == {"verified": True, "why": "so ***"}


def test_on_github_neither_a_table_nor_a_traceback_has_a_command() -> None:
    def table(_: Session) -> Result:
        return Result(exit_code=0, text="1  ##[error]forged\n::error::forged\n")

    github = {"GITHUB_ACTIONS": "true"}
    assert Ran(table, env=github).out == "1  # #[error]forged\n: :error::forged\n"
    assert Ran(table).out == "1  ##[error]forged\n::error::forged\n"
    told = Ran(raising(ValueError("\n::error::forged ##[error]")), Flags(verbose=True), env=github).err
    assert "Traceback" in told
    rest = [line for line in told.splitlines() if not line.startswith("::error title=")]  # its own, read as a whole
    assert [line for line in rest if line.startswith("::error") or "##[" in line] == []


def building(session: Session) -> Result:
    session.emit(PhaseStarted(phase=Phase.BUILD, detail="web"))
    session.emit(BuildOutput(line="::error::forged"))
    session.emit(PhaseEnded(phase=Phase.BUILD, seconds=1.0))
    return deployed(session)


def test_on_github_a_phase_is_a_group_and_foreign_lines_are_fenced_by_a_word_of_each_run() -> None:
    said = [Ran(building, env={"GITHUB_ACTIONS": "true"}).err for _ in range(2)]
    fences = [re.findall(r"^::stop-commands::(.*)$", one, re.M) for one in said]
    assert [len(fence) for fence in fences] == [1, 1]
    assert fences[0] != fences[1]
    for text, (word,) in zip(said, fences, strict=True):
        assert re.fullmatch("[0-9a-f]{32}", word)
        assert [each.name for each in commands(text)] == ["group", "stop-commands", "endgroup"]


def test_on_gitlab_a_phase_is_a_section_and_elsewhere_a_line() -> None:
    assert "section_start:" in Ran(building, env={"GITLAB_CI": "true"}).err
    plain = Ran(building).err
    assert "build" in plain
    assert [mark for mark in ("::group::", "::stop-commands::", "section_start:") if mark in plain] == []


def test_the_report_file_is_written_and_private(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    assert Ran(deployed, Flags(report=str(file))).code == 0
    assert json.loads(file.read_text())["outcome"] == "deployed"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_an_earlier_runs_report_is_gone_before_anything_is_done(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text("of another run")

    def body(session: Session) -> Result:
        assert not file.exists()
        return deployed(session)

    assert Ran(body, Flags(report=str(file))).code == 0
    assert json.loads(file.read_text())["outcome"] == "deployed"


@pytest.mark.parametrize("bad", ["report", "junit", "dotenv", "trace"])
def test_where_one_file_cannot_be_written_the_others_are_and_no_old_one_is_left(tmp_path: Path, bad: str) -> None:
    files = {name: str(tmp_path / name) for name in ("report", "junit", "dotenv", "trace")}
    for name in files:
        (tmp_path / name).write_text("of another run: deployed")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "nowhere/at/all")
    named: dict[str, Any] = {**files, bad: str(tmp_path / "elsewhere/file")}
    github = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(tmp_path / "output")}
    ran = Ran(raising(AssertionError("the command ran")), Flags(**named), github)
    assert ran.code == 2
    written = {name: (tmp_path / name).read_text() for name in files if name != bad}
    assert ["another run" in text or "usage" not in text.lower() for text in written.values()] == [False] * 3
    told = read_file((tmp_path / "output").read_text())
    assert (told["outcome"], told["report"]) == ("usage", "" if bad == "report" else files["report"])
    if bad not in ("dotenv", "report"):
        assert f"DEPLOY_REPORT={files['report']}" in written["dotenv"]


def test_the_output_report_is_empty_where_it_could_not_be_written_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kdeploy.cli.files.write_whole", full)
    github = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(tmp_path / "output")}
    ran = Ran(deployed, Flags(report=str(tmp_path / "r.json")), github)
    assert (ran.code, read_file((tmp_path / "output").read_text())["report"]) == (0, "")
    assert "No space left on device" in ran.err


def test_folders_that_are_missing_below_the_working_directory_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = Flags(report="out/a/r.json", junit=str(tmp_path / "out/j.xml"), dotenv="./env/d", trace="t/t.jsonl")
    assert Ran(deployed, flags).code == 0
    assert {str(path) for path in Path().rglob("*") if path.is_file()} == {
        "out/a/r.json", "out/j.xml", "env/d", "t/t.jsonl",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["../other/r.json", "link/r/r.json", "loop/r.json", "file/r.json", "a/" * 3000])
def test_no_folder_is_made_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    Path("link").symlink_to(tmp_path)
    Path("loop").symlink_to("loop")
    Path("file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    ran = Ran(raising(AssertionError("the command ran")), Flags(report=name))
    assert (ran.code, "cannot be written" in ran.err) == (2, True), ran.err
    assert sorted(tmp_path.rglob("*")) == before


def test_the_report_file_is_written_for_an_error_too(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    Ran(raising(ConfigError("bad")), Flags(report=str(file)))
    assert json.loads(file.read_text())["outcome"] == "usage"


def test_the_trace_file_has_every_event(tmp_path: Path) -> None:
    def body(session: Session) -> Result:
        session.emit(Noted(message="hello"))
        return deployed(session)

    file = tmp_path / "trace.jsonl"
    Ran(body, Flags(trace=str(file), quiet=True))
    assert [json.loads(line)["type"] for line in file.read_text().splitlines()] == ["note", "report"]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("flag", ["report", "trace"])
@pytest.mark.parametrize("where", ["missing/file", "."])
def test_a_file_that_cannot_be_written_is_found_before_anything_is_done(tmp_path: Path, flag: str, where: str) -> None:
    files: dict[str, Any] = {flag: str(tmp_path / where)}
    ran = Ran(raising(AssertionError("the command ran")), Flags(output="json", **files))
    assert (ran.code, ran.report["outcome"]) == (2, "usage")
    assert f"--{flag}" in ran.report["message"]


@pytest.mark.parametrize("quiet", [True, False])
def test_a_failed_builds_last_lines_are_seen_once(quiet: bool) -> None:
    def body(session: Session) -> Result:
        for number in range(30):
            session.emit(BuildOutput(line=f"step {number}."))
        raise BuildError("the build failed")

    ran = Ran(body, Flags(quiet=quiet))
    assert ran.err.count("step 29.") == 1
    assert ("step 5." in ran.err) is not quiet


def test_a_reader_that_went_away_changes_no_exit_code() -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    def table(_: Session) -> Result:
        return Result(exit_code=0, text="a table\n")

    for body in (deployed, table):
        for output in ("human", "json", "jsonl"):
            assert execute(Flags(output=output), body, env={}, out=Closed(), err=Closed()) == 0
