"""What a rolling update promises, whatever the numbers, the behaviours and the order of changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeploy.model import Kind, Obj
from kdeploy.rollout.assess import is_settled_by_status
from kdeploy.rollout.objects import annotations_of, images_of, is_active, is_ready, is_terminating, name_of, status_of
from kdeploy.rollout.status import status_of as verdict_on
from kdeploy.sandbox.core.resources import DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS, of_workload
from kdeploy.sandbox.core.rolling import bounds
from kdeploy.sandbox.core.store import Event
from tests.unit.sandbox.core.world import NAMESPACE, World

PROBE = {"readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}}

numbers = st.one_of(st.integers(0, 4), st.integers(0, 100).map(lambda percent: f"{percent}%"))
strategies = st.tuples(numbers, numbers).filter(lambda pair: pair not in ((0, 0), ("0%", "0%"), (0, "0%"), ("0%", 0)))
times = st.sampled_from(["0s", "500ms", "2s", "7s"])
GOOD = "pull={} start={} ready-after={} stop-after={}"
good = st.tuples(times, times, times, times).map(lambda four: GOOD.format(*four))
bad = st.sampled_from(["exit=1", "never-ready", "start-error", "oom", "nonsense", "exit=0 start=1s", "hangs-after=0s"])
containers = st.sampled_from([{}, PROBE])


class Guard:
    """Looks at every change of a Deployment's pods: never too many, never too few."""

    def __init__(self, w: World) -> None:
        self.world, self.on, self.looks = w, False, 0
        w.store.subscribe(self._look)

    def _look(self, event: Event) -> None:
        if not self.on or event.resource is not PODS:
            return
        self.looks += 1
        workload = self.world.get(DEPLOYMENTS, "web")
        desired, (surge, unavailable) = workload["spec"]["replicas"], bounds(workload)
        active = [pod for pod in self.world.store.list(PODS, NAMESPACE) if is_active(pod)]
        available = sum(map(is_ready, active))
        assert len(active) <= desired + surge, f"{len(active)} pods of {desired}+{surge}"
        assert available >= desired - unavailable, f"{available} available of {desired}-{unavailable}"


def rolling(pair: tuple[Any, Any]) -> Obj:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": pair[0], "maxUnavailable": pair[1]}}


def complete(w: World, kind: Kind = Kind.DEPLOYMENT) -> bool:
    """kdeploy's own verdict, once the status says so: asking it at each moment would take most of the time."""
    return is_settled_by_status(w.get(of_workload(kind), "web")) and verdict_on(w.snapshot(kind)).passed


def running(w: World) -> set[str]:
    return {images_of(pod, ["web"])[0].rpartition(":")[2] for pod in w.pods() if not is_terminating(pod)}


@settings(max_examples=40)
@given(st.integers(0, 9), strategies, good, good, containers, containers, st.integers(0, 3))
def test_a_rollout_of_good_pods_completes_and_keeps_its_bounds(
    replicas: int, pair: tuple[Any, Any], old: str, new: str, before: Obj, after: Obj, ready: int
) -> None:
    w = World(old=old, new=new)
    guard = Guard(w)
    w.workload(image="old", replicas=replicas, strategy=rolling(pair), container=before, minReadySeconds=ready)
    w.run_until(lambda: complete(w))
    w.run(30)
    guard.on = True
    w.change(image="new", container=after)
    w.run_until(lambda: complete(w), at_most=(replicas + 1) * 40)
    assert running(w) == ({"new"} if replicas else set())
    assert guard.looks > 0 or replicas == 0


@settings(max_examples=40)
@given(st.integers(1, 9), strategies, good, bad, containers)
def test_a_bad_rollout_keeps_its_bounds_and_the_old_template_always_gets_back(
    replicas: int, pair: tuple[Any, Any], old: str, broken: str, container: Obj
) -> None:
    probe = PROBE if "hangs" in broken else container
    w = World(old=old, new=broken)
    guard = Guard(w)
    w.workload(image="old", replicas=replicas, strategy=rolling(pair), container=probe)
    w.run_until(lambda: complete(w))
    w.run(30)
    first = name_of(w.store.list(REPLICA_SETS, NAMESPACE)[0])
    guard.on = True
    w.change(image="new")
    w.run(100)
    assert not complete(w)
    w.change(image="old")
    w.run_until(lambda: complete(w), at_most=(replicas + 1) * 40)
    assert running(w) == {"old"}
    sets = {name_of(each): each for each in w.store.list(REPLICA_SETS, NAMESPACE)}
    assert len(sets) == 2
    assert annotations_of(sets[first])["deployment.kubernetes.io/revision"] == "3"
    assert guard.looks > 0


changes = st.lists(
    st.one_of(
        st.tuples(st.just("image"), st.sampled_from(["a", "b", "bad"])),
        st.tuples(st.just("replicas"), st.integers(0, 7)),
        st.tuples(st.just("paused"), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([0.4, 3, 20])),
        st.tuples(st.just("kill"), st.integers(0, 9)),
    ),
    max_size=12,
)


def play(w: World, kind: Kind, steps: list[tuple[str, Any]]) -> None:
    for what, value in steps:
        if what == "wait":
            w.run(value)
        elif what == "kill":
            pods = w.pods()
            if pods:
                w.store.delete(PODS, NAMESPACE, name_of(pods[value % len(pods)]), w.now)
        elif what != "paused" or kind is Kind.DEPLOYMENT:
            w.change(kind, **{what: value})


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=20)
@given(steps=changes, old=good, new=good, parallel=st.booleans())
def test_whatever_was_done_a_good_template_gets_there(
    kind: Kind, steps: list[tuple[str, Any]], old: str, new: str, parallel: bool
) -> None:
    w = World(a=old, b=new, bad="exit=1")
    spec: dict[str, Any] = {"replicas": 3} if kind is not Kind.DAEMONSET else {}
    w.workload(kind, image="a", **spec, **({"podManagementPolicy": "Parallel"} if parallel else {}))
    play(w, kind, [step for step in steps if step[0] != "replicas" or kind is not Kind.DAEMONSET])
    resumed: dict[str, Any] = {"paused": False} if kind is Kind.DEPLOYMENT else {}
    w.change(kind, image="b", **spec, **resumed)
    for _ in range(20):
        w.run(200)
        if complete(w, kind):
            break
        for pod in w.pods():  # a StatefulSet waits for its broken pods until somebody deletes them
            if not is_ready(pod) and kind is Kind.STATEFULSET:
                w.store.delete(PODS, NAMESPACE, name_of(pod), w.now)
    assert complete(w, kind)
    assert running(w) == {"b"}
    version = w.store.version
    w.run(300)
    assert w.store.version == version, "it comes to rest"


@settings(max_examples=20)
@given(st.integers(1, 5), good, good, changes)
def test_an_ordered_stateful_set_never_has_two_pods_on_their_way(
    replicas: int, old: str, new: str, steps: list[tuple[str, Any]]
) -> None:
    w = World(a=old, b=new, bad="never-ready")
    w.workload(Kind.STATEFULSET, image="a", replicas=replicas)
    w.run_until(lambda: complete(w, Kind.STATEFULSET))
    most = 0

    def look(event: Event) -> None:
        nonlocal most
        if event.resource is PODS:
            unready = [p for p in w.store.list(PODS, NAMESPACE) if is_terminating(p) or not is_ready(p)]
            most = max(most, len(unready))

    w.store.subscribe(look)
    play(w, Kind.STATEFULSET, [step for step in steps if step[0] in ("image", "wait")])
    w.run(100)
    assert most <= 1
    assert status_of(w.get(STATEFUL_SETS, "web"))["replicas"] == replicas


@settings(max_examples=20)
@given(changes, good)
def test_the_same_changes_make_the_same_history(steps: list[tuple[str, Any]], behaviour: str) -> None:
    def history() -> list[tuple[str, Obj]]:
        w = World(a=behaviour, b="", bad="exit=1")
        w.workload(image="a", replicas=3)
        play(w, Kind.DEPLOYMENT, steps)
        w.run(60)
        return [(event.type, event.obj) for event in w.events]

    assert history() == history()


@settings(max_examples=20)
@given(st.sampled_from(list(Kind)), changes, good)
def test_what_is_read_is_never_changed(kind: Kind, steps: list[tuple[str, Any]], behaviour: str) -> None:
    w = World(a=behaviour, b="", bad="exit=1")
    frozen: list[tuple[Obj, str]] = []
    w.store.subscribe(lambda event: frozen.append((event.obj, repr(event.obj))))
    w.workload(kind, image="a")
    play(w, kind, [step for step in steps if step[0] != "replicas" or kind is not Kind.DAEMONSET])
    w.run(60)
    assert all(repr(obj) == text for obj, text in frozen)
    assert w.store.get(of_workload(kind), NAMESPACE, "web") is not None
