"""Platforms: "linux/arm64", what this machine is, and which image of an index fits. Pure.

The rules are those of https://github.com/containerd/platforms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kdeploy.errors import BuildError
from kdeploy.text import one_line

_PART = re.compile(r"[A-Za-z0-9_.-]+")
_MACHINES: Mapping[str, tuple[str, str]] = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv6l": ("arm", "v6"),
    "i386": ("386", ""),
    "i686": ("386", ""),
}
_DEFAULT_VARIANTS = {("arm64", "v8"): "", ("amd64", "v1"): "", ("arm", ""): "v7"}
_ARM_VARIANTS = ("v8", "v7", "v6", "v5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What an image runs on. `variant` is empty where the architecture has one only, or its usual one is meant."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        """As --platform takes it."""
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


def parse_platform(text: str) -> Platform:
    """Reads "linux/amd64" or "linux/arm/v7". Raises BuildError."""
    parts = text.strip().lower().split("/")
    if len(parts) not in (2, 3) or not all(map(_PART.fullmatch, parts)):
        raise BuildError(f'"{one_line(text, 60)}" is no platform', hint="it reads like linux/amd64 or linux/arm/v7")
    return normalize(parts[0], parts[1], parts[2] if len(parts) == 3 else "")


def machine_platform(machine: str) -> Platform:
    """Linux on a machine that calls itself `machine`, as platform.machine() does."""
    return normalize("linux", machine.lower(), "")


def normalize(os: str, architecture: str, variant: str) -> Platform:
    """One name for each platform, whichever of its names was given."""
    if architecture in _MACHINES:
        architecture, usual = _MACHINES[architecture]
        variant = variant or usual
    return Platform(os=os, architecture=architecture, variant=_DEFAULT_VARIANTS.get((architecture, variant), variant))


def candidates(wanted: Platform) -> Iterator[Platform]:
    """What runs on `wanted`, the best first: an older ARM's images run on a newer one too."""
    yield wanted
    if wanted.architecture == "arm" and wanted.variant in _ARM_VARIANTS:
        for variant in _ARM_VARIANTS[_ARM_VARIANTS.index(wanted.variant) + 1 :]:
            yield Platform(os=wanted.os, architecture="arm", variant=variant)
