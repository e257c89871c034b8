"""The git program, asked without running anything that a repository brings along: no hooks, pager, drivers of diffs.

git calls a checkout that belongs to another user dubious (CVE-2022-24765); in a CI container the workspace always does,
so the check is switched off, and with it what the repository's configuration could start a program by. Its clean
filters stay: without Git LFS's, for one, git would take every file of it for changed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from kdeploy.errors import ConfigError
from kdeploy.process import NOT_FOUND, Finished, Run, run
from kdeploy.text import one_line

_HARMLESS = (
    "safe.directory=*",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "log.showSignature=false",
    "core.quotePath=false",
)
# Set inside git's own hooks; they would point git at another repository than the build context's.
_STRAY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")
NO_GIT = "the git program is not on PATH"
FETCH_ALL = "fetch all commits: fetch-depth: 0 (GitHub), GIT_DEPTH: 0 (GitLab), or git fetch --unshallow"
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def is_full_sha(text: str) -> bool:
    """Whether `text` is a full commit id: 40 hex digits, or 64 in a SHA-256 repository."""
    return _SHA.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """git in one folder. `env` is the whole environment to give it, None: the process's own."""

    folder: str
    env: Mapping[str, str] | None = None
    run: Run = run
    timeout: float = 60.0

    def __call__(self, *arguments: str) -> Finished:
        """Runs git. Raises ConfigError where it takes longer than `timeout` seconds, or than `run` allows."""
        settings = [word for setting in _HARMLESS for word in ("-c", setting)]
        command = ["git", "--no-pager", "-C", self.folder, *settings, *arguments]
        try:
            return self.run(command, env=self._environment(), timeout=self.timeout)
        except TimeoutError as error:
            raise ConfigError(
                f"git {arguments[0]} did not answer in time: {one_line(str(error))}",
                hint="is the disk slow, or --build-timeout too short?",
            ) from error

    def text(self, *arguments: str) -> str:
        """What git printed; "" where it failed."""
        finished = self(*arguments)
        return finished.text if finished.code == 0 else ""

    def top(self) -> str | None:
        """The working tree's top folder; None outside of one, or without git. Raises ConfigError if git fails."""
        finished = self("rev-parse", "--show-toplevel")
        if finished.code == 0:
            return finished.text or None
        if "dubious ownership" in finished.err or "unsafe repository" in finished.err:
            raise ConfigError(
                f"git will not read {self.folder}: {one_line(finished.err)}",
                hint=f"git config --global --add safe.directory {self.folder}",
            )
        if finished.code != NOT_FOUND and "not a git repository" not in finished.err:
            raise ConfigError(f"git failed in {self.folder}: {one_line(finished.err)}", hint="try git status there")
        return None

    def resolve(self, revision: str) -> str | None:
        """The full id of the commit that `revision` names; None where git knows none."""
        if revision.startswith("-"):
            return None
        found = self.text("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return found if is_full_sha(found) else None

    def is_shallow(self) -> bool:
        """Whether the checkout lacks older commits."""
        return self.text("rev-parse", "--is-shallow-repository") == "true"

    def is_missing(self) -> bool:
        """Whether there is no git program."""
        return self("version").code == NOT_FOUND

    def _environment(self) -> dict[str, str]:
        base = os.environ if self.env is None else self.env
        kept = {name: value for name, value in base.items() if name not in _STRAY}
        return kept | {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHistory:
    """`ports.History`: what git knows of how two commits lie to each other."""

    git: Git

    def is_ancestor(self, commit: str, of: str) -> bool | str:
        """See `ports.History`. The gaps of a shallow clone prove nothing."""
        old, new = self.git.resolve(commit), self.git.resolve(of)
        if old is None or new is None:
            return self._gap(commit if new else of)
        if old == new:
            return False
        code = self._reaches(old, new)
        if code != 1:
            return code == 0 or "git merge-base fails here"
        if self.git.is_shallow():
            return f"this clone is shallow: {FETCH_ALL}"
        return False if self._reaches(new, old) == 0 else "the two have diverged: neither holds the other"

    def _reaches(self, old: str, new: str) -> int:
        """0 where `old` is an ancestor of `new`, 1 where it is not."""
        return self.git("merge-base", "--is-ancestor", old, new).code

    def _gap(self, absent: str) -> str:
        """Why git does not know a commit."""
        if self.git.is_missing():
            return NO_GIT
        if self.git.top() is None:
            return "this is no git checkout"
        if self.git.is_shallow():
            return f"this clone is shallow, and has not got {absent[:12]}: {FETCH_ALL}"
        return f"this clone has not got {absent[:12]}: it is another repository's, or on a branch that was not fetched"
