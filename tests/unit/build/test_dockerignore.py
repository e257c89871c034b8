"""What .dockerignore leaves out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.build.dockerignore import compile_component, is_ignored, parse_dockerignore


@pytest.mark.parametrize(
    ("text", "path", "ignored"),
    [
        ("*.md", "a.md", True),
        ("*.md", "docs/a.md", False),
        ("**/*.md", "docs/deep/a.md", True),
        ("**/*.md", "a.md", True),
        ("docs", "docs/deep/a", True),
        ("/docs/", "docs/a", True),
        ("docs", "other/docs", False),
        ("docs/**", "docs/deep/a", True),
        ("docs/**/end", "docs/end", True),
        ("docs/**/end", "docs/a/b/end", True),
        ("docs/**/end", "docs/send", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("[^ab].txt", "b.txt", False),
        ("a.c", "abc", False),
        ("a+(b)|c", "a+(b)|c", True),
        (r"\*.md", "*.md", True),
        (r"\*.md", "a.md", False),
        ("readme", "README", False),
        ("# note\n\n  a  ", "a", True),
        ("# note", "# note", False),
        ("*\n!kept", "kept", False),
        ("*\n!kept", "other", True),
        ("docs\n!docs/kept", "docs/kept", False),
        ("!kept\n*", "kept", True),
        ("./a/../b", "b", True),
        ("\ufeffa", "a", True),
        ("[[].txt", "[.txt", True),
        (r"[\]a&&b-]", "&", True),
        ("[a-c]x", "bx", True),
        ("[z-a]", "b", False),
        ("[a", "[a", False),
        (".", "a", False),
        ("", "a", False),
    ],
)
def test_a_path_is_matched_as_docker_does(text: str, path: str, ignored: bool) -> None:
    assert is_ignored(path, parse_dockerignore(text)) is ignored


@pytest.mark.parametrize("mark", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_a_newline_alone_ends_a_line(mark: str) -> None:
    rules = parse_dockerignore(f"secret{mark}*\r\ndocs")
    assert [is_ignored(path, rules) for path in (f"secret{mark}x", "docs", "app.py")] == [True, True, False]


def matches(pattern: str, path: str) -> bool:
    """Go's filepath.Match for stars, question marks and letters, by trying all there is."""
    if not pattern:
        return not path
    if pattern[0] == "*":
        ends = range(len(path.partition("/")[0]) + 1)
        return any(matches(pattern[1:], path[end:]) for end in ends)
    same = path and (path[0] == pattern[0] or (pattern[0] == "?" and path[0] != "/"))
    return bool(same) and matches(pattern[1:], path[1:])


@given(st.text("ab*?", min_size=1, max_size=8), st.text("ab", max_size=8))
def test_several_stars_in_a_name_match_as_go_does(pattern: str, path: str) -> None:
    if "**" not in pattern:
        assert bool(compile_component(pattern).fullmatch(path)) is matches(pattern, path)


@given(st.text("ab*?/", min_size=1, max_size=10), st.text("ab/", max_size=8))
def test_several_stars_in_a_path_match_as_go_does(pattern: str, path: str) -> None:
    assert bool(compile_component(pattern).fullmatch(path)) is matches(pattern, path)


def test_a_class_may_stand_for_the_slash_as_docker_has_it() -> None:
    assert is_ignored("x/c", parse_dockerignore("*[^a]*c"))


def test_stars_in_plenty_come_to_an_end() -> None:
    assert not is_ignored("a" * 200, parse_dockerignore("**/" + "*a" * 20 + "b"))


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_read_without_an_error(text: str, path: str) -> None:
    is_ignored(path, parse_dockerignore(text))


@pytest.mark.parametrize("text", ["a\n[a", "a\n[z-a]", "a\n![]"])
def test_a_pattern_that_docker_refuses_is_named_where_that_is_asked_for(text: str) -> None:
    with pytest.raises(ValueError, match="line 2: "):
        parse_dockerignore(text, strict=True)
