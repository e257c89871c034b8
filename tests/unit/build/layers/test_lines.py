"""The text of a Dockerfile as instructions."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.build.layers.lines import LIMIT, Line, read_lines
from kdeploy.build.layers.problems import DockerfileError, UnsupportedError


def lines(text: str) -> list[tuple[int, str, str]]:
    return [(line.number, line.keyword, line.rest) for line in read_lines(text.encode()).lines]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM a\nCMD b", [(1, "FROM", "a"), (2, "CMD", "b")]),
        ("\ufefffrom a\r\n\r\n  cmd  b \r\n", [(1, "FROM", "a"), (3, "CMD", "b")]),
        ("# a comment\nFROM a\n # another\nCMD b # kept", [(2, "FROM", "a"), (4, "CMD", "b # kept")]),
        ("ENV a=1 \\\n    b=2\nCMD c", [(1, "ENV", "a=1     b=2"), (3, "CMD", "c")]),
        ("ENV a=1 \\  \n# between\n\n  # again\nb=2", [(1, "ENV", "a=1 b=2")]),
        ("ENV a=1 \\\n#b=2\nCMD c", [(1, "ENV", "a=1 CMD c")]),
        ("COPY a c:\\\\\nCMD b", [(1, "COPY", "a c:\\\\"), (2, "CMD", "b")]),
        ("COPY a c:\\\\ \nCMD b", [(1, "COPY", "a c:\\\\"), (2, "CMD", "b")]),
        ("COPY a c:\\\\\\\nCMD b", [(1, "COPY", "a c:\\\\\\"), (2, "CMD", "b")]),
        ("COPY a c:\\\\ \\\nb", [(1, "COPY", "a c:\\\\ b")]),
        ("CMD a \\", [(1, "CMD", "a")]),
        ("\\\nCMD a", [(1, "CMD", "a")]),
        ("CMD\ta", [(1, "CMD", "a")]),
        ("CMD", [(1, "CMD", "")]),
    ],
)
def test_lines_are_joined_and_comments_left_out_as_docker_does(text: str, found: list[tuple[int, str, str]]) -> None:
    assert lines(text) == found


@pytest.mark.parametrize(
    ("text", "escape"),
    [
        ("# escape=`\nCMD a `\nb", "`"),
        ("#  Escape = ` \nCMD a `\nb", "`"),
        ("# syntax=docker/dockerfile:1\n# escape=`\nCMD a `\nb", "`"),
        ("# check=skip=all\n# escape=`\nCMD a `\nb", "`"),
        ("# a comment\n# escape=`\nCMD a \\\nb", "\\"),
        ("\n# escape=`\nCMD a \\\nb", "\\"),
        ("# other=1\n# escape=`\nCMD a \\\nb", "\\"),
    ],
)
def test_directives_count_at_the_very_top_only(text: str, escape: str) -> None:
    read = read_lines(text.encode())
    assert read.escape == escape
    assert read.lines[-1].rest == "a b"


@pytest.mark.parametrize(
    "syntax",
    [
        "docker/dockerfile",
        "docker/dockerfile:1",
        "docker/dockerfile:1 some words",
        "docker.io/docker/dockerfile:1.7-labs",
        "docker/dockerfile-upstream:master",
        "reg.example:5000/docker/dockerfile@sha256:1",
    ],
)
def test_dockers_own_syntax_is_taken_whatever_its_version(syntax: str) -> None:
    assert read_lines(f"# syntax={syntax}\nFROM a".encode()).lines


def test_another_syntax_is_another_language_and_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="line 1") as caught:
        read_lines(b"# syntax=acme/frontend\nFROM a")
    assert "--builder buildx" in caught.value.hint


def test_flags_are_what_begins_with_two_dashes_right_after_the_keyword() -> None:
    line = read_lines(b"COPY --chown=1:2  --link a --b /c").lines[0]
    assert line == Line(number=1, keyword="COPY", flags=("--chown=1:2", "--link"), rest="a --b /c")


@pytest.mark.parametrize(
    "heredoc",
    ["RUN <<EOF\nFROM no\nEOF\n", "COPY <<a <<'b' /x\none\na\ntwo\nb\n", 'RUN cat 3<<-"X"\n\tCMD no\n\tX\n'],
)
def test_the_text_of_a_heredoc_is_no_instruction(heredoc: str) -> None:
    found = read_lines(f"FROM a\n{heredoc}CMD b".encode()).lines
    assert [line.keyword for line in found] == ["FROM", heredoc.split()[0], "CMD"]
    assert [line.has_heredoc for line in found] == [False, True, False]


@pytest.mark.parametrize(
    "rest", ["CMD <<EOF", 'RUN echo "a <<EOF b"', "RUN x <<<here", 'RUN ["cat", "<<EOF"]', "RUN a << b"]
)
def test_what_only_looks_like_a_heredoc_is_none(rest: str) -> None:
    assert [line.has_heredoc for line in read_lines(f"{rest}\nCMD b".encode()).lines] == [False, False]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (b"", 1, "no instruction"),
        (b"# nothing\n\n", 1, "no instruction"),
        (b"FROM a\nLABEL x=\xff", 2, "not UTF-8"),
        (b"# escape=x\nFROM a", 1, "neither"),
        (b"# escape=`\n# escape=`\nFROM a", 2, "second"),
        (b"FROM a\nRUN <<EOF\nmake", 2, "EOF has no end"),
        (b"FROM a" + b" " * LIMIT, 1, "larger"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_line(text: bytes, line: int, problem: str) -> None:
    with pytest.raises(DockerfileError, match=problem) as caught:
        read_lines(text)
    assert caught.value.line == line
    assert caught.value.message.startswith(f"Dockerfile line {line}: ")


@given(st.lists(st.text("ab $#'\"", min_size=1).map(lambda text: f"x{text}x"), min_size=1, max_size=5))
def test_a_line_means_the_same_in_one_piece_and_in_several(parts: list[str]) -> None:
    whole = lines("LABEL " + "".join(parts) + "\nCMD z")
    broken = lines("LABEL " + "\\\n".join(parts) + "\nCMD z")
    assert [line[1:] for line in broken] == [line[1:] for line in whole]
    assert broken[1][0] == len(parts) + 1


@given(st.text("RUN<-E \\\n#=`'\"\tab"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(DockerfileError):
        read_lines(text.encode())
