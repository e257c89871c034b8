"""The words of an image's label, and what they mean."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.sandbox.core.behaviour import Answer, Behaviour, BehaviourError, of_label, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Behaviour()),
        (
            "pull=2s start=250ms ready-after=1m30s stop-after=1s",
            Behaviour(pull=2, start=0.25, ready_after=90, stop_after=1),
        ),
        ("never-ready", Behaviour(ready_after=math.inf)),
        ("exit=7", Behaviour(exit_code=7)),
        ("exit=0 exit-after=10s exits=2", Behaviour(exit_code=0, exit_after=10, exits=2)),
        ("exit-after=10s", Behaviour(exit_code=1, exit_after=10)),
        ("oom", Behaviour(exit_code=137, out_of_memory=True)),
        ("hangs-after=5s", Behaviour(hangs_after=5)),
        ("start-error='no shell here'", Behaviour(start_error="no shell here")),
        ('log="no database" log=bye message=gone', Behaviour(logs=("no database", "bye"), message="gone")),
        ("http:/health=500@10s", Behaviour(answers=(Answer(path="/health", what="500", after=10),))),
        (
            "http=refused http:/a=hangs",
            Behaviour(answers=(Answer(path="", what="refused"), Answer(path="/a", what="hangs"))),
        ),
    ],
)
def test_words_have_their_meaning(text: str, expected: Behaviour) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("readyafter=1s", "there is no such word; there are exit, exit-after,"),
        ("ready-after", "it needs a duration"),
        ("ready-after=1", "has no unit"),
        ("ready-after=soon", "is not a duration"),
        ("never-ready=yes", "takes no value"),
        ("exit=256", "an exit code from 0 to 255"),
        ("exit=-1", "an exit code from 0 to 255"),
        ("exits=0", "a number of runs"),
        ("http:/a=99", "a status from 200 to 599"),
        ("http:a=200", "must begin with /"),
        ("http:/a", "a status from 200 to 599"),
        ("http=needs:", "or needs:SERVICE"),
        ("http=needs:A_b", "or needs:SERVICE"),
        ("message=", "needs a text"),
        ("log", "there is no such word"),
        ("log='open", "cannot be split into words"),
        ("exit=٣", "an exit code from 0 to 255"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(BehaviourError, match=why):
        parse(text)
    assert why in (of_label(text).start_error or "")


def test_hostile_text_is_shown_on_one_line() -> None:
    error = of_label("\x1b[31mexit\n=1").start_error
    assert error is not None
    assert "\x1b" not in error
    assert "\n" not in error


@given(st.text(max_size=60))
def test_no_text_is_too_strange(text: str) -> None:
    assert isinstance(of_label(text), Behaviour)


@pytest.mark.parametrize(
    ("text", "path", "seconds", "expected"),
    [
        ("", "/any", 0, "200"),
        ("http=404", "/any", 0, "404"),
        ("http=404 http:/health=200", "/health", 0, "200"),
        ("http:/health=500@10s", "/health", 9.9, "200"),
        ("http:/health=500@10s", "/health", 10, "500"),
        ("http:/health=500 http:/health=200@5s http:/health=503@9s", "/health", 7, "200"),
        ("http=500 http=201", "/", 0, "201"),
        ("hangs-after=3s http=200", "/", 3, "hangs"),
        ("http=refused@1s", "/", 2, "refused"),
        ("http:/health=needs:there", "/health", 0, "200"),
        ("http:/health=needs:not-there", "/health", 0, "500"),
    ],
)
def test_answers_change_with_time(text: str, path: str, seconds: float, expected: str) -> None:
    assert parse(text).answer(path, seconds, lambda service: service == "there") == expected


def test_only_so_many_runs_end() -> None:
    behaviour = parse("exit=1 exit-after=2s exits=2")
    assert [behaviour.exits_at(run) for run in range(3)] == [2, 2, None]
    assert parse("").exits_at(0) is None


def test_what_comes_next_is_known() -> None:
    behaviour = parse("ready-after=5s http:/a=500@9s hangs-after=30s")
    assert [behaviour.next_change(at) for at in (0, 5, 9, 30)] == [5, 9, 30, None]
    assert parse("never-ready").next_change(0) is None
