"""The same requests get the same status and codes as from Docker's registry 2.8, but for what is listed."""

from __future__ import annotations

import json

from tests.contract.sandbox.registry.conftest import Served
from tests.contract.sandbox.registry.conversation import RECORD, converse
from tests.contract.sandbox.registry.differences import DIFFERENCES

DOCKERS = json.loads(RECORD.read_text())


def test_it_answers_as_dockers_registry_does_but_for_the_listed_differences(registry: Served) -> None:
    assert converse(registry.ask) == DOCKERS | DIFFERENCES


def test_what_is_listed_as_different_is_different() -> None:
    assert not [name for name, answer in DIFFERENCES.items() if DOCKERS[name] == answer]
