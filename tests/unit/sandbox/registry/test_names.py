"""What may be a part of a path, and what reads as a piece."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeploy.sandbox.registry.errors import RegistryError
from kdeploy.sandbox.registry.names import check_digest, check_name, chunk_range, hex_of, page_size


@pytest.mark.parametrize("name", ["a", "team/web", "a.b/c-d/e__f/g--h", "0/1", "a" * 255])
def test_a_repositorys_name_passes(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "/", "a/", "/a", "a//b", "..", "a/..", ".a", "a.", "_a", "A", "a b", "a\n", "é"])
def test_what_is_no_name_does_not(name: str) -> None:
    with pytest.raises(RegistryError, match="NAME_INVALID"):
        check_name(name)


@given(st.text(alphabet="ab./_-\\\0\n%~", max_size=12))
def test_no_name_that_passes_has_a_part_that_means_something_to_a_file_system(name: str) -> None:
    try:
        check_name(name)
    except RegistryError:
        return
    assert all(part and part[0] in "ab" and part not in (".", "..") for part in name.split("/"))
    assert not set(name) & set("\\\0\n%~")


@settings(max_examples=50)
@given(st.text(max_size=80) | st.from_regex(r"sha256:[0-9a-fA-F/.]{62,66}", fullmatch=True))
def test_a_digest_that_passes_is_64_hex_digits(text: str) -> None:
    try:
        digits = hex_of(text)
    except RegistryError:
        return
    assert len(digits) == 64
    assert set(digits) <= set("0123456789abcdef")


def test_a_digest_with_a_newline_behind_it_is_none() -> None:
    with pytest.raises(RegistryError, match="DIGEST_INVALID"):
        check_digest(f"sha256:{'0' * 64}\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0-0", (0, 0)),
        ("5-1023", (5, 1023)),
        ("-5", None),
        ("5-", None),
        ("bytes 0-5/6", None),
        ("0-5/6", None),
        ("٣-٤", None),
        ("1" * 30 + "-1", None),
    ],
)
def test_a_chunks_range_is_two_numbers(text: str, expected: tuple[int, int] | None) -> None:
    assert chunk_range(text) == expected


def test_a_page_size_is_a_number_or_left_out() -> None:
    assert (page_size(None), page_size("0"), page_size("100")) == (None, 0, 100)
    with pytest.raises(RegistryError, match="PAGINATION_NUMBER_INVALID"):
        page_size("٣")
