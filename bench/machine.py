"""What was measured on, and when."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from bench.rig import ROOT, Rig, text_of


def circumstances(rig: Rig, command: str, load: float) -> list[tuple[str, str]]:
    """The lines above the tables. `load`: the load average when the run began."""
    commit = text_of("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    changed = text_of("git", "-C", str(ROOT), "status", "--porcelain", "--", "kdeploy")
    return [
        ("command", f"`{command}`"),
        ("date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("kdeploy", f"{text_of(rig.kdeploy, '--version').removeprefix('kdeploy ')}, commit {commit}{_and(changed)}"),
        (
            "Kubernetes",
            f"{rig.cluster.version}, one node, on this machine: [the rig](../tests/cluster/README.md)",
        ),
        ("kubectl", kubectl_version(rig.kubectl)),
        ("Python", platform.python_version()),
        ("machine", f"{os.cpu_count()} × {_processor()}, {_memory()}, Linux {platform.release()}"),
        ("load average", f"{load:.2f} at the start"),
    ]


def kubectl_version(kubectl: str) -> str:
    """The version that it says it has."""
    return str(json.loads(text_of(kubectl, "version", "--client", "-o", "json"))["clientVersion"]["gitVersion"])


def _and(changed: str) -> str:
    return ", with changes that are not committed" if changed else ""


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
