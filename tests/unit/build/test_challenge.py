"""WWW-Authenticate headers as registries send them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.build.challenge import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Basic realm="kdeploy"', [("basic", {"realm": "kdeploy"})]),
        (
            'Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull,push"',
            [
                (
                    "bearer",
                    {"realm": "https://auth.example/token", "service": "reg", "scope": "repository:a/b:pull,push"},
                )
            ],
        ),
        ('Negotiate, Basic realm="x"', [("negotiate", {}), ("basic", {"realm": "x"})]),
        ('BEARER realm = "a\\"b" , Basic realm=plain', [("bearer", {"realm": 'a"b'}), ("basic", {"realm": "plain"})]),
        ("", []),
        ("???", []),
    ],
)
def test_every_way_to_log_in_is_read(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parse_challenges(header) == tuple(Challenge(scheme=name, parameters=found) for name, found in expected)


@given(st.text(max_size=200))
def test_any_header_is_read_without_an_error(header: str) -> None:
    parse_challenges(header)
