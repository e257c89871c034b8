from __future__ import annotations

import io
import re
import threading
from dataclasses import replace

import pytest

from kdeploy.events import BuildOutput, Event, Heartbeat, Phase, PhaseEnded, PhaseStarted, Progressed, Warned
from kdeploy.model import PodCounts
from kdeploy.ports import Clock
from kdeploy.report.live import LiveSink, bar, region
from kdeploy.report.redact import Redactor
from kdeploy.report.sinks import shows_at
from kdeploy.report.value import Report
from kdeploy.report.view import View
from kdeploy.secret import Secret

ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Terminal(io.StringIO):
    encoding = "utf-8"


def live(stream: io.StringIO, clock: Clock, width: int = 80) -> LiveSink:
    return LiveSink(stream, clock=clock, redact=Redactor([Secret("hunter2")]), shows=shows_at(0), width=width)


def drawn(*events: Event, now: float) -> list[str]:
    view = View()
    for event in events:
        view = view.after(event, 100.0)
    return [text for text, _ in region(view, now)]


def test_a_rollout_is_drawn_with_its_pods_and_its_last_news() -> None:
    pods = PodCounts(desired=4, new=3, ready=2, available=1, old=2)
    moved = Progressed(phase=Phase.ROLLOUT, message="1 of 4 new pods available", pods=pods)
    assert drawn(PhaseStarted(phase=Phase.ROLLOUT, detail="deployment/web"), moved, now=108.0) == [
        "⠹ rollout 8s deployment/web",
        "  █████▓▓▓▓▓▒▒▒▒▒░░░░░ new 3/4, ready 2, available 1, old 2",
        "  1 of 4 new pods available",
    ]


def test_a_build_is_drawn_with_the_last_four_lines_of_its_output() -> None:
    output = [BuildOutput(line=f"\x1b[32mline {n}\r") for n in range(9)]
    assert drawn(PhaseStarted(phase=Phase.BUILD), *output, now=100.0) == [
        "⠋ build 0s",
        "  │ line 5",
        "  │ line 6",
        "  │ line 7",
        "  │ line 8",
    ]


def test_a_later_step_also_tells_the_time_in_all() -> None:
    first = View().after(PhaseStarted(phase=Phase.BUILD), 100.0)
    second = first.after(PhaseEnded(phase=Phase.BUILD, seconds=60.0), 160.0)
    assert region(second, 161.0) == []
    rows = region(second.after(PhaseStarted(phase=Phase.PUSH), 161.0), 165.0)
    assert rows[0][0].endswith("push 4s (in all 1m05s)")


@pytest.mark.parametrize(
    "pods",
    [
        PodCounts(),
        PodCounts(desired=3, new=9, ready=9, available=9),
        PodCounts(desired=0, new=2, ready=1, old=5),
        PodCounts(desired=1, new=0, ready=1, available=0),
        PodCounts(desired=5000, new=1),
    ],
)
def test_the_bar_is_as_wide_as_ever_whatever_the_counts(pods: PodCounts) -> None:
    assert len(bar(pods)) == 20


def test_what_is_over_and_the_summary_stay_and_the_drawing_goes(
    good_events: list[Event], good_report: Report, clock: Clock
) -> None:
    stream = Terminal()
    sink = live(stream, clock, width=200)
    for event in good_events:
        sink.emit(event)
    sink.finish(good_report)
    stays = [line for line in ESCAPES.sub("", stream.getvalue()).replace("\r", "").splitlines() if line[:1] in "✓✗!"]
    assert [line.split(" in ")[0] for line in stays if line] == [
        "✓ build 12.4s ghcr.io/acme/web:3f2c1a9",
        "! warning: git history is shallow",
        "✓ rollout 1m05s deployment/web",
        "✓ verify 1.0s",
        "✓ deployed deployment/web",
    ]


def test_the_cursor_is_never_hidden_and_the_screen_never_switched(good_events: list[Event], clock: Clock) -> None:
    stream = Terminal()
    sink = live(stream, clock)
    for event in good_events:
        sink.emit(event)
    sink.close()
    assert "\x1b[?" not in stream.getvalue()


def test_closing_twice_is_fine_and_no_thread_is_left(clock: Clock) -> None:
    before = set(threading.enumerate())
    sink = live(Terminal(), clock)
    started = set(threading.enumerate()) - before
    sink.close()
    sink.close()
    for thread in started:
        thread.join(timeout=2)
    assert started
    assert not any(thread.is_alive() for thread in started)


def test_hostile_text_and_secrets_do_not_reach_the_terminal(clock: Clock) -> None:
    stream = Terminal()
    sink = live(stream, clock)
    hostile = "\x1b]0;title\x07\x1b[2J\x9b2J\u202e[red]hunter2[/red]"
    sink.emit(PhaseStarted(phase=Phase.BUILD, detail=hostile))
    sink.emit(BuildOutput(line=hostile))
    sink.emit(Heartbeat(phase=Phase.BUILD, message=hostile, seconds=1))
    sink.emit(Warned(message=hostile))
    sink.close()
    text = stream.getvalue()
    assert "[red]***[/red]" in text
    for raw in ("\x1b]", "\x07", "\x1b[2J", "\x9b", "\u202e", "hunter2"):
        assert raw not in text


def test_no_row_is_as_wide_as_the_terminal(clock: Clock) -> None:
    stream = Terminal()
    sink = live(stream, clock, width=30)
    sink.emit(PhaseStarted(phase=Phase.BUILD, detail="日本語" * 40))
    sink.emit(replace(BuildOutput(line=""), line="x" * 100))
    sink.close()
    rows = ESCAPES.sub("", stream.getvalue()).replace("\r", "\n").splitlines()
    assert any(row.endswith("…") for row in rows)
    assert max(map(len, rows)) <= 29
