"""The demo's git repository: a web app, its Dockerfile, its kdeploy.yaml and its manifests.

The same files, names and times on every machine, whatever its git is configured for: so the commits have the same ids
everywhere, and their images the same digests.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kdeploy.errors import ConfigError, KdeployError
from kdeploy.sandbox.demo.commits import Commit
from kdeploy.text import one_line

APP = Path(__file__).with_name("app")
_PERSON = {"NAME": "kdeploy demo", "EMAIL": "demo@kdeploy.example"}
_FIRST = 1_767_225_600
"""Unix seconds: the first commit's time, 2026-01-01. The others follow by the hour."""

_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A checkout. `env` is the whole environment that git gets."""

    folder: Path
    env: Mapping[str, str]

    def create(self) -> None:
        """Makes the repository, with all files that no commit changes. Raises ConfigError where there is no git."""
        self.folder.mkdir(parents=True)
        for source in sorted(APP.iterdir()):
            if source.is_file():
                (self.folder / source.name).write_bytes(source.read_bytes())
        self._git("init", "-q", "-b", "main", "--object-format=sha1", "--template=")
        # For whoever goes on in it, on a machine whose git knows nobody yet, or signs with a key of theirs.
        for part, text in _PERSON.items():
            self._git("config", f"user.{part.lower()}", text)
        self._git("config", "commit.gpgSign", "false")

    def commit(self, commit: Commit, number: int) -> str:
        """Commits, as the `number`th from 0. Returns the commit's id."""
        (self.folder / "shop.py").write_text(commit.shop)
        dockerfile = (APP / "Dockerfile").read_text().replace("BEHAVIOUR", commit.behaviour)
        (self.folder / "Dockerfile").write_text(dockerfile)
        self._git("add", "--all", ".")
        self._git("commit", "-q", "--no-gpg-sign", "--no-verify", "-m", commit.subject, at=_FIRST + 3600 * number)
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *arguments: str, at: int = _FIRST) -> str:
        person = {f"GIT_{role}_{part}": text for role in ("AUTHOR", "COMMITTER") for part, text in _PERSON.items()}
        times = {f"GIT_{role}_DATE": f"{at} +0000" for role in ("AUTHOR", "COMMITTER")}
        settings = ("core.autocrlf=false", "core.fileMode=false", "core.hooksPath=/dev/null", "commit.gpgSign=false")
        command = ["git", *(word for setting in settings for word in ("-c", setting)), *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env={**self.env, **person, **times},
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT,
                stdin=subprocess.DEVNULL,
            )
        except FileNotFoundError as error:
            raise ConfigError(
                "git is not there, and the demo deploys commits", hint="install git, then run it again"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise KdeployError(f"git {arguments[0]} did not end within {_TIMEOUT:g} s") from error
        if done.returncode:
            raise KdeployError(f"git {arguments[0]} failed: {one_line(done.stderr)}", hint="is this git very old?")
        return done.stdout
