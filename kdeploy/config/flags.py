"""What the command line and the KDEPLOY_... variables gave, as text: not yet checked against anything."""

from __future__ import annotations

from dataclasses import dataclass

FILES = ("report", "junit", "dotenv", "trace")
"""The flags that name a file to be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """One field a flag, named as the flag is. None or empty: neither the flag nor its variable was given."""

    target: tuple[str, ...] = ()
    config: str | None = None
    env: str | None = None
    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    commit: str | None = None
    image: str | None = None
    push_image: str | None = None
    container: tuple[str, ...] = ()
    build_context: str | None = None
    dockerfile: str | None = None
    build_arg: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()
    builder: str | None = None
    tag: str | None = None
    timeout: str | None = None
    build_timeout: str | None = None
    rollback_timeout: str | None = None
    crash_budget: int | None = None
    verify_http: tuple[str, ...] = ()
    rollback: bool | None = None
    on_interrupt: str | None = None
    force: bool = False
    dry_run: bool = False
    to: str | None = None
    watch: bool = False
    from_file: str | None = None
    output: str = "human"
    report: str | None = None
    junit: str | None = None
    dotenv: str | None = None
    trace: str | None = None
    verbose: bool = False
    quiet: bool = False
