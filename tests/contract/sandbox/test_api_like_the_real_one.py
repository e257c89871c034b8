"""The sandbox's API server answers as a real one did: `python -m tests.contract.sandbox.real` recorded the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.sandbox.api_world import TOKEN, world
from tests.contract.sandbox.real.cases import Case, all_cases
from tests.contract.sandbox.real.exchange import Server

RECORDED: dict[str, list[Any]] = json.loads((Path(__file__).parent / "real" / "answers.json").read_text())

DIFFERENT = {
    "strategic patch: another uid": "the real one names the cause twice",
    "create from text": "the sandbox reads no YAML",
    "get in a form that there is not": "the sandbox writes no YAML",
}
"""What the sandbox answers otherwise, and why."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with world() as served:
        server = Server(served.url, TOKEN)
        server.prepare()
        yield server


@pytest.mark.parametrize("case", [one for one in all_cases() if one.name in RECORDED], ids=lambda case: case.name)
def test_the_answer_is_that_of_a_real_api_server(server: Server, case: Case) -> None:
    status, body = RECORDED[case.name]
    answered = server.answer(case)
    if case.name in DIFFERENT:
        assert answered != (status, body), "it is the same after all"
    else:
        assert answered == (status, body)


def test_every_request_was_recorded() -> None:
    assert {case.name for case in all_cases() if case.request.token} == set(RECORDED)
