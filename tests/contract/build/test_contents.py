"""What decides whether a commit's image may be reused: all that its builder gets, and not git's word alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kdeploy.build import inspect_source, request_build
from kdeploy.build.contents import context_hash
from kdeploy.build.plan import INPUTS_LABEL
from kdeploy.config.settings import BuildOptions
from kdeploy.errors import BuildError, ConfigError
from tests.contract.build.conftest import deep
from tests.contract.build.test_git import ENV, commit, git, repo, soon

__all__ = ["repo"]


def inputs(context: Path, *, dockerfile: Path | None = None, beside: tuple[str, ...] = (), **env: str) -> str:
    """The hash of the inputs; "" where an image of them must not be reused."""
    options = BuildOptions(context=str(context), dockerfile=str(dockerfile or context / "Dockerfile"))
    known = {**ENV, **env}
    source = inspect_source(options, None, known, soon(), beside=beside)
    request = request_build(options, source, known, soon(), repository="web")
    assert request.reusable is (INPUTS_LABEL in request.labels)
    return request.labels.get(INPUTS_LABEL, "")


def test_the_same_commit_has_the_same_inputs_wherever_it_is_checked_out(repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(repo), "again")
    assert inputs(repo) == inputs(tmp_path / "again") != ""
    os.utime(repo / "app", (1, 1))
    (repo / ".git" / "more").write_text("git's own")
    (repo / "app").chmod(0o664)  # another umask
    assert inputs(repo) == inputs(tmp_path / "again")


def write_ignored(repo: Path) -> None:
    (repo / "ignored").write_text("what git ignores")


def change_assumed_unchanged(repo: Path) -> None:
    git(repo, "update-index", "--assume-unchanged", "app")
    (repo / "app").write_text("tampered")


def leave_out_sparsely(repo: Path) -> None:
    git(repo, "sparse-checkout", "set", "--no-cone", "/*", "!/api")


def change_a_mode(repo: Path) -> None:
    (repo / "app").chmod(0o600)


def make_it_a_program_that_git_takes_no_notice_of(repo: Path) -> None:
    git(repo, "config", "core.fileMode", "false")
    (repo / "app").chmod(0o755)


def make_an_empty_folder(repo: Path) -> None:
    (repo / "empty").mkdir()


@pytest.mark.parametrize(
    "change",
    [
        write_ignored, change_assumed_unchanged, leave_out_sparsely, change_a_mode,
        make_it_a_program_that_git_takes_no_notice_of, make_an_empty_folder,
    ],
)  # fmt: skip
def test_what_git_calls_clean_counts_all_the_same(repo: Path, change: Callable[[Path], None]) -> None:
    before = inputs(repo)
    change(repo)
    assert inputs(repo) not in (before, "")


@pytest.fixture
def module(repo: Path, tmp_path: Path) -> Path:
    """A submodule of `repo`, whose own changes git is told to ignore."""
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    commit(other, lib="one", **{".gitignore": "dist\n"})
    git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "sub")
    git(repo, "config", "--file", ".gitmodules", "submodule.sub.ignore", "all")
    commit(repo)
    return repo / "sub"


def test_what_a_submodule_ignores_and_whether_it_is_there_counts(repo: Path, module: Path) -> None:
    whole = inputs(repo)
    (module / "dist").write_text("built by hand")
    assert inputs(repo) not in (whole, "")
    (module / "dist").unlink()
    assert inputs(repo) == whole
    git(repo, "submodule", "--quiet", "deinit", "--force", "sub")
    assert inputs(repo) not in (whole, "")


def test_a_changed_submodule_is_changed_whatever_it_is_told_to_ignore(repo: Path, module: Path) -> None:
    (module / "lib").write_text("two")
    with pytest.raises(BuildError, match="no changed files"):
        inputs(repo, CI="true")


def test_what_dockerignore_leaves_out_does_not_count_but_for_its_exceptions(repo: Path) -> None:
    (repo / ".dockerignore").write_text("ignored\n!ignored/app.py\n")
    commit(repo)
    (repo / "ignored").mkdir()
    nothing = inputs(repo)
    (repo / "ignored" / "other.py").write_text("not sent")
    assert inputs(repo) == nothing
    (repo / "ignored" / "app.py").write_text("sent")
    assert inputs(repo) not in (nothing, "")


def test_the_rules_hold_where_the_context_is_a_link(repo: Path) -> None:
    (repo / ".dockerignore").write_text("*\n!app\n")
    commit(repo)
    (repo.parent / "current").symlink_to(repo)
    before = inputs(repo.parent / "current")
    assert before == inputs(repo)
    (repo / "app").write_text("tampered")
    with pytest.raises(BuildError, match="no changed files"):
        inputs(repo.parent / "current", CI="true")


def test_a_dockerfile_elsewhere_counts_with_its_ignore_file(repo: Path) -> None:
    (repo / "docker").mkdir()
    ignore = repo / "docker" / "Dockerfile.dockerignore"
    ignore.write_text("secret\n")
    (repo / "docker" / "Dockerfile").write_text("FROM scratch\n")
    commit(repo)
    before = inputs(repo / "api", dockerfile=repo / "docker" / "Dockerfile")
    ignore.write_text("")
    with pytest.raises(BuildError, match="no changed files"):
        inputs(repo / "api", dockerfile=repo / "docker" / "Dockerfile", CI="true")
    commit(repo)
    assert inputs(repo / "api", dockerfile=repo / "docker" / "Dockerfile") not in (before, "")


def test_a_nested_repository_of_which_an_exception_is_sent_is_a_change(repo: Path) -> None:
    (repo / ".dockerignore").write_text("vendor\n!vendor/lib/dist\n")
    commit(repo)
    nested = repo / "vendor" / "lib"
    nested.mkdir(parents=True)
    git(nested, "init", "--quiet")
    commit(nested, dist="one")
    assert inputs(repo) == ""
    with pytest.raises(BuildError) as caught:
        inputs(repo, CI="true")
    assert "vendor/lib" in caught.value.hint


def test_what_kdeploy_writes_itself_is_no_change_of_the_checkout_but_a_part_of_what_is_built(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = inputs(repo)
    monkeypatch.chdir(repo)
    Path("trace.jsonl").write_text("of this run")
    assert inputs(repo, beside=("trace.jsonl",), CI="true") not in (before, "")
    with pytest.raises(BuildError, match="no changed files"):
        inputs(repo, CI="true")


def test_another_platform_by_dockers_own_variable_counts(repo: Path) -> None:
    assert inputs(repo, DOCKER_DEFAULT_PLATFORM="linux/arm64") not in (inputs(repo), "")


def test_an_ignore_file_that_is_a_link_counts_by_what_it_says(repo: Path) -> None:
    (repo / "rules").write_text("a\n")
    (repo / "Dockerfile.dockerignore").symlink_to("rules")
    (repo / "api" / "Dockerfile").write_text("FROM scratch\n")
    (repo / "api" / "Dockerfile.dockerignore").symlink_to("../rules")
    commit(repo)
    before = inputs(repo / "api")
    (repo / "rules").write_text("b\n")
    commit(repo)
    assert inputs(repo / "api") not in (before, "")


def test_outside_of_git_and_with_a_tag_of_ones_own_nothing_is_read(repo: Path, tmp_path: Path) -> None:
    head = git(repo, "rev-parse", "HEAD")
    options = BuildOptions(context=str(repo), dockerfile=f"{repo}/Dockerfile")
    tagged = request_build(options, inspect_source(options, None, ENV, soon()), ENV, soon(), repository="web", tag="v1")
    assert not tagged.reusable
    (repo / ".git").rename(tmp_path / "git")
    assert inputs(repo, GITHUB_SHA=head) == ""


def test_files_without_end_are_not_read_beyond_the_time(repo: Path) -> None:
    def check() -> None:
        raise TimeoutError

    with pytest.raises(ConfigError, match="in time") as caught:
        context_hash(str(repo), None, check=check)
    assert "--build-timeout" in caught.value.hint


def test_folders_without_end_are_no_bug(tmp_path: Path) -> None:
    with deep(tmp_path):
        assert context_hash(str(tmp_path), None) == context_hash(str(tmp_path), f"{tmp_path}/{'x' * 300}")


def test_where_a_folder_ends_is_told(tmp_path: Path) -> None:
    (tmp_path / "one" / "x").mkdir(parents=True)
    (tmp_path / "one" / "y").write_text("")
    (tmp_path / "two" / "x").mkdir(parents=True)
    (tmp_path / "two" / "x" / "y").write_text("")
    assert context_hash(str(tmp_path / "one"), None) != context_hash(str(tmp_path / "two"), None)
