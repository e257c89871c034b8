from __future__ import annotations

from collections.abc import Callable

import pytest

from docs.generate import EXAMPLE, FOLDER, PAGES
from docs.make_action import describe
from kdeploy.cli.inputs import INPUTS
from kdeploy.config.file import parse_config
from kdeploy.config.flags import Flags
from kdeploy.config.settings import resolve


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_a_generated_page_is_what_the_code_says(name: str, page: Callable[[], str]) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == page(), "run: make docs"


def test_no_description_of_an_action_holds_an_expression() -> None:
    """GitHub evaluates it, knows no context there, and does not load the action."""
    assert [text for text in map(describe, INPUTS) if "${{" in text] == []


def test_the_example_of_the_docs_is_understood() -> None:
    settings = resolve(parse_config(EXAMPLE.encode(), "kdeploy.yaml"), Flags(env="prod"))
    assert (settings.context, settings.url, settings.limits.timeout) == ("prod", "https://shop.example", 1200)
