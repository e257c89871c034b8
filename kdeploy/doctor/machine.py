"""Judges this machine: the checkout, the builder, the registry's answers, the clock. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdeploy.doctor.check import Check, good, warning
from kdeploy.errors import RefusedError
from kdeploy.model import Reason
from kdeploy.reference import Reference
from kdeploy.text import one_line

CLOCK_SECONDS = 5.0
"""A clock that is further off is told. Time servers keep it within a fraction of a second; validators of tokens bear
about a minute (github.com/go-jose/go-jose, jwt/validation.go, DefaultLeeway), some of them nothing."""

_TITLES = {"buildx": "docker buildx", "classic": "Docker's classic builder", "layers": "the layers builder (no engine)"}


def judge_git(
    *, commit: str, origin: str, in_git: bool, shallow: bool, dirty: Sequence[str], notes: Sequence[str]
) -> Check:
    """The checkout: which commit the image would be named after (`origin` said so), and what is odd about it."""
    found = f"commit {commit[:12]} ({origin})"
    if dirty:
        shown = ", ".join(one_line(path, 80) for path in dirty[:3])
        return warning(
            "git",
            f"{found}, with changes that are in no commit: {shown}",
            "commit or ignore them: where CI=true they are refused",
        )
    if not in_git:
        why = "; ".join(notes) or "no checkout"
        return warning("git", f"{found}, {why}: kdeploy cannot tell whether an older commit is deployed")
    if shallow:
        return warning(
            "git",
            f"{found}, a shallow clone: kdeploy cannot tell whether an older commit is deployed",
            "fetch all commits: fetch-depth: 0 (GitHub), GIT_DEPTH: 0 (GitLab), or git fetch --unshallow",
        )
    return warning("git", f"{found}; {'; '.join(notes)}") if notes else good("git", found)


def judge_builder(engine: str, problems: Mapping[str, str], *, followed: bool = True) -> Check:
    """Which engine builds, and why those before it do not. `followed`: whether the Dockerfile is known, and it does."""
    why = "; ".join(f"not {name}: {problem}" for name, problem in problems.items())
    message = f"{_TITLES[engine]}{f' ({why})' if why else ''}"
    if engine == "layers" and problems:
        hint = "it does for this Dockerfile; one with RUN needs Docker"
        return warning("builder", message, hint if followed else "a Dockerfile with RUN needs Docker")
    return good("builder", message)


def judge_pull(image: Reference, found: str | RefusedError | None, login: str, *, builds: bool) -> Check:
    """What a read of the image gave: its digest, None where it is absent, or why not.

    `login`: the user name, "" for none. `builds`: it is still to be built, so that it may be absent.
    """
    who = f"logged in as {one_line(login, 60)}" if login else "no login"
    if isinstance(found, RefusedError):
        if found.reason is Reason.IMAGE_UNAUTHORIZED:  # a login that was refused is none
            who = f"asked as {one_line(login, 60)}" if login else "no login"
        if builds and found.reason is Reason.IMAGE_UNAUTHORIZED:
            message = f"{image.domain} answers ({who}), and does not show {image.repository}"
            return warning("registry", message, f"{found.hint}; a registry may say so of what is not there yet")
        return Check(name="registry", passed=False, message=f"{found.message} ({who})", hint=found.hint)
    if found is not None:
        return good("registry", f"{image.domain} answers ({who}): {image.repository} has {_short(image)}")
    if builds:
        return good("registry", f"{image.domain} answers ({who}): {_short(image)} is not there yet")
    return Check(
        name="registry",
        passed=False,
        message=f"there is no image {image} in the registry {image.domain} ({who})",
        hint="check the name and the tag, or build it with kdeploy build",
    )


def judge_skew(seconds: float | None) -> Check:
    """By how many seconds this machine's clock is ahead of the API server's."""
    if seconds is None:
        return warning("clock", "the API server does not say what time it is")
    off = abs(seconds)
    if off <= CLOCK_SECONDS:
        return good("clock", "as the API server's, to a second" if off < 1.5 else f"{off:.0f} s off, which is borne")
    ahead = "ahead of" if seconds > 0 else "behind"
    return warning(
        "clock",
        f"this machine is {off:.0f} s {ahead} the API server: tokens and certificates may count as expired or not yet "
        "valid",
        "set both by a time server (timedatectl set-ntp true)",
    )


def _short(image: Reference) -> str:
    return f"{image.tag[:12] if image.tag else image.digest or 'latest'}"
