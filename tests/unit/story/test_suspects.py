"""How often the events of suspects are asked for while a rollout is waited for."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from kdeploy.model import Culprit, Obj, Reason, Snapshot, State, Verdict
from kdeploy.story.wait import ASKED_AGAIN, CREATED, LAST_LOOK, SUSPECTS, Evidence
from tests.unit.rollout.dumps import load, with_pods

EMPTY = Snapshot(workload=None)


@dataclass(slots=True)
class Asked:
    """A cluster that has no events, on a clock that is moved by hand. `asked`: which pods, and by when."""

    now: float = 0.0
    asked: list[tuple[list[str], float]] = field(default_factory=list)

    def pod_events(self, pods: list[str], until: float) -> tuple[Obj, ...]:
        self.asked.append((pods, until))
        return ()

    def evidence(self, until: float = 600.0) -> Evidence:
        run: Any = SimpleNamespace(edges=SimpleNamespace(cluster=self), now=lambda: self.now)
        return Evidence(run, until)


@pytest.fixture
def cluster() -> Asked:
    return Asked()


def crashing(state: State, *pods: str, restarts: int = 1) -> Verdict:
    culprits = tuple(
        Culprit(pod=pod, container="web", reason=Reason.CRASH_LOOP, message="", exit_code=143, restarts=restarts)
        for pod in pods
    )
    return Verdict(state=state, reason=Reason.CRASH_LOOP, message="", culprits=culprits)


def test_a_suspect_is_asked_about_once_however_often_it_is_restarted(cluster: Asked) -> None:
    evidence = cluster.evidence()
    assert evidence.look_into(crashing(State.PROGRESSING, "a"), EMPTY)
    assert not evidence.look_into(crashing(State.PROGRESSING, "a", restarts=2), EMPTY)
    assert evidence.look_into(crashing(State.PROGRESSING, "a", "b"), EMPTY)
    assert [pods for pods, _ in cluster.asked] == [["a"], ["b"]]


def test_a_failed_verdict_gets_one_look_more_and_the_rollback_does_not_wait_for_a_second(cluster: Asked) -> None:
    evidence = cluster.evidence()
    evidence.look_into(crashing(State.PROGRESSING, "a"), EMPTY)
    assert evidence.look_into(crashing(State.FAILED, "a", restarts=3), EMPTY)
    assert not evidence.look_into(crashing(State.FAILED, "a", "b", restarts=4), EMPTY)
    assert [pods for pods, _ in cluster.asked] == [["a"], ["a"]]


def test_some_speak_for_all_and_no_answer_is_waited_for_beyond_the_end(cluster: Asked) -> None:
    cluster.now = 599.0
    cluster.evidence().look_into(crashing(State.PROGRESSING, *"abcdef"), EMPTY)
    assert cluster.asked == [(list("abcdef")[:SUSPECTS], 600.0)]


def test_what_was_known_stays_where_there_is_no_answer(cluster: Asked) -> None:
    evidence, known = cluster.evidence(), load("v1.35", "volume-absent")
    evidence.events = known.events
    assert evidence.look_once_more(known).events == known.events
    assert len(cluster.asked) == 1


def test_nothing_is_asked_about_a_verdict_that_needs_no_cause(cluster: Asked) -> None:
    for state in (State.COMPLETE, State.SUPERSEDED):
        assert not cluster.evidence().look_into(crashing(state, "a"), EMPTY)
    assert cluster.asked == []


def test_a_pod_that_is_long_in_the_making_is_asked_about_again_and_before_the_end(cluster: Asked) -> None:
    creating = load("v1.35", "volume-absent")
    progressing = Verdict(state=State.PROGRESSING, reason=Reason.PROGRESSING, message="")
    evidence = cluster.evidence()
    for now in range(60):
        cluster.now = float(now)
        evidence.look_into(progressing, creating)
    assert len(cluster.asked) == 1 + (59 - CREATED) // ASKED_AGAIN
    evidence.look_once_more(creating)
    assert cluster.asked[-1][1] == cluster.now + LAST_LOOK
    count = len(cluster.asked)
    up = with_pods(creating, lambda pod: pod["status"].update(containerStatuses=[{"name": "web", "state": {}}]))
    evidence.look_once_more(up)
    assert len(cluster.asked) == count
