"""Which commit is built, and the address of where it comes from."""

import pytest

from kdeploy.build.source import Source, choose_commit, web_address
from kdeploy.errors import ConfigError

A, B = "a" * 40, "b" * 40


def test_a_flag_that_is_not_what_is_checked_out_is_refused() -> None:
    """Else the image would bear one commit's name and hold another's files."""
    with pytest.raises(ConfigError, match="is not what is checked out") as caught:
        choose_commit(A, B, {"GITHUB_SHA": B})
    assert "git checkout" in caught.value.hint


def test_the_flag_goes_before_the_variable() -> None:
    assert choose_commit(A, None, {"GITHUB_SHA": B}) == (A, "--commit", ())


def test_head_goes_before_the_variable_and_the_difference_is_said() -> None:
    chosen, origin, notes = choose_commit(None, A, {"GITHUB_SHA": B})
    assert (chosen, origin) == (A, "HEAD")
    assert notes == (f"HEAD {A[:12]} differs from GITHUB_SHA {B[:12]}; HEAD is built",)


def test_nothing_is_said_where_head_and_the_variable_agree() -> None:
    assert choose_commit(None, A, {"CI_COMMIT_SHA": A.upper()}) == (A, "HEAD", ())


@pytest.mark.parametrize("variable", ["GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT"])
def test_without_git_the_pipelines_variable_names_the_commit(variable: str) -> None:
    assert choose_commit(None, None, {variable: A}) == (A, variable, ())


def test_without_any_commit_the_flag_is_asked_for() -> None:
    with pytest.raises(ConfigError) as caught:
        choose_commit(None, None, {"GITHUB_SHA": ""})
    assert "--commit" in caught.value.hint


@pytest.mark.parametrize("commit", ["main", "--upload-pack=x", "abc", "", "a" * 65, "$(id)"])
def test_what_is_no_commit_id_is_refused(commit: str) -> None:
    with pytest.raises(ConfigError, match="--commit"):
        choose_commit(commit, None, {})


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://user:token@github.com/acme/web.git", "https://github.com/acme/web"),
        ("https://token@git.example:8443/acme/web?private_token=x#y", "https://git.example:8443/acme/web"),
        ("http://git.example/acme/web.git/", "http://git.example/acme/web"),
        ("git@github.com:acme/web.git", "https://github.com/acme/web"),
        ("ssh://git@git.example:2222/acme/web.git", "https://git.example/acme/web"),
        ("/srv/git/web.git", ""),
        ("file:///srv/git/web.git", ""),
        ("../web", ""),
        ("https://[broken/acme", ""),
        ("", ""),
    ],
)
def test_a_remote_becomes_a_web_address_without_credentials(remote: str, address: str) -> None:
    assert web_address(remote) == address


@pytest.mark.parametrize(
    ("source", "exact"),
    [
        (Source(commit=A, origin="HEAD", head=A), True),
        (Source(commit=A, origin="HEAD", head=A, dirty=("f",), dirty_hash="0" * 8), False),
        (Source(commit=A, origin="--commit", head=B), False),
        (Source(commit=A, origin="GITHUB_SHA"), False),
        (Source(commit="abcdef1", origin="--commit", head="abcdef1"), False),
    ],
)
def test_only_clean_files_of_a_full_commit_are_exact(source: Source, exact: bool) -> None:
    assert source.is_exact is exact
