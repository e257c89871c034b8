"""How `kdeploy doctor` takes what a question ends with."""

from __future__ import annotations

import io

import pytest

from kdeploy.cli.questions import EACH, Questions
from kdeploy.cli.run import Session
from kdeploy.clock import Deadline, SystemClock
from kdeploy.config.flags import Flags
from kdeploy.doctor.check import Check, good
from kdeploy.errors import ConfigError, InterruptedBySignalError
from kdeploy.report.redact import Redactor
from kdeploy.report.renderer import renderer
from kdeploy.signals import Signals


@pytest.fixture
def questions() -> Questions:
    clock, redactor, log = SystemClock(), Redactor(), io.StringIO()
    shown = renderer("human", out=log, err=log, clock=clock, redactor=redactor, live=False)
    session = Session(
        flags=Flags(), env={}, clock=clock, redactor=redactor, signals=Signals(), shown=shown, err=log,
        started=clock.now(),
    )  # fmt: skip
    return Questions(session)


def ending_in(error: Exception) -> Check:
    raise error


def test_an_answer_is_what_the_question_found_within_its_time(questions: Questions) -> None:
    assert questions.ask("git", lambda _: good("git", "here")) == good("git", "here")
    assert 0 < questions.ask("git", Deadline.remaining) <= EACH  # type: ignore[operator]


@pytest.mark.parametrize(
    ("error", "passed", "message", "hint"),
    [
        (ConfigError("no such file", hint="name another"), False, "no such file", "name another"),
        (TimeoutError(), None, "not asked: no time is left", ""),
        (KeyError("spec"), False, "a bug in kdeploy: KeyError: 'spec'", "report this"),
    ],
)
def test_an_error_is_an_answer_too_so_that_the_other_questions_are_asked(
    questions: Questions, error: Exception, passed: bool | None, message: str, hint: str
) -> None:
    found = questions.ask("git", lambda _: ending_in(error))
    assert (found.name, found.passed, found.message) == ("git", passed, message)
    assert found.hint.startswith(hint)


def test_a_signal_ends_all_of_them(questions: Questions) -> None:
    with pytest.raises(InterruptedBySignalError):
        questions.ask("git", lambda _: ending_in(InterruptedBySignalError(15)))
