"""What a run is asked to do, decided before anything is asked of anyone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kdeploy.model import HttpCheck, Limits, Target
from kdeploy.ports import BuildRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRequest:
    """One deploy, decided before anything is asked of anyone.

    Either `build` says what to build, or `image` is a reference with a tag or digest that exists. `run` is
    "PIPELINE#NUMBER" or empty. `started` is when the command began (on `Clock.now`; None: now): what it asked git, and
    its login to the cluster, count towards the build timeout.
    """

    target: Target
    containers: tuple[str, ...] = ()
    build: BuildRequest | None = None
    image: str | None = None
    repository: str
    checks: tuple[HttpCheck, ...] = ()
    limits: Limits = field(default_factory=Limits)
    deploy_id: str
    commit: str | None = None
    actor: str = ""
    run_url: str = ""
    run: str = ""
    rollback: bool = True
    on_interrupt: Literal["rollback", "leave"] = "rollback"
    force: bool = False
    dry_run: bool = False
    url: str | None = None
    started: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """Health checks on what runs now, done within `limits.timeout` of the command's beginning (`started`, as above)."""

    target: Target
    containers: tuple[str, ...] = ()
    checks: tuple[HttpCheck, ...] = ()
    limits: Limits = field(default_factory=Limits)
    started: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackRequest:
    """A rollback by hand, done within `limits.rollback_timeout` of the command's beginning (`started`, as above).

    `to` is a revision number, a commit, a digest, or None for the newest verified one before the live one.
    """

    target: Target
    containers: tuple[str, ...] = ()
    to: str | None = None
    checks: tuple[HttpCheck, ...] = ()
    limits: Limits = field(default_factory=Limits)
    deploy_id: str
    url: str | None = None
    started: float | None = None
