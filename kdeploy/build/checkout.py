"""Where a checkout lies and where it comes from, for a first look at it."""

from __future__ import annotations

from dataclasses import dataclass

from kdeploy.build.git import Git
from kdeploy.build.source import remote_of, web_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """`top`: its top folder, "" outside of git; `below`: the folder that was asked about, from there. `remote`: a web
    address without credentials, "" for none. `branch`: the remote's main branch, or the guess that `branch_why` tells.
    """

    top: str = ""
    below: str = ""
    remote: str = ""
    branch: str = "main"
    branch_why: str = "the usual one"


def look_at_checkout(git: Git) -> Checkout:
    """Asks git. Raises ConfigError where that fails or is late."""
    top = git.top()
    if top is None:
        return Checkout()
    branch, why = _main_branch(git)
    return Checkout(
        top=top,
        below=git.text("rev-parse", "--show-prefix").rstrip("/"),
        remote=web_address(remote_of(git)),
        branch=branch,
        branch_why=why,
    )


def _main_branch(git: Git) -> tuple[str, str]:
    """What the remote calls its HEAD, else the branch that is checked out, else "main"; and why."""
    named = git.text("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
    if named:
        return named, "origin's own"
    own = git.text("symbolic-ref", "--quiet", "--short", "HEAD")
    return (own, "it is checked out, and git does not know origin's own") if own else ("main", "the usual one")
