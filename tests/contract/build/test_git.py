"""What real git tells of real repositories."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from kdeploy.build import inspect_source, request_build
from kdeploy.build.git import Git, GitHistory
from kdeploy.build.source import Source, inspect
from kdeploy.clock import Deadline
from kdeploy.config.settings import BuildOptions
from kdeploy.errors import ConfigError

ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05+01:00",
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, env=ENV, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, **files: str) -> str:
    for name, text in files.items():
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "work")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text("ignored\n")
    (folder / "api").mkdir()
    (folder / "api" / "main.py").write_text("print(1)\n")
    commit(folder, Dockerfile="FROM scratch\n", app="one")
    return folder


def look(folder: Path, flag: str | None = None, **more: str) -> Source:
    return inspect(str(folder), flag, {**ENV, **more}, dockerfile=str(folder / "Dockerfile"))


def test_a_clean_checkout_tells_its_commit_time_tag_and_origin(repo: Path) -> None:
    head = git(repo, "rev-parse", "HEAD")
    git(repo, "tag", "v1.2.3")
    git(repo, "remote", "add", "origin", "https://ann:token@github.com/acme/shop.git")
    assert look(repo) == Source(
        commit=head,
        origin="HEAD",
        head=head,
        remote="https://github.com/acme/shop",
        created="2026-01-02T03:04:05+01:00",
        title="shop",
        version="v1.2.3",
    )


def test_a_short_commit_is_made_whole(repo: Path) -> None:
    head = git(repo, "rev-parse", "HEAD")
    source = look(repo, head[:8])
    assert (source.commit, source.origin, source.is_exact) == (head, "--commit", True)


def test_a_commit_that_is_not_checked_out_is_refused(repo: Path) -> None:
    old = git(repo, "rev-parse", "HEAD")
    commit(repo, app="two")
    with pytest.raises(ConfigError, match="not what is checked out"):
        look(repo, old)


def test_an_option_in_the_place_of_a_commit_is_refused(repo: Path) -> None:
    with pytest.raises(ConfigError, match="--commit"):
        look(repo, "--help")


@pytest.mark.parametrize("name", ["app", "new", ".dockerignore", "Dockerfile", "na\u00efve \u202e name"])
def test_changed_and_untracked_files_make_it_dirty(repo: Path, name: str) -> None:
    (repo / name).write_text("changed")
    source = look(repo)
    assert source.dirty == (name,)
    assert len(source.dirty_hash) == 8


def test_deleted_and_staged_files_make_it_dirty(repo: Path) -> None:
    (repo / "app").unlink()
    (repo / "staged").write_text("x")
    git(repo, "add", "staged")
    assert look(repo).dirty == ("app", "staged")


def test_the_hash_follows_content_mode_and_kind_and_comes_back(repo: Path) -> None:
    seen = set()
    file = repo / "app"
    file.write_text("two")
    seen.add(first := look(repo).dirty_hash)
    file.chmod(0o755)
    seen.add(look(repo).dirty_hash)
    file.unlink()
    seen.add(look(repo).dirty_hash)
    file.symlink_to("two")
    seen.add(look(repo).dirty_hash)
    assert len(seen) == 4
    file.unlink()
    file.write_text("two")
    assert look(repo).dirty_hash == first


def test_what_git_or_docker_ignores_does_not_count(repo: Path) -> None:
    commit(repo, **{".dockerignore": "*.md\nreports\nDockerfile\n!kept.md\n"})
    (repo / "ignored").write_text("x")
    (repo / "notes.md").write_text("x")
    (repo / "reports").mkdir()
    (repo / "reports" / "deep").write_text("x")
    assert look(repo).dirty == ()
    (repo / "kept.md").write_text("x")
    (repo / "Dockerfile").write_text("FROM other\n")
    assert look(repo).dirty == ("Dockerfile", "kept.md")


def test_a_dockerfile_with_an_ignore_file_of_its_own_leaves_nothing_out(repo: Path) -> None:
    commit(repo, **{".dockerignore": "*.md\n", "Dockerfile.dockerignore": ""})
    (repo / "notes.md").write_text("x")
    assert look(repo).dirty == ("notes.md",)


def test_only_what_lies_below_the_context_counts_and_the_dockerfile(repo: Path) -> None:
    (repo / "app").write_text("changed")
    api = repo / "api"
    inside = inspect(str(api), None, ENV)
    assert (inside.dirty, inside.is_exact) == ((), True)
    (repo / "Dockerfile").write_text("FROM other\n")
    assert inspect(str(api), None, ENV, dockerfile=str(repo / "Dockerfile")).dirty == ("../Dockerfile",)


def test_a_dockerfile_outside_of_the_repository_is_no_matter_of_git(repo: Path, tmp_path: Path) -> None:
    outside = tmp_path / "Dockerfile"
    outside.write_text("FROM scratch\n")
    assert inspect(str(repo), None, ENV, dockerfile=str(outside)).dirty == ()


def test_a_nested_repository_counts_with_all_that_it_holds(repo: Path) -> None:
    nested = repo / "nested"
    nested.mkdir()
    git(nested, "init", "--quiet")
    commit(nested, file="one")
    before = look(repo)
    commit(nested, file="two")
    assert before.dirty == ("nested",)
    assert look(repo).dirty_hash != before.dirty_hash


def test_head_wins_over_the_pipelines_variable(repo: Path) -> None:
    source = look(repo, GITHUB_SHA="b" * 40)
    assert source.origin == "HEAD"
    assert "GITHUB_SHA" in source.notes[0]


def test_outside_of_git_the_variable_counts_and_nothing_is_exact(tmp_path: Path) -> None:
    source = look(tmp_path, GIT_COMMIT="b" * 40)
    assert (source.commit, source.origin, source.is_exact) == ("b" * 40, "GIT_COMMIT", False)


def test_outside_of_git_without_a_commit_the_flag_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        look(tmp_path)
    assert "--commit" in caught.value.hint


def test_a_repository_without_a_commit_needs_one_too(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(ConfigError, match="no commit"):
        look(tmp_path)


def test_without_the_git_program_the_flag_still_works(repo: Path) -> None:
    source = inspect(str(repo), "b" * 40, {"PATH": "/nonexistent"})
    assert (source.commit, source.notes) == ("b" * 40, ("the git program is not on PATH",))


def test_a_git_program_that_is_missing_is_told_where_there_is_a_checkout(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the git program is not on PATH") as caught:
        inspect(str(repo / "."), None, {"PATH": "/nonexistent"})
    assert caught.value.hint.startswith("install git")
    (tmp_path / "plain").mkdir()
    with pytest.raises(ConfigError, match="is not a git repository"):
        inspect(str(tmp_path / "plain"), None, {"PATH": "/nonexistent"})


def test_a_missing_context_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        inspect(str(tmp_path / "nowhere"), None, ENV)


def test_a_broken_repository_is_an_error_and_not_no_repository(repo: Path) -> None:
    (repo / ".git" / "config").write_text("[broken")
    with pytest.raises(ConfigError, match="git failed"):
        look(repo)


def test_a_repository_of_another_user_is_read_all_the_same(repo: Path) -> None:
    if os.geteuid():
        pytest.skip("only root may give files away")
    for path in [repo, *repo.rglob("*")]:
        os.chown(path, 12345, 12345)
    assert look(repo).origin == "HEAD"


def test_nothing_that_the_repository_brings_along_is_run(repo: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for setting in ("core.fsmonitor", "core.pager", "diff.external", "core.editor", "gpg.program", "core.sshCommand"):
        git(repo, "config", setting, str(trap))
    git(repo, "config", "log.showSignature", "true")
    (repo / "app").write_text("changed")
    look(repo)
    assert not (tmp_path / "sprung").exists()


def test_variables_of_a_git_hook_do_not_lead_to_another_repository(repo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    commit(other, file="x")
    head = git(repo, "rev-parse", "HEAD")
    assert look(repo, GIT_DIR=str(other / ".git"), GIT_WORK_TREE=str(other)).commit == head


def test_looking_leaves_the_repository_as_it_was(repo: Path) -> None:
    index = (repo / ".git" / "index").stat().st_mtime_ns
    os.utime(repo / "app")
    look(repo)
    assert (repo / ".git" / "index").stat().st_mtime_ns == index


def test_history_knows_ancestors_and_says_where_it_cannot_tell(repo: Path) -> None:
    old = git(repo, "rev-parse", "HEAD")
    new = commit(repo, app="two")
    git(repo, "checkout", "--quiet", "-b", "side", old)
    side = commit(repo, app="three")
    history = GitHistory(git=Git(folder=str(repo), env=ENV))
    assert history.is_ancestor(old, new) is True
    assert history.is_ancestor(old[:10], new) is True
    assert history.is_ancestor(new, old) is False
    assert history.is_ancestor(new, new) is False
    assert history.is_ancestor(side, new) == "the two have diverged: neither holds the other"
    assert str(history.is_ancestor(new, "b" * 40)).startswith("this clone has not got bbbbbbbbbbbb: it is another repo")
    assert "has not got --all" in str(history.is_ancestor("--all", new))


def test_a_shallow_clone_proves_nothing_by_its_gaps(repo: Path, tmp_path: Path) -> None:
    old = git(repo, "rev-parse", "HEAD")
    new = commit(repo, app="two")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repo}", "shallow")
    shallow = GitHistory(git=Git(folder=str(tmp_path / "shallow"), env=ENV))
    assert "shallow" in str(shallow.is_ancestor(old, new))
    assert f"has not got {old[:12]}: fetch all commits: fetch-depth: 0 (GitHub)" in str(shallow.is_ancestor(new, old))
    git(tmp_path / "shallow", "fetch", "--quiet", "--depth=1", "origin", old)
    assert str(shallow.is_ancestor(old, new)).startswith("this clone is shallow: fetch all commits")


def test_outside_of_git_history_knows_nothing(tmp_path: Path) -> None:
    one, other = "a" * 40, "b" * 40
    assert GitHistory(git=Git(folder=str(tmp_path), env=ENV)).is_ancestor(one, other) == "this is no git checkout"
    without = Git(folder=str(tmp_path), env={"PATH": "/nonexistent"})
    assert GitHistory(git=without).is_ancestor(one, other) == "the git program is not on PATH"


def soon() -> Deadline:
    return Deadline(time.monotonic, 60)


def test_a_missing_dockerfile_is_named_before_anything_is_built(repo: Path) -> None:
    options = BuildOptions(context=str(repo), dockerfile=str(repo / "Dockerfile.prod"))
    source = inspect_source(options, None, ENV, soon())
    with pytest.raises(ConfigError, match=r"Dockerfile\.prod cannot be read") as caught:
        request_build(options, source, ENV, soon(), repository="web")
    assert caught.value.hint.startswith("name it with --dockerfile, or by build in kdeploy.yaml")


@pytest.mark.parametrize(
    ("file", "env", "says", "advice"),
    [
        ("", {"GITHUB_ACTIONS": "true"}, "is empty", "put actions/checkout before this step, or name it with"),
        ("", {}, "is empty", "check the repository out first, or name it with --dockerfile"),
        ("report", {"GITHUB_ACTIONS": "true"}, "is no git checkout", "put actions/checkout before this step"),
    ],
)
def test_where_nothing_was_checked_out_the_missing_dockerfile_says_so(
    tmp_path: Path, file: str, env: dict[str, str], says: str, advice: str
) -> None:
    context = tmp_path / "workspace"
    context.mkdir()
    if file:
        (context / file).touch()
    options = BuildOptions(context=str(context), dockerfile=str(context / "Dockerfile"))
    source = inspect_source(options, None, {**ENV, "GITHUB_SHA": "a" * 40}, soon())
    with pytest.raises(ConfigError, match=f"No such file or directory; the build context .* {says}$") as caught:
        request_build(options, source, {**ENV, **env}, soon(), repository="web")
    assert caught.value.hint.startswith(advice)
