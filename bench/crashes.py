"""How soon is a crash loop found out, once its budget of restarts is spent?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.failures import ROLLED_BACK
from bench.moments import first, image_of, spent
from bench.numbers import Measure, Row, Target, Unit
from bench.workload import Workload

DEFAULT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """Moments of one crash loop: patch and spent budget by the watcher, verdict by kdeploy's own trace."""

    patched: float
    spent: float
    verdict: float


def measure_crash(workload: Workload, budget: int) -> Crash:
    """Deploys one version that exits at once; it must end rolled back."""
    workload.calm()
    image = workload.rig.crashing()
    flags = () if budget == DEFAULT else ("--crash-budget", str(budget))
    with workload.watched() as eyes:
        deployed = workload.deploy("--image", image, *flags, code=ROLLED_BACK)
        return Crash(
            patched=first(eyes.deployment, lambda d: image_of(d) == image),
            spent=first(eyes.pods_of(image), spent(budget)),
            verdict=deployed.at("verdict", "rollout"),
        )


def crash_table(early: Sequence[Crash], usual: Sequence[Crash]) -> Measure:
    """The page's table."""
    return Measure(
        title="A crash loop",
        note="A container that exits at once. The budget is spent when the watcher sees the container down after that "
        "many restarts; the verdict's moment is that of its line in `--trace`. The kubelet waits longer before "
        "each restart, and that is most of the time. `kubectl rollout status` never fails of it before its timeout.",
        rows=(
            _row("`--crash-budget 1`: patch to verdict", [c.verdict - c.patched for c in early], Unit.SECONDS, 5.0),
            _row("`--crash-budget 1`: spent to verdict", [1000 * (c.verdict - c.spent) for c in early]),
            _row("default budget of 3: spent to verdict", [1000 * (c.verdict - c.spent) for c in usual], limit=2000.0),
            _row("default budget of 3: patch to verdict", [c.verdict - c.patched for c in usual], Unit.SECONDS),
        ),
    )


def _row(what: str, values: list[float], unit: Unit = Unit.MILLISECONDS, limit: float | None = None) -> Row:
    target = None if limit is None else Target(limit=limit)
    return Row(what=what, unit=unit, values=tuple(values), target=target)
