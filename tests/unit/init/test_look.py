from __future__ import annotations

import os
from pathlib import Path

from kdeploy.init.look import find_dockerfiles


def test_the_nearest_comes_first_and_the_plain_one_before_its_variants(tmp_path: Path) -> None:
    names = ("a/b/c/Dockerfile", "web/Dockerfile", "Dockerfile.dev", "Dockerfile", "api.Dockerfile", "Containerfile")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("EXPOSE 80")
    found = find_dockerfiles(tmp_path)
    assert [one.path for one in found] == [
        "Dockerfile", "Containerfile", "Dockerfile.dev", "api.Dockerfile", "web/Dockerfile", "a/b/c/Dockerfile",
    ]  # fmt: skip
    assert {one.ports for one in found} == {(80,)}


def test_other_peoples_folders_hidden_ones_and_deep_ones_are_passed_over(tmp_path: Path) -> None:
    for name in ("node_modules/x", ".git", "vendor", "a/b/c/d"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "Dockerfile").touch()
    for name in ("Dockerfile.dockerignore", "MyDockerfile", "dockerfile.md"):
        (tmp_path / name).touch()
    assert find_dockerfiles(tmp_path) == ()


def test_what_is_no_file_and_what_may_not_be_followed_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "Dockerfile")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "Dockerfile.zero").symlink_to("/dev/zero")
    (tmp_path / "Dockerfile.bytes").write_bytes(b"\xff\x00EXPOSE 1")
    found = find_dockerfiles(tmp_path)
    assert [(one.path, one.ports) for one in found] == [
        ("Dockerfile", ()), ("Dockerfile.bytes", ()), ("Dockerfile.zero", ()),
    ]  # fmt: skip
