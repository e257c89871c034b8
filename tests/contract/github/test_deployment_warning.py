"""GitHub's API may say what it likes: the log gets one warning."""

from __future__ import annotations

import io
from typing import Any

import pytest

from kdeploy.events import Phase, PhaseStarted
from kdeploy.github.api import Api, GithubError
from kdeploy.github.plan import Deployment
from kdeploy.github.sink import DeploymentSink
from kdeploy.model import Outcome, Reason
from kdeploy.report.redact import Redactor
from kdeploy.report.value import Report
from kdeploy.secret import Secret
from tests.unit.report.github.hostile import texts
from tests.unit.report.github.runner import commands

HOSTILE = texts(10_000)
AT_ONCE = 10
"""Texts in one answer, each on a line of its own: each answer costs a thread."""


def test_no_text_of_an_answer_gives_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = Deployment(
        api="http://127.0.0.1:9", repository="acme/web", token=Secret("t0ken"), commit="a" * 40, environment="prod"
    )
    report = Report(outcome=Outcome.DEPLOYED, exit_code=0, reason=Reason.COMPLETE, message="it runs")
    for begin in range(0, len(HOSTILE), AT_ONCE):
        said = "\n".join(HOSTILE[begin : begin + AT_ONCE])

        def refuse(_: Api, __: dict[str, Any], said: str = said) -> int:
            raise GithubError(said)

        monkeypatch.setattr(Api, "create", refuse)
        stream = io.StringIO()
        sink = DeploymentSink(stream, deployment, redact=Redactor())
        sink.emit(PhaseStarted(phase=Phase.PREFLIGHT))
        sink.finish(report)
        (warning,) = commands(stream.getvalue())
        assert (warning.name, warning.properties) == ("warning", {"title": "kdeploy"}), repr(said)
        assert "could not be shown" in warning.data
