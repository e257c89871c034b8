"""What kdeploy costs: CPU as a ratio to bare Python, memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.numbers import Measure, Of, Row, Target, Unit
from bench.process import Ended, run
from bench.workload import Workload

MEGABYTE = 1e6


def measure_cost(workload: Workload, runs: int, deploys: Sequence[Ended]) -> Measure:
    """Runs bare Python and the commands in turns."""
    rig = workload.rig
    where = ("deployment/web", "--namespace", workload.name)
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "kdeploy --version": [rig.kdeploy, "--version"],
        "kdeploy --help": [rig.kdeploy, "--help"],
        "kdeploy deploy --help": [rig.kdeploy, "deploy", "--help"],
        "kdeploy status": [rig.kdeploy, "status", *where],
        "kubectl rollout status": [rig.kubectl, "rollout", "status", *where],
    }
    workload.calm()
    for command in commands.values():  # once for the byte code and the disk
        run(command, rig.environment, rig.folder)
    found: dict[str, list[Ended]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            found[name].append(run(command, rig.environment, rig.folder))
    return cost_table({name: [each.cpu * 1000 for each in all_] for name, all_ in found.items()}, deploys)


def cost_table(milliseconds: dict[str, list[float]], deploys: Sequence[Ended]) -> Measure:
    """The page's table."""
    bare = tuple(milliseconds["python -c pass"])
    targets = {
        "kdeploy --version": Target(limit=6, of=Of.RATIO),
        "kdeploy --help": Target(limit=14, of=Of.RATIO),
        "kdeploy status": Target(limit=450.0),
    }
    rows = [
        Row(
            what=f"CPU of `{name}`",
            unit=Unit.MILLISECONDS,
            values=tuple(values),
            target=targets.get(name),
            beside=() if name == "python -c pass" else bare,
        )
        for name, values in milliseconds.items()
    ]
    peaks, cpu = tuple(one.peak / MEGABYTE for one in deploys), tuple(one.cpu * 1000 for one in deploys)
    rows += [
        Row(what="CPU of `kdeploy deploy`, no build", unit=Unit.MILLISECONDS, values=cpu, beside=bare),
        Row(
            what="peak memory of `kdeploy deploy`",
            unit=Unit.MEGABYTES,
            values=peaks,
            target=Target(limit=80, of=Of.MAXIMUM),
        ),
    ]
    return Measure(
        title="CPU and memory",
        note="User and system time of the process (`wait4`), the programs in turns; the ratio is to bare Python of the "
        "same run. Byte code is compiled, as an installed package's is. 1 MB is 1,000,000 bytes.",
        rows=tuple(rows),
    )
