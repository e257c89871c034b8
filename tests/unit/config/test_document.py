from __future__ import annotations

import time

import pytest

from kdeploy.config.document import Caps, line_of, load
from kdeploy.errors import ConfigError


def refused(text: str | bytes, caps: Caps | None = None) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigError) as caught:
        load(data, "kdeploy.yaml", caps or Caps())
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_document_becomes_plain_values() -> None:
    text = b"a: [1, 2.5, true, null, x, 'y']\nb: {c: \"1\"}\nd: |\n  text\n"
    assert load(text, "f") == {"a": [1, 2.5, True, None, "x", "y"], "b": {"c": "1"}, "d": "text\n"}


def test_json_is_read_as_well() -> None:
    assert load(b'{"a": [1, {"b": "2"}], "t": "\\t"}', "f") == {"a": [1, {"b": "2"}], "t": "\t"}


@pytest.mark.parametrize("text", ["yes", "no", "on", "off", "1:30", "2024-01-31", "0x1F", "1_000", ".inf", "1.2.3"])
def test_the_traps_of_yaml_1_1_are_plain_texts(text: str) -> None:
    assert load(f"a: {text}".encode(), "f") == {"a": text}


def test_keys_are_texts_whatever_they_look_like() -> None:
    assert load(b"1: a\ntrue: b\n", "f") == {"1": "a", "true": "b"}


def test_a_byte_order_mark_is_no_matter() -> None:
    assert load(b"\xef\xbb\xbfa: 1", "f") == {"a": 1}


@pytest.mark.parametrize("text", ["a: [1\nb: ]", "a: b\n\tc: d", "a: 'x", "a: b: c", "- a\nb: c", "{"])
def test_malformed_yaml_is_refused_with_file_and_line(text: str) -> None:
    message = refused(text)
    assert message.startswith("kdeploy.yaml:")
    assert "not valid YAML" in message


def test_a_duplicate_key_is_refused_where_it_stands() -> None:
    assert refused("a: 1\nb:\n  c: 1\n  c: 2\n") == 'kdeploy.yaml:4: the key "c" stands twice'


def test_a_second_document_is_refused() -> None:
    assert refused("a: 1\n---\nb: 2\n").startswith("kdeploy.yaml:2: a second document")


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!int", "!secret", "!!binary"])
def test_tags_are_refused(tag: str) -> None:
    assert "is not supported" in refused(f"a: {tag} x")


def test_merge_keys_are_refused_by_name() -> None:
    assert "merge keys" in refused("a: &x {b: 1}\nc:\n  <<: *x\n")


def test_a_control_character_is_refused_with_its_line() -> None:
    assert refused("a: 1\nb: \x01\n").startswith("kdeploy.yaml:2: ")


def test_what_is_not_utf_8_is_refused_with_its_line() -> None:
    assert refused(b"a: 1\nb: \xff\n") == "kdeploy.yaml:2: not UTF-8 text"


def test_an_alias_stands_for_its_value() -> None:
    assert load(b"a: &x [1, 2]\nb: *x\n", "f") == {"a": [1, 2], "b": [1, 2]}


def test_an_alias_bomb_is_refused_before_it_goes_off() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    started = time.process_time()
    assert "more than 20,000 values" in refused("\n".join(levels))
    assert time.process_time() - started < 1


def test_many_aliases_are_refused() -> None:
    assert "more than 100 aliases" in refused("a: &x 1\nb: [" + ", ".join(["*x"] * 101) + "]")


@pytest.mark.parametrize("text", ["a: *nobody", "a: &x [*x]", "a: &x {b: *x}"])
def test_an_alias_of_nothing_or_of_itself_is_refused(text: str) -> None:
    assert refused(text).startswith("kdeploy.yaml:1: ")


def test_deep_nesting_is_refused() -> None:
    assert "nested more than 50 deep" in refused("[" * 60 + "]" * 60)


def test_very_deep_nesting_does_not_exhaust_the_stack() -> None:
    assert refused("[" * 200_000)


def test_many_values_are_refused() -> None:
    assert "more than 20,000 values" in refused("- x\n" * 20_001)


def test_a_large_file_is_refused_unread() -> None:
    assert refused(b"#" * (1024 * 1024 + 1)) == "kdeploy.yaml: larger than 1,048,576 bytes"


@pytest.mark.parametrize("text", ["[a]: 1", "{a: 1}: 2", "? [x]\n: 1"])
def test_a_key_that_is_no_text_is_refused(text: str) -> None:
    assert "key is not a text" in refused(text)


def test_the_line_of_a_path_is_its_keys_line() -> None:
    text = b"a:\n  - b: 1\n  - c:\n      d: 2\n"
    assert [line_of(text, path) for path in ((), ("a",), ("a", 0), ("a", 1, "c"), ("a", 1, "c", "d"))] == [
        1,
        1,
        2,
        3,
        4,
    ]


def test_a_path_that_does_not_exist_has_the_line_of_its_deepest_part() -> None:
    assert line_of(b"x: 1\na:\n  b: 1\n", ("a", "b", "c")) == 3
