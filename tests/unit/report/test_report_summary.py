from __future__ import annotations

from dataclasses import replace

import pytest

from kdeploy.model import Culprit, Outcome, Reason
from kdeploy.report.summary import LOG_LINES, summary
from kdeploy.report.value import Report, Timings

TOKEN = "0123456789abcdef0123456789abcdef"


def with_culprit(report: Report, culprit: Culprit, outcome: Outcome = Outcome.NOT_ROLLED_BACK) -> Report:
    entry = replace(report.deploys[0], culprits=(culprit,), outcome=outcome)
    return replace(report, deploys=(entry,), outcome=outcome, exit_code=outcome.exit_code)


def test_a_good_deploy_ends_with_two_lines(good_report: Report) -> None:
    assert (
        summary(good_report)
        == """\
✓ deployed deployment/web in shop on prod: ghcr.io/acme/web:3f2c1a9b8c7d@sha256:abababababab, revision 5, verified by 1 check
  build 12.4s, push 3.0s, rollout 1m05s, verify 1.0s, total 1m22s"""  # noqa: E501
    )


def test_a_deploy_without_checks_says_that_nothing_more_was_verified(good_report: Report) -> None:
    unchecked = replace(good_report, deploys=(replace(good_report.deploys[0], checks=()),))
    assert "no check is configured, so nothing more was verified" in summary(unchecked)


def test_a_deploy_at_0_replicas_says_that_nothing_was_verified(good_report: Report) -> None:
    entry = replace(good_report.deploys[0], checks=(), message="web:2 runs: it is scaled to 0; no check ran to its end")
    assert "it is scaled to 0, so nothing was verified" in summary(replace(good_report, deploys=(entry,)))


def test_a_rolled_back_deploy_reads_like_this(failed_report: Report) -> None:
    assert (
        summary(failed_report)
        == """\
✗ rolled-back deployment/web in shop on prod: CrashLoop: container web of pod web-7d9-x2x1z exited with code 1, 4 times
  now: the previous version runs again, as good as before: ghcr.io/acme/web:1111111@sha256:cdcdcdcdcdcd, revision 6
  build 12.4s, rollout 51.0s, rollback 2.0s, total 1m06s
  pod web-7d9-x2x1z, container web: CrashLoopBackOff, exit code 1, 3 restarts
    back-off 40s restarting failed container
    events:
      BackOff: Back-off restarting failed container
    last log lines:
      │ Traceback:
      │ ConnectionError: db:5432
  ✗ check health: 3 of 20 samples failed: HTTP 500
! warning: git history is shallow
  next: read the log above
  look: kubectl -n shop events --for pod/web-7d9-x2x1z
  look: kdeploy history deployment/web -n shop"""
    )


def test_a_failed_version_left_in_place_is_looked_into_with_its_previous_log(failed_report: Report) -> None:
    text = summary(with_culprit(failed_report, failed_report.deploys[0].culprits[0]))
    assert "now: the failed version was left in place" in text
    assert "look: kubectl -n shop logs web-7d9-x2x1z -c web --previous\n" in text
    assert "look: kubectl -n shop describe pod web-7d9-x2x1z\n" in text


def test_a_container_that_never_started_has_no_log_to_look_at(failed_report: Report) -> None:
    waiting = Culprit(pod="web-1", container="web", reason="ImagePullBackOff", message="not found")
    text = summary(with_culprit(failed_report, waiting))
    assert "kubectl -n shop describe pod web-1" in text
    assert " logs " not in text


def test_where_no_pod_came_to_be_the_workload_is_to_be_looked_at(failed_report: Report) -> None:
    refused = replace(with_culprit(failed_report, failed_report.deploys[0].culprits[0]), reason=Reason.QUOTA_EXCEEDED)
    assert "kubectl -n shop describe deployment/web" in summary(refused)


def test_an_older_version_than_the_one_before_is_not_called_the_previous_one(failed_report: Report) -> None:
    (entry,) = failed_report.deploys
    older = replace(failed_report, deploys=(replace(entry, rolled_back_to="ghcr.io/acme/web:0000000"),))
    text = summary(older)
    assert "now: an older version, which was verified, runs again: ghcr.io/acme/web:0000000, revision 6" in text
    assert "previous version" not in text


@pytest.mark.parametrize(
    ("outcome", "now"),
    [
        (Outcome.USAGE, "nothing was touched"),
        (Outcome.BUILD_FAILED, "the cluster was not touched"),
        (Outcome.REFUSED, "the workload was not touched"),
        (Outcome.ROLLBACK_FAILED, "this needs a person"),
        (Outcome.SUPERSEDED, "somebody else's newer change is live"),
        (Outcome.FAILED, "nothing was changed by this command"),
        (Outcome.INTERRUPTED, "the workload was not touched"),
        (Outcome.INTERNAL, "unknown"),
    ],
)
def test_every_failure_says_second_what_production_is_in(outcome: Outcome, now: str) -> None:
    report = Report(outcome=outcome, exit_code=outcome.exit_code, reason=Reason.INTERNAL, message="it broke")
    verdict, state = summary(report).splitlines()[:2]
    assert verdict.startswith(f"✗ {outcome.value}")
    assert state.startswith("  now: ")
    assert now in state


def test_an_interrupted_rollout_says_whether_the_old_version_was_put_back(failed_report: Report) -> None:
    interrupted = replace(failed_report, outcome=Outcome.INTERRUPTED, timings=Timings(detect=3.0))
    left = replace(interrupted, deploys=(replace(interrupted.deploys[0], rolled_back_to=None),))
    assert "now: ghcr.io/acme/web:1111111@sha256:cdcdcdcdcdcd was put back" in summary(interrupted)
    assert "now: the new version was left rolling" in summary(left)
    assert "now: the workload was not touched" in summary(replace(left, timings=Timings(rollout=3.0)))


def test_only_the_end_of_a_long_log_is_shown(failed_report: Report) -> None:
    log = "\n".join(f"line {n} {'x' * 1000}" for n in range(500))
    text = summary(with_culprit(failed_report, Culprit(pod="p", reason="Error", log_tail=log)))
    shown = [line for line in text.splitlines() if "│" in line]
    assert len(shown) == LOG_LINES
    assert "line 499 " in shown[-1]
    assert max(map(len, shown)) < 260


def test_on_github_hostile_text_stands_between_stop_commands(failed_report: Report) -> None:
    log = f"::set-output name=a::b\n::{TOKEN}::\n##[add-mask]c"
    text = summary(with_culprit(failed_report, Culprit(pod="p", reason="E", log_tail=log)), token=TOKEN).splitlines()
    start, end = text.index(f"::stop-commands::{TOKEN}"), text.index(f"::{TOKEN}::")
    fenced = text[start + 1 : end]
    assert any("set-output" in line for line in fenced)
    assert not any(TOKEN in line for line in fenced)
    assert not any("set-output" in line for line in text[:start] + text[end:])


def test_no_line_outside_a_fence_is_a_command_for_a_ci(failed_report: Report) -> None:
    for attack in ("::add-path::/evil", "##[set-env name=A]b", "##vso[task.setvariable variable=a]b"):
        culprit = Culprit(pod=attack, container=attack, reason=attack, message=attack, events=(attack,))
        hostile = replace(with_culprit(failed_report, culprit), message=attack, hint=attack, warnings=(attack,))
        for line in summary(hostile).splitlines():
            assert not line.lstrip().startswith("::")
            assert "##[" not in line
            assert "##vso[" not in line


def test_a_name_with_shell_characters_cannot_break_out_of_the_command(failed_report: Report) -> None:
    culprit = Culprit(pod="p; rm -rf /", container="c", reason="Error", exit_code=1)
    assert "logs 'p; rm -rf /' -c c" in summary(with_culprit(failed_report, culprit))


def test_a_failing_check_whose_message_is_the_verdict_is_not_told_twice(failed_report: Report) -> None:
    told = summary(replace(failed_report, message="check health: HTTP 500"))
    assert told.count("HTTP 500") == 1
    assert "✗ check health: 3 of 20 samples failed\n" in told
    assert "3 of 20 samples failed: HTTP 500" in summary(failed_report), "another verdict does not tell it"
