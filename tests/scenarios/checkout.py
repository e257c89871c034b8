"""A real git repository with the app's Dockerfile and a kdeploy.yaml, as a team has it."""

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.commands import run
from tests.scenarios.versions import Version

CONFIG = "kdeploy.yaml"
_AUTHOR = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A git repository in `folder`; the app in it is built from the image `base`."""

    folder: Path
    base: str

    @classmethod
    def make(cls, folder: Path, base: str) -> "Checkout":
        """An empty repository in a new folder."""
        folder.mkdir()
        run("git", "init", "--quiet", "--initial-branch=main", folder)
        return cls(folder=folder, base=base)

    def configure(self, service: Mapping[str, Any]) -> None:
        """Writes a kdeploy.yaml with one service called "app"; the next commit holds it. JSON is YAML."""
        document = {"version": 1, "services": {"app": service}}
        (self.folder / CONFIG).write_text(json.dumps(document, indent=2) + "\n")

    def commit(self, version: Version) -> str:
        """Commits this version of the app; the full SHA."""
        self.write(version)
        self.git("add", "--all")
        self.git(*_AUTHOR, "commit", "--quiet", "--allow-empty", f"--message={version.name}")
        return self.head

    def write(self, version: Version) -> None:
        """Writes this version's files without a commit: the tree is dirty."""
        for name, text in version.files(self.base).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if text.startswith("#!"):
                path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)

    def switch(self, commit: str) -> None:
        """Checks out another commit."""
        self.git("switch", "--quiet", "--detach", commit)

    @property
    def head(self) -> str:
        """The full SHA of what is checked out."""
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *words: str) -> str:
        """Any other git command; what it prints."""
        return run("git", "-C", self.folder, *words)
