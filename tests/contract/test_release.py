"""`make release` in a scratch repository: what it refuses, and what it leaves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools.release import ON_MAIN, ReleaseError, action, moving_tags, published, release

ROOT = Path(__file__).parents[2]
IMAGE = "ghcr.io/acme/kdeploy@sha256:" + "a" * 64


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One commit with what a release looks at, at version 1.2.3."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Tester")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "tester@example.com")
    folder = tmp_path / "repository"
    (folder / "kdeploy").mkdir(parents=True)
    (folder / "kdeploy/__init__.py").write_text('__version__ = "1.2.3"\n')
    shutil.copy(ROOT / "action.yml", folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=one")
    return folder


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True).stdout.strip()


def state(folder: Path) -> list[str]:
    """Branch, refs, files, worktrees: all that a refused release must leave."""
    commands = (
        ("symbolic-ref", "HEAD"),
        ("show-ref", "--dereference"),
        ("status", "--porcelain"),
        ("worktree", "list"),
    )
    return [git(folder, *command) for command in commands]


def test_the_tag_has_the_image_by_digest_and_everything_else_stays(repository: Path) -> None:
    before = (git(repository, "rev-parse", "main"), (repository / "action.yml").read_text())
    assert release(repository, "v1.2.3", IMAGE) == ["v1.2.3", "v1"]
    assert (git(repository, "rev-parse", "main"), (repository / "action.yml").read_text()) == before
    assert git(repository, "rev-parse", "v1.2.3^") == before[0]
    assert git(repository, "rev-parse", "v1^{commit}") == git(repository, "rev-parse", "v1.2.3^{commit}")
    assert git(repository, "cat-file", "-t", "v1.2.3") == "tag"
    assert git(repository, "diff", "--name-only", "main", "v1.2.3") == "action.yml"
    released = yaml.safe_load(git(repository, "show", "v1.2.3:action.yml"))
    assert released["runs"] == {"using": "docker", "image": f"docker://{IMAGE}"}
    assert {**released, "runs": 0} == {**yaml.safe_load(before[1]), "runs": 0}
    assert git(repository, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert git(repository, "worktree", "list").count("\n") == 0
    assert git(repository, "branch", "--contains", "v1.2.3") == ""


def test_the_released_action_is_valid(repository: Path, tmp_path: Path) -> None:
    release(repository, "v1.2.3", IMAGE)
    file = tmp_path / "action.yml"
    file.write_text(git(repository, "show", "v1:action.yml"))
    checker = Path(sys.executable).with_name("check-jsonschema")
    subprocess.run([checker, "--builtin-schema", "vendor.github-actions", file], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("version", "image", "problem"),
    [
        ("1.2.3", IMAGE, "has to be vX.Y.Z"),
        ("v1.2", IMAGE, "has to be vX.Y.Z"),
        ("v01.2.3", IMAGE, "has to be vX.Y.Z"),
        ("v1.2.3\n", IMAGE, "has to be vX.Y.Z"),
        ("--force", IMAGE, "has to be vX.Y.Z"),
        ("v1.2.4", IMAGE, "not the version in kdeploy"),
        ("v1.2.3", "ghcr.io/acme/kdeploy:v1.2.3", "the digest of the published image"),
        ("v1.2.3", "ghcr.io/acme/kdeploy@sha256:123", "IMAGE"),
        ("v1.2.3", f"docker://{IMAGE}", "IMAGE"),
        ("v1.2.3", f"{IMAGE}\n  entrypoint: x", "IMAGE"),
    ],
)
def test_what_is_wrong_is_refused_and_leaves_everything(
    repository: Path, version: str, image: str, problem: str
) -> None:
    before = state(repository)
    with pytest.raises(ReleaseError, match=problem):
        release(repository, version, image)
    assert state(repository) == before


def test_a_dirty_tree_is_refused(repository: Path) -> None:
    (repository / "new").write_text("")
    with pytest.raises(ReleaseError, match="in no commit"):
        release(repository, "v1.2.3", IMAGE)
    assert git(repository, "tag") == ""


def test_a_tag_is_never_made_twice(repository: Path) -> None:
    release(repository, "v1.2.3", IMAGE)
    before = state(repository)
    with pytest.raises(ReleaseError, match=r"v1\.2\.3 is there already"):
        release(repository, "v1.2.3", IMAGE)
    assert state(repository) == before


@pytest.fixture
def origin(repository: Path, tmp_path: Path) -> Path:
    """Where `repository` was cloned from; it has had a release since."""
    folder = tmp_path / "origin"
    git(repository, "clone", "--quiet", str(repository), str(folder))
    git(repository, "remote", "add", "origin", str(folder))
    git(folder, "tag", "v1.3.0")
    return folder


def test_a_clone_that_misses_a_newer_release_moves_no_tag_back(
    repository: Path, origin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(repository)
    with pytest.raises(ReleaseError, match=r"origin has v1\.3\.0.*git fetch --tags origin"):
        release(repository, "v1.2.3", IMAGE)
    assert state(repository) == before
    git(repository, "fetch", "--quiet", "--tags", "origin")
    tags = release(repository, "v1.2.3", IMAGE)
    assert tags == ["v1.2.3"]
    assert "v1 stays where it is" in published(tags, IMAGE)
    assert "v1 stays" not in published(["v1.2.3-rc.1"], IMAGE) + published(["v1.4.0", "v1"], IMAGE)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("version", ["v1.2.3", "v1.2.3-rc.1"])
def test_a_tag_that_only_origin_has_is_not_made_again(repository: Path, origin: Path, version: str) -> None:
    (repository / "kdeploy/__init__.py").write_text(f'__version__ = "{version[1:]}"\n')
    git(repository, "commit", "--quiet", "--all", "--allow-empty", "--message=two")
    git(origin, "tag", "--delete", "v1.3.0")
    git(origin, "tag", version)
    with pytest.raises(ReleaseError, match=f"origin has {version}"):
        release(repository, version, IMAGE)


def test_other_tags_of_origin_are_no_matter(repository: Path, origin: Path) -> None:
    git(origin, "tag", "--delete", "v1.3.0")
    for tag in ("v2.0.0", "v1.2.2", "v1.4.0-rc.1", "nightly"):
        git(origin, "tag", tag)
    assert release(repository, "v1.2.3", IMAGE) == ["v1.2.3", "v1"]


def test_an_origin_that_does_not_answer_is_told(
    repository: Path, origin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(origin)
    assert release(repository, "v1.2.3", IMAGE) == ["v1.2.3", "v1"]
    said = capsys.readouterr().err
    assert "origin could not be asked" in said
    assert "look at its tags before you push" in said


def test_a_release_is_not_made_from_a_release(repository: Path) -> None:
    release(repository, "v1.2.3", IMAGE)
    git(repository, "checkout", "--quiet", "v1.2.3")
    git(repository, "tag", "--delete", "v1.2.3")
    with pytest.raises(ReleaseError, match="made from main"):
        release(repository, "v1.2.3", IMAGE)


@pytest.mark.parametrize(
    ("version", "known", "moved"),
    [
        ("v1.2.3", [], ["v1"]),
        ("v1.10.0", ["v1.9.0", "v2.0.0", "v1"], ["v1"]),
        ("v1.9.1", ["v1.10.0"], []),
        ("v1.2.3", ["v1.3.0-rc.1"], ["v1"]),
        ("v1.2.3-rc.1", [], []),
        ("v0.1.0", [], ["v0"]),
    ],
)
def test_the_major_versions_tag_follows_its_newest_release(version: str, known: list[str], moved: list[str]) -> None:
    assert moving_tags(version, known) == moved


@pytest.mark.parametrize("taken", ["v1.2.3/old", "v1/old"])
def test_a_tag_that_git_cannot_make_leaves_the_others_as_they_were(repository: Path, taken: str) -> None:
    git(repository, "tag", taken)
    before = state(repository)
    with pytest.raises(ReleaseError, match="git tag"):
        release(repository, "v1.2.3", IMAGE)
    assert state(repository) == before


def test_both_tags_are_named_to_undo_it_and_major_0_is_told_that_the_pages_say_v1() -> None:
    early = published(["v0.1.0", "v0"], IMAGE)
    assert early.startswith("Mind: ")
    assert "@v1" in early
    assert "git tag --delete v0.1.0 v0" in early
    assert "@v1" not in published(["v1.2.3", "v1"], IMAGE)


def test_the_action_of_main_is_one_that_can_be_released() -> None:
    assert action((ROOT / "action.yml").read_text(), IMAGE).count(ON_MAIN) == 0


def test_the_program_prints_how_to_publish(repository: Path) -> None:
    command = [sys.executable, "-P", "-m", "tools.release", "--version", "v1.2.3", "--image", IMAGE]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "GIT_AUTHOR_NAME": "T", "GIT_AUTHOR_EMAIL": "t@e"}
    env |= {"GIT_COMMITTER_NAME": "T", "GIT_COMMITTER_EMAIL": "t@e"}
    done = subprocess.run(command, cwd=repository, env=env, capture_output=True, text=True, check=True)
    assert "git push origin refs/tags/v1.2.3\n  git push --force origin refs/tags/v1\n" in done.stdout
    done = subprocess.run(command, cwd=repository, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "nothing was changed" in done.stderr) == (1, True)
