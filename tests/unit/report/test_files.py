"""What --junit and --dotenv write, read as GitLab and Jenkins read it; and whose the files are."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given

from kdeploy.model import CheckResult, Outcome, Reason
from kdeploy.report.dotenv import dotenv
from kdeploy.report.files import make_folder, open_private, write_whole
from kdeploy.report.github.outputs import OUTPUTS, outputs
from kdeploy.report.junit import junit
from kdeploy.report.value import Report, Timings
from tests.unit.report.github.hostile import always, hostile_report, texts
from tests.unit.report.test_report_json import REPORTS


def cases(report: Report) -> dict[str, Any]:
    """Each test case by its name: the text of its failure, None where it passed."""
    root = ElementTree.fromstring(junit(report))
    return {case.get("name", ""): case.findtext("failure") for case in root.iter("testcase")}


def test_a_good_deploy_is_its_steps_and_checks_all_passed(good_report: Report) -> None:
    check = CheckResult(name="http /health", passed=True, samples=20, failures=0, message="")
    report = replace(good_report, deploys=(replace(good_report.deploys[0], checks=(check,)),))
    found = cases(report)
    assert {"build", "rollout", "check http /health"} <= set(found)
    assert set(found.values()) == {None}
    suites = ElementTree.fromstring(junit(report))
    assert (suites.tag, suites.get("failures"), suites.get("tests")) == ("testsuites", "0", str(len(found)))


def test_a_rollback_fails_in_the_step_that_failed_and_tells_the_whole_story(failed_report: Report) -> None:
    failed = {name: text for name, text in cases(failed_report).items() if text}
    culprit = failed_report.deploys[0].culprits[0]
    assert "rollback" not in failed
    story = next(text for name, text in failed.items() if not name.startswith("check"))
    for part in (failed_report.message, culprit.pod, "now: the previous version runs again", failed_report.hint):
        assert part in story


@pytest.mark.parametrize("outcome", [Outcome.USAGE, Outcome.REFUSED])
def test_what_was_refused_fails_before_any_step(outcome: Outcome) -> None:
    report = Report(outcome=outcome, exit_code=outcome.exit_code, reason=Reason.FORBIDDEN, message="no")
    assert list(cases(report)) == ["preflight"]
    assert "no" in cases(report)["preflight"]


def test_a_rollback_that_failed_is_a_failure_of_its_own(failed_report: Report) -> None:
    timings = Timings(build=1.0, rollout=2.0, rollback=3.0, total=6.0)
    report = replace(failed_report, outcome=Outcome.ROLLBACK_FAILED, exit_code=11, timings=timings)
    found = cases(report)
    assert [name for name, text in found.items() if text and not name.startswith("check")] == ["rollout", "rollback"]


@given(REPORTS)
def test_any_report_is_xml_that_fails_where_the_run_did(report: Report) -> None:
    root = ElementTree.fromstring(junit(report).encode())
    failures = len(root.findall(".//failure"))
    assert root.get("failures") == str(failures)
    if report.outcome.exit_code:
        assert failures


def read_dotenv(text: str) -> dict[str, str]:
    """As GitLab does (lib: app/services/ci/parse_dotenv_artifact_service.rb): a line without "=" is an error."""
    assert len(text.encode()) <= 5 * 1024
    found = {}
    for line in text.split("\n")[:-1]:
        match = re.fullmatch(r"([A-Za-z0-9_]+)=(.*)", line)
        assert match, line
        found[match[1]] = match[2].strip()
    assert len(found) <= 20
    return found


def test_the_variables_are_the_outputs_and_none_that_kdeploy_itself_reads(failed_report: Report) -> None:
    given_outputs = outputs(failed_report, "kdeploy-report.json")
    found = read_dotenv(dotenv(given_outputs))
    assert list(found) == [f"DEPLOY_{name.upper().replace('-', '_')}" for name in OUTPUTS]
    assert list(found.values()) == list(given_outputs.values())
    assert found["DEPLOY_OUTCOME"] == "rolled-back"


def test_hostile_texts_stay_in_their_variables(failed_report: Report) -> None:
    for text in [*texts(2000), "x" * 5000]:
        found = read_dotenv(dotenv(outputs(hostile_report(failed_report, always(text)))))
        assert len(found) == len(OUTPUTS)
        assert found["DEPLOY_OUTCOME"] == "rolled-back"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_that_root_leaves_in_somebodys_folder_is_that_ones(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 2345)
    with open_private(tmp_path / "report.json"):
        status = (tmp_path / "report.json").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (1234, 2345, 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_folders_that_root_makes_in_somebodys_folder_are_that_ones(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 2345)
    make_folder(tmp_path / "out/reports")
    for folder in (tmp_path / "out", tmp_path / "out/reports"):
        status = folder.stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (1234, 2345, 0o755)


def test_a_link_of_the_checkout_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "trace").symlink_to(victim)
    with pytest.raises(OSError, match=r"[Ll]inks"):
        open_private(tmp_path / "trace")
    (tmp_path / "report.json").symlink_to(victim)
    write_whole(tmp_path / "report.json", "{}")
    assert (victim.read_text(), (tmp_path / "report.json").read_text()) == ("precious", "{}")
    assert not (tmp_path / "report.json").is_symlink()


def test_where_a_file_cannot_be_given_away_it_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fchown", refuse)
    write_whole(tmp_path / "report.json", "{}")
    assert (tmp_path / "report.json").read_text() == "{}"
