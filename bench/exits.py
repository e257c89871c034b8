"""How long after the rollout is complete does a program exit?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.moments import completed, eventually
from bench.numbers import Measure, Row, Target, Unit
from bench.process import Ended
from bench.workload import Deployed, Workload

LIMIT = 50.0
DEPLOY = "kdeploy deploy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exits:
    """Milliseconds from complete to exit by program, from complete to the deploys' verdicts, and the deploys."""

    late: Mapping[str, tuple[float, ...]]
    verdicts: tuple[float, ...]
    deploys: tuple[tuple[Workload, Deployed], ...]


def measure_exits(workload: Workload, runs: int) -> Exits:
    """Rolls out three new versions a round, each waited for by another program, in changing order."""
    deploys: list[tuple[Workload, Deployed]] = []

    def deploy(image: str) -> Ended:
        deploys.append((workload, workload.deploy("--image", image)))
        return deploys[-1][1].ended

    def kubectl(image: str) -> Ended:
        workload.hold(image)
        words = ("rollout", "status", "deployment/web")
        return workload.kubectl(*words, meanwhile=lambda: workload.release("kubectl"))

    def status(image: str) -> Ended:
        workload.hold(image)
        return workload.status(meanwhile=lambda: workload.release("kdeploy"))

    programs = [("kubectl rollout status", kubectl), ("kdeploy status --watch", status), (DEPLOY, deploy)]
    late: dict[str, list[float]] = {name: [] for name, _ in programs}
    verdicts: list[float] = []
    for turn in range(runs):
        for name, program in programs[turn % 3 :] + programs[: turn % 3]:
            complete, ended = _moments(workload, program)
            late[name].append((ended - complete) * 1000)
            if name == DEPLOY:
                verdicts.append((deploys[-1][1].at("verdict", "rollout") - complete) * 1000)
    by_program = {name: tuple(values) for name, values in late.items()}
    return Exits(late=by_program, verdicts=tuple(verdicts), deploys=tuple(deploys))


def exits_table(found: Exits, pods: str, which: str, *, is_target: bool = True) -> Measure:
    """The page's table; `which` says what pods they are. `is_target`: whether kdeploy's rows have one to meet."""
    kubectl = found.late["kubectl rollout status"]
    return Measure(
        title=f"Exit after a rollout of {pods} is complete",
        note="From the moment at which an ideal raw watcher in the benchmark's own process gets the event that makes "
        "kubectl's rule true, to the end of the process. The programs take turns. The rollout that one only waits for "
        "is paused until it watches. "
        "A deploy also reads everything afresh, marks the version as verified and writes its report in that time. "
        + which,
        rows=(
            *(_row(name, values, kubectl, is_target=is_target) for name, values in found.late.items()),
            Row(what=f"`{DEPLOY}`: of that, until its verdict", unit=Unit.MILLISECONDS, values=found.verdicts),
        ),
    )


def _row(name: str, values: tuple[float, ...], kubectl: tuple[float, ...], *, is_target: bool) -> Row:
    if not name.startswith("kdeploy"):
        return Row(what=f"`{name}`", unit=Unit.MILLISECONDS, values=values)
    target = Target(limit=LIMIT) if is_target else None
    return Row(what=f"`{name}`", unit=Unit.MILLISECONDS, values=values, target=target, beside=kubectl)


def _moments(workload: Workload, program: Callable[[str], Ended]) -> tuple[float, float]:
    """When the watcher saw the rollout complete, and when the program ended."""
    workload.calm()
    generation, image = workload.generation, workload.rig.sleeping()
    with workload.watched_alone() as watch:
        ended = program(image)
        complete = eventually(lambda: completed(watch.seen, generation))
    return complete, ended.ended
