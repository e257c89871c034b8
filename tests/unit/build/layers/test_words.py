"""Words, quotes and variables of a Dockerfile, by Docker's rules."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.build.layers.words import WordError, expand, expand_words, split_words

VARIABLES = {"X": "value", "EMPTY": "", "PATHS": "/usr/lib/a.tar.gz", "STARS": "a*b*c", "SPACED": "one two"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("$X", "value"),
        ("${X}", "value"),
        ("$X$X", "valuevalue"),
        ("$X-tail", "value-tail"),
        ("$Xtail", ""),
        ("${X}tail", "valuetail"),
        ("$MISSING", ""),
        ("$", "$"),
        ("a$ b", "a$ b"),
        ("$5x", "x"),
        ("$=", "$="),
        (r"\$X", "$X"),
        (r"\${X}", "${X}"),
        (r"a\b", "ab"),
        (r"a\\b", r"a\b"),
        ("a\\", "a"),
        ("'$X'", "$X"),
        ('"$X"', "value"),
        (r'"\$X"', "$X"),
        (r'"a\b"', r"a\b"),
        (r'"a\"b"', 'a"b'),
        ('"it\'s"', "it's"),
        (r"'a\'", "a\\"),
        ("a'b'\"c\"d", "abcd"),
        ("한국어 $X", "한국어 value"),
        # https://docs.docker.com/reference/dockerfile/#environment-replacement
        ("${X:-other}", "value"),
        ("${EMPTY:-other}", "other"),
        ("${MISSING:-other}", "other"),
        ("${X-other}", "value"),
        ("${EMPTY-other}", ""),
        ("${MISSING-other}", "other"),
        ("${X:+other}", "other"),
        ("${EMPTY:+other}", ""),
        ("${MISSING:+other}", ""),
        ("${X+other}", "other"),
        ("${EMPTY+other}", "other"),
        ("${MISSING+other}", ""),
        ("${X:?why}", "value"),
        ("${EMPTY?why}", ""),
        ("${MISSING:-$X}", "value"),
        ("${MISSING:-${EMPTY:-${X}}}", "value"),
        ("${MISSING:-'a}b'}", "a}b"),
        (r"${MISSING:-a\}b}", "a}b"),
        ("${MISSING:-}", ""),
        ("${X:+-${X}}", "-value"),
        ("${PATHS#*/}", "usr/lib/a.tar.gz"),
        ("${PATHS##*/}", "a.tar.gz"),
        ("${PATHS%.*}", "/usr/lib/a.tar"),
        ("${PATHS%%.*}", "/usr/lib/a"),
        ("${PATHS#nothing}", "/usr/lib/a.tar.gz"),
        ("${PATHS%%/*}", ""),
        ("${PATHS%?}", "/usr/lib/a.tar.g"),
        (r"${STARS#*\*}", "b*c"),
        (r"${STARS##*\*}", "c"),
        (r"${STARS//\*/-}", "a-b-c"),
        ("${PATHS/lib/bin}", "/usr/bin/a.tar.gz"),
        ("${PATHS/./-}", "/usr/lib/a-tar.gz"),
        ("${PATHS//./-}", "/usr/lib/a-tar-gz"),
        (r"${PATHS//\//_}", "_usr_lib_a.tar.gz"),
        ("${PATHS///}", "/usr/lib/a.tar.gz"),
        ("${MISSING#a}${MISSING/a/b}", ""),
    ],
)
def test_a_word_is_expanded_as_docker_does(text: str, expanded: str) -> None:
    assert expand(text, VARIABLES) == expanded


@pytest.mark.parametrize(
    "text",
    [
        *("${", "${}", "${:}", "${{X}}", "${X", "${X:", "${X:-", "${X:-a", "${X=a}", "${X:=a}", "'a", '"a'),
        *("${MISSING?}", "${EMPTY:?}", "${X//a}", "${X/a", r"${X#\x}", "${a:-" * 40 + "}" * 40),
    ],
)
def test_a_broken_word_is_refused(text: str) -> None:
    with pytest.raises(WordError):
        expand(text, VARIABLES)


def test_the_word_after_a_question_mark_is_what_is_said() -> None:
    with pytest.raises(WordError, match="MISSING: give a value"):
        expand("${MISSING:?give a $(nothing)${EMPTY:+x}value}".replace("$(nothing)", ""), VARIABLES)


def test_another_escape_character_leaves_backslashes_alone() -> None:
    assert expand(r"C:\app\`$X", VARIABLES, "`") == r"C:\app\$X"


@pytest.mark.parametrize(
    ("text", "words"),
    [("80 90", ["80", "90"]), ("$SPACED x", ["one", "two", "x"]), ('"$SPACED" x', ["one two", "x"]), ("$EMPTY", [])],
)
def test_a_variable_may_hold_several_words_unless_it_is_quoted(text: str, words: list[str]) -> None:
    assert expand_words(text, VARIABLES) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a=1 b=2", ["a=1", "b=2"]),
        ("a=\"1 2\" b='3 4'", ['a="1 2"', "b='3 4'"]),
        (r"a=1\ 2 b", [r"a=1\ 2", "b"]),
        (r'a="x\" y" b', [r'a="x\" y"', "b"]),
        ('a=""', ['a=""']),
        ("  a \t b ", ["a", "b"]),
        ("a\\", ["a"]),
        ("'open end", ["'open end"]),
        ("", []),
    ],
)
def test_a_line_is_divided_outside_of_quotes(text: str, words: list[str]) -> None:
    assert split_words(text, "\\") == words


plain = st.text(st.characters(blacklist_characters="\\$'\"", blacklist_categories=["Cs"]))


@given(plain)
def test_text_without_a_special_character_stays_as_it_is(text: str) -> None:
    assert expand(text, VARIABLES) == text


@given(st.text())
def test_any_text_survives_escaped_or_quoted(text: str) -> None:
    assert expand("".join(f"\\{char}" for char in text), VARIABLES) == text
    assert expand("'" + text.replace("'", "'\"'\"'") + "'", VARIABLES) == text
    assert expand("$T ${T} ${N:-$T} ${T:+$T}", {"T": text}) == " ".join(
        (text, text, text, text) if text else (text, text, text, "")
    )


@given(st.text("ab${}:-+?#%/\\'\"* "))
def test_nothing_that_is_written_breaks_the_lexer(text: str) -> None:
    with contextlib.suppress(WordError):
        expand(text, VARIABLES)
    with contextlib.suppress(WordError):
        expand_words(text, VARIABLES)
    split_words(text, "\\")
