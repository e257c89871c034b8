"""What is being built: the commit, whether the files are that commit's, and where they come from. Read from git."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kdeploy.build.contents import Check, files_hash
from kdeploy.build.dirty import changed_files
from kdeploy.build.git import NO_GIT, Git, is_full_sha
from kdeploy.errors import ConfigError
from kdeploy.process import Run, run
from kdeploy.text import one_line

COMMIT_VARIABLES = ("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT")
"""Where GitHub, GitLab and Jenkins say which commit they run for, in the order of asking."""

_SHORT_SHA = re.compile(r"[0-9a-f]{7,64}")
_SCP_STYLE = re.compile(r"(?:[^@/\s]+@)?([\w.-]+):(?!//)(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The state of a build context.

    `commit`: what the image is named after, and `origin` who said so ("--commit", "HEAD", "GITHUB_SHA", ...).
    `head`: the checked-out commit, None outside of git. `dirty`: changed and untracked files that go into the build,
    and `dirty_hash` 8 hex digits of their content ("" for none). `remote`: a web address without credentials, `title`:
    the last name in it, `created`: the commit's time (RFC 3339), `version`: its tag; each "" where it is unknown.
    `notes`: what a person should know about how the commit was chosen.
    """

    commit: str
    origin: str
    head: str | None = None
    dirty: tuple[str, ...] = ()
    dirty_hash: str = ""
    remote: str = ""
    created: str = ""
    title: str = ""
    version: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether git says that the files are those of the full commit: only then may its image be reused."""
        return self.head == self.commit and is_full_sha(self.commit) and not self.dirty


def inspect(
    context: str,
    commit: str | None,
    env: Mapping[str, str],
    *,
    dockerfile: str | None = None,
    beside: Iterable[str] = (),
    run: Run = run,
    check: Check = lambda: None,
    timeout: float = 60.0,
) -> Source:
    """Looks at the build context. `commit` is what --commit says; `dockerfile` counts as part of it wherever it lies,
    and `beside` are files in it that do not count. `run` and `check` raise TimeoutError when no time is left; git has
    `timeout` seconds for each question.

    Raises ConfigError where the folder is missing, or neither it nor the flags or the environment name a commit.
    """
    if not Path(context).is_dir():
        raise ConfigError(f"the build context {context} is no folder", hint="name it with --build-context")
    git = Git(folder=context, env=env, run=run, timeout=timeout)
    top = git.top()
    if top is None:
        lacks_git = is_checkout(context) and git.is_missing()
        chosen, origin, _ = choose_commit(commit, None, env, lacks_git=lacks_git)
        return Source(commit=chosen, origin=origin, notes=(NO_GIT,) if lacks_git else ())
    head = git.resolve("HEAD")
    wanted = None if commit is None else git.resolve(commit) or commit
    chosen, origin, notes = choose_commit(wanted, head, env)
    changed = changed_files(git, top, context, dockerfile, beside)
    remote = web_address(remote_of(git))
    return Source(
        commit=chosen,
        origin=origin,
        head=head,
        dirty=changed,
        dirty_hash=files_hash(context, changed, check)[:8] if changed else "",
        remote=remote,
        created=git.text("show", "-s", "--format=%cI", f"{chosen}^{{commit}}"),
        title=one_line(remote.rpartition("/")[2]),
        version=one_line(git.text("describe", "--tags", "--exact-match", chosen)),
        notes=notes,
    )


def choose_commit(
    flag: str | None, head: str | None, env: Mapping[str, str], *, lacks_git: bool = False
) -> tuple[str, str, tuple[str, ...]]:
    """The commit, who named it, and notes. --commit goes before HEAD, HEAD before the CI's variables. Pure.

    `lacks_git`: this is a checkout, and there is no git to read it.

    Raises ConfigError where none is there, where one is no commit id, or where --commit is not what is checked out:
    the image would bear one commit's name and hold another's files.
    """
    variable = next((name for name in COMMIT_VARIABLES if env.get(name)), None)
    if flag is not None:
        chosen = _checked(flag, "--commit")
        if head and chosen != head:
            raise ConfigError(
                f"--commit {chosen[:12]} is not what is checked out: HEAD is {head[:12]}, and its files would be built",
                hint=f"git checkout {chosen[:12]} first, or leave --commit out",
            )
        return chosen, "--commit", ()
    if head:
        given = env[variable].lower() if variable else head
        notes = (
            (f"HEAD {head[:12]} differs from {variable} {one_line(given[:12])}; HEAD is built",)
            if given != head
            else ()
        )
        return head, "HEAD", notes
    if variable:
        return _checked(env[variable], variable), variable, ()
    if lacks_git:
        raise ConfigError(
            f"there is no commit to name the image after: {NO_GIT}", hint="install git, or give --commit SHA"
        )
    raise ConfigError(
        "there is no commit to name the image after: the build context is not a git repository with a commit",
        hint="give --commit SHA, or run in a git checkout",
    )


def web_address(remote: str) -> str:
    """A remote's address as a person opens it: https, without credentials, query and ".git"; "" for a local path."""
    if scp := _SCP_STYLE.fullmatch(remote):
        return _https(scp[1], scp[2])
    try:
        parts = urlsplit(remote)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https", "ssh", "git", "git+ssh") or not host:
        return ""
    keeps_port = port and parts.scheme in ("http", "https")
    address = _https(f"{host}:{port}" if keeps_port else host, parts.path)
    return address.replace("https://", "http://", 1) if parts.scheme == "http" else address


def is_checkout(context: str) -> bool:
    """By a look at the folders: git is not asked."""
    folder = Path(context).resolve()
    return any((one / ".git").exists() for one in (folder, *folder.parents))


def _https(host: str, path: str) -> str:
    return one_line(f"https://{host}/{path.strip('/').removesuffix('.git')}")


def _checked(commit: str, what: str) -> str:
    lower = commit.strip().lower()
    if _SHORT_SHA.fullmatch(lower):
        return lower
    raise ConfigError(
        f"{what} {one_line(commit, 80)!r} is no commit that git knows here",
        hint="give the full SHA: 40 hex digits, as git rev-parse HEAD prints it",
    )


def remote_of(git: Git) -> str:
    """The address of "origin", else of the first remote."""
    names = git.text("remote").splitlines()
    name = "origin" if "origin" in names else next(iter(names), "")
    return git.text("remote", "get-url", "--", name) if name else ""
