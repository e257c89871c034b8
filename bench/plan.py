"""The whole run, from top to bottom: what is measured alone, and what only waits and so may wait together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.cost import measure_cost
from bench.crashes import DEFAULT, Crash, crash_table, measure_crash
from bench.exits import exits_table, measure_exits
from bench.failures import MISSING, UNSTARTABLE, Timeline, failure_table, measure_failure, measure_kubectl
from bench.hollow import hollow_node
from bench.image import measure_image
from bench.numbers import Measure
from bench.requests import Sent, kubectl_requests, requests_table, sent
from bench.rig import ROOT, Rig
from bench.workload import Workload

Say = Callable[[str], None]
HOLLOW = (
    "The pods are those of a hollow node ([bench/hollow.py](../bench/hollow.py)): all but their containers is real. "
    "Fifty real ones keep two cores busy with starting and ending containers, and that would be measured instead."
)
DRAIN = 4
"""Seconds that an old pod goes on after it was told to end, as an application does that drains its connections."""
DRAINING = (
    f"The pods are real, of a real kubelet, and go on for {DRAIN} s after they were told to end, as an application "
    "does that drains its connections."
)
AT_ONCE = (
    "The same with pods that are killed at once: at this very moment the node, which is this machine, is busy with "
    "removing the last old ones, and every program waits for its turn on two cores."
)
SLOW_READY = 19
"""minReadySeconds at which three pods, replaced one by one, take a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """How often each thing is measured."""

    few_pods: int = 9
    many_pods: int = 7
    failures: int = 5
    early_crashes: int = 5
    usual_crashes: int = 3
    cost: int = 15
    starts: int = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """What the minute of waiting brought."""

    crashes: tuple[Crash, ...]
    missing: Timeline
    unstartable: Timeline
    slow: Sent


def measure_all(rig: Rig, runs: Runs, say: Say) -> list[Measure]:
    """Every measure of the page, in its order. About ten minutes."""
    with workload(rig, "bench-drain", replicas=3, grace=DRAIN) as draining:
        say(f"exits, 3 pods: {runs.few_pods} rounds")
        drain_exits = measure_exits(draining, runs.few_pods)
    with workload(rig, "bench-few", replicas=3) as few:
        say(f"exits, 3 pods that are killed at once: {runs.few_pods} rounds")
        few_exits = measure_exits(few, runs.few_pods)
        say("requests of kubectl")
        kubectl = kubectl_requests(few)
        say(f"an image that does not exist: {runs.failures} times")
        missing = measure_failure(few, MISSING, runs.failures)
        say(f"an entry point that does not exist: {runs.failures} times")
        unstartable = measure_failure(few, UNSTARTABLE, runs.failures)
        say(f"a crash loop, --crash-budget 1: {runs.early_crashes} times")
        crashes = [measure_crash(few, 1) for _ in range(runs.early_crashes)]
        say(f"CPU: {runs.cost} rounds")
        few_deploys = [deployed.ended for _, deployed in few_exits.deploys]
        cost = measure_cost(few, runs.cost, few_deploys)
        few_sent = sent("3 pods", *few_exits.deploys[-1])
    say("what takes a minute: crash loops with the usual budget, kubectl's timeout, a slow rollout")
    waits = wait_together(rig, runs.usual_crashes)
    with hollow_node(rig.cluster, ROOT) as node, workload(rig, "bench-many", replicas=50, node=node) as many:
        say(f"exits, 50 pods: {runs.many_pods} rounds")
        many_exits = measure_exits(many, runs.many_pods)
        many_sent = sent("50 pods", *many_exits.deploys[-1])
    return [
        exits_table(drain_exits, "3 pods", DRAINING),
        exits_table(many_exits, "50 pods", HOLLOW),
        exits_table(few_exits, "3 pods that are killed at once", AT_ONCE, is_target=False),
        failure_table(MISSING, missing, waits.missing),
        failure_table(UNSTARTABLE, unstartable, waits.unstartable),
        crash_table(crashes, waits.crashes),
        requests_table([few_sent, many_sent, waits.slow], kubectl),
        cost,
    ]


def measure_image_alone(rig: Rig, runs: Runs, say: Say) -> list[Measure]:
    """The container image, of which the rest of the page has nothing: two minutes with its build."""
    with workload(rig, "bench-image", replicas=1) as one:
        say(f"the container image: {runs.starts} starts")
        return measure_image(one, runs.starts)


def wait_together(rig: Rig, crashes: int) -> Waits:
    """All that mostly waits, at once, each on a workload of its own: none of these numbers is one of milliseconds."""

    def crash(number: int) -> Crash:
        with workload(rig, f"bench-crash-{number}", replicas=3) as one:
            return measure_crash(one, DEFAULT)

    def slow() -> Sent:
        with workload(rig, "bench-slow", replicas=3, min_ready_seconds=SLOW_READY) as one:
            deployed = one.deploy("--image", rig.sleeping())
            return sent(f"a rollout of {deployed.report['timings']['rollout']:.0f} s", one, deployed)

    with (
        workload(rig, "bench-missing", replicas=3) as missing,
        workload(rig, "bench-unstartable", replicas=3) as unstartable,
        ThreadPoolExecutor() as pool,
    ):
        crashing = [pool.submit(crash, number) for number in range(crashes)]
        slow_one = pool.submit(slow)
        scripts = [
            pool.submit(measure_kubectl, missing, MISSING),
            pool.submit(measure_kubectl, unstartable, UNSTARTABLE),
        ]
        return Waits(
            crashes=tuple(each.result() for each in crashing),
            missing=scripts[0].result(),
            unstartable=scripts[1].result(),
            slow=slow_one.result(),
        )


@contextlib.contextmanager
def workload(
    rig: Rig, name: str, *, replicas: int, min_ready_seconds: int = 0, node: str | None = None, grace: int = 0
) -> Iterator[Workload]:
    """A Deployment that is gone after the block."""
    one = Workload(rig=rig, name=f"{name}-{os.getpid()}")
    try:
        one.create(replicas, min_ready_seconds, node, grace)
        yield one
    finally:
        one.delete()
