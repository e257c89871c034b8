from __future__ import annotations

from collections.abc import Iterable

from kdeploy.events import (
    BuildOutput,
    CheckEnded,
    Event,
    Heartbeat,
    ImageReady,
    Judged,
    Noted,
    Phase,
    PhaseEnded,
    PhaseStarted,
    Progressed,
    Warned,
)
from kdeploy.model import CheckResult, Image, PodCounts, Reason, State, Verdict
from kdeploy.report.human import lines
from kdeploy.report.view import View
from kdeploy.report.wording import ASCII, UNICODE, Marks

HOSTILE = "\x1b]0;pwned\x07\x1b[31mred\x1b[0m\r\u202eevil\u2066\x9b31m"


def told(events: Iterable[Event], marks: Marks = UNICODE) -> str:
    view, shown = View(), list[str]()
    for now, event in enumerate(events):
        shown += lines(event, view, marks)
        view = view.after(event, float(now))
    return "\n".join(shown)


def test_a_good_deploy_reads_like_this(good_events: list[Event]) -> None:
    assert (
        told(good_events)
        == """\
▸ build ghcr.io/acme/web:3f2c1a9
  │ #7 [2/4] RUN pip install .
✓ build 12.4s
  image ghcr.io/acme/web:3f2c1a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f@sha256:abababababababababababababababababababababababababababababababab
! warning: git history is shallow
▸ rollout deployment/web
  patched to ghcr.io/acme/web:3f2c1a9b8c7d@sha256:abababababab, generation 5
  0 of 3 new pods available (new 1/3, ready 0, available 0, old 3)
  still waiting after 30s: 0 of 3 new pods available
  2 of 3 new pods available (new 3/3, ready 3, available 2, old 1)
  3 of 3 pods are available
✓ rollout 1m05s
▸ verify
  ✓ check health: 60 samples, 0 failed
✓ verify 1.0s"""  # noqa: E501
    )


def test_a_failed_deploy_reads_like_this_from_the_rollout_on(failed_events: list[Event]) -> None:
    assert (
        told(failed_events).partition("  still waiting")[2]
        == """\
 after 30s: 0 of 3 new pods available
✗ CrashLoop: container web of pod web-7d9-x2x1z exited with code 1, 4 times
✗ rollout 51.0s
▸ rollback to revision 4
  restored to ghcr.io/acme/web:1111111@sha256:cdcdcdcdcdcd, generation 6
✓ rollback 2.0s"""
    )


def test_a_step_in_which_a_check_failed_ends_with_the_mark_of_failure() -> None:
    failed = CheckResult(name="health", passed=False, samples=20, failures=3, message="HTTP 500")
    events: list[Event] = [
        PhaseStarted(phase=Phase.VERIFY),
        CheckEnded(result=failed),
        PhaseEnded(phase=Phase.VERIFY, seconds=2.0),
    ]
    assert told(events) == "▸ verify\n  ✗ check health: 3 of 20 samples failed: HTTP 500\n✗ verify 2.0s"


def test_a_check_that_got_no_answer_counts_no_samples() -> None:
    unreachable = CheckResult(name="health", passed=False, samples=0, failures=0, message="no ready pod to ask")
    assert told([PhaseStarted(phase=Phase.VERIFY), CheckEnded(result=unreachable)]).endswith(
        "  ✗ check health: no sample: no ready pod to ask"
    )


def test_a_step_that_an_error_ended_is_marked_as_failed() -> None:
    events: list[Event] = [PhaseStarted(phase=Phase.BUILD), PhaseEnded(phase=Phase.BUILD, seconds=2.0, failed=True)]
    assert told(events) == "▸ build\n✗ build 2.0s"


def test_progress_is_told_again_only_when_the_sentence_or_a_count_changed() -> None:
    first = Progressed(phase=Phase.ROLLOUT, message="waiting", pods=PodCounts(desired=2, new=1))
    other = Progressed(phase=Phase.ROLLOUT, message="waiting", pods=PodCounts(desired=2, new=2))
    assert len(told([PhaseStarted(phase=Phase.ROLLOUT), first, first, other, other]).splitlines()) == 3


def test_a_paused_rollout_is_no_failure() -> None:
    paused = Verdict(state=State.PAUSED, reason=Reason.PAUSED, message="the rollout is paused")
    assert told([Judged(phase=Phase.ROLLOUT, verdict=paused)]) == "  Paused: the rollout is paused"


def test_a_reused_image_is_said_to_be_so() -> None:
    image = Image(repository="r/web", tag="v1", digest="sha256:1", reused=True)
    assert told([ImageReady(image=image)]) == "  image r/web:v1@sha256:1 (reused: the tag is already there)"


def test_a_stream_without_unicode_gets_marks_in_ascii(failed_events: list[Event]) -> None:
    assert told(failed_events, ASCII).isascii()


def test_no_event_lets_hostile_text_through() -> None:
    bad = Verdict(state=State.FAILED, reason=Reason.CRASH_LOOP, message=HOSTILE)
    check = CheckResult(name=HOSTILE, passed=False, samples=1, failures=1, message=HOSTILE)
    text = told(
        [
            PhaseStarted(phase=Phase.BUILD, detail=HOSTILE),
            BuildOutput(line=HOSTILE),
            Warned(message=HOSTILE),
            Noted(message=HOSTILE),
            Progressed(phase=Phase.ROLLOUT, message=HOSTILE, pods=PodCounts()),
            Heartbeat(phase=Phase.ROLLOUT, message=HOSTILE, seconds=1),
            ImageReady(image=Image(repository=HOSTILE, tag=HOSTILE, digest=HOSTILE)),
            Judged(phase=Phase.ROLLOUT, verdict=bad),
            CheckEnded(result=check),
            PhaseEnded(phase=Phase.BUILD, seconds=1, detail=HOSTILE),
        ]
    )
    assert "evil" in text
    assert not set(text) & set("\x1b\x07\r\u202e\u2066\x9b")


def test_one_message_cannot_pretend_to_be_several_lines() -> None:
    assert told([Warned(message="a\n✓ deployed\u2028b")]) == "! warning: a ✓ deployedb"


def test_a_failing_check_is_told_once_as_it_happens() -> None:
    result = CheckResult(name="health", passed=False, samples=20, failures=3, message="web-1: HTTP 500")
    unhealthy = Verdict(state=State.FAILED, reason=Reason.UNHEALTHY, message="check health: web-1: HTTP 500")
    other = Verdict(state=State.FAILED, reason=Reason.CRASH_LOOP, message="container web of pod web-1: exited")
    begun: list[Event] = [PhaseStarted(phase=Phase.VERIFY), CheckEnded(result=result)]
    line = "▸ verify\n  ✗ check health: 3 of 20 samples failed: web-1: HTTP 500"
    assert told([*begun, Judged(phase=Phase.VERIFY, verdict=unhealthy)]) == line
    assert told([*begun, Judged(phase=Phase.VERIFY, verdict=other)]) == f"{line}\n✗ CrashLoop: {other.message}"
