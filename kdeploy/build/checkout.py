"""Where a checkout lies and where it comes from, for a first look at it."""

from __future__ import annotations

from dataclasses import dataclass

from kdeploy.build.git import Git
from kdeploy.build.source import remote_of, web_address

_USUAL = ("main", "master")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """`top`: its top folder, "" outside of git; `below`: the folder that was asked about, from there. `remote`: a web
    address without credentials, "" for none. `branch`: the remote's main branch.
    """

    top: str = ""
    below: str = ""
    remote: str = ""
    branch: str = "main"


def look_at_checkout(git: Git) -> Checkout:
    """Asks git. Raises ConfigError where that fails or is late."""
    top = git.top()
    if top is None:
        return Checkout()
    return Checkout(
        top=top,
        below=git.text("rev-parse", "--show-prefix").rstrip("/"),
        remote=web_address(remote_of(git)),
        branch=_main_branch(git),
    )


def _main_branch(git: Git) -> str:
    """What the remote calls its HEAD; else the branch that is checked out, where it has a usual name; else "main"."""
    named = git.text("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD").removeprefix("origin/")
    own = git.text("symbolic-ref", "--quiet", "--short", "HEAD")
    return named or (own if own in _USUAL else _USUAL[0])
