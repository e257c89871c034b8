"""What the scenario suite compares: a difference is always found, and said in the row's own words."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.scenarios.facts import seen, told, unlike, wanted_of_run, wanted_of_state
from tests.scenarios.live import Live
from tests.scenarios.names import Names
from tests.scenarios.program import Ran
from tests.scenarios.scenario import Ends, Prints, State

NAMES = Names(
    known={"one.image": "r/app:1@sha256:11", "one.deploy-id": "d1", "one.commit": "c1", "two.image": "r/app:2"}
)


def report(**deploy: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "outcome": "rolled-back",
        "reason": "CrashLoop",
        "image": {"previous": "r/app:1@sha256:11"},
    }
    entry |= {
        "rolled_back_to": "r/app:1@sha256:11",
        "checks": [],
        "culprits": [{"exit_code": 7, "log_tail": "no luck"}],
    }
    timings = dict.fromkeys(("rollout", "detect", "rollback", "total"), 1.0)
    return {
        "exit_code": 10,
        "outcome": "rolled-back",
        "reason": "CrashLoop",
        "message": "it crashed",
        "hint": "",
        "warnings": [],
        "timings": timings,
        "api_requests": 11,
        "deploys": [entry | deploy],
    }


def ran(code: int = 10, **deploy: Any) -> Ran:
    return Ran(code=code, report=report(**deploy), out="", err="")


GOOD = Ends(
    code=10,
    outcome="rolled-back",
    reason="CrashLoop",
    previous="one",
    back_to="one",
    says=("crashed",),
    culprit={"exit_code": 7},
    log="luck",
    requests=11,
    checks=(),
    story="",
)


def differences(ran: Ran, ends: Ends | Prints) -> list[str]:
    return list(unlike(told(ran, ends, NAMES), wanted_of_run(ends, NAMES)))


def test_a_run_that_ends_as_the_row_says_differs_in_nothing() -> None:
    assert differences(ran(), GOOD) == []


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (ran(code=0), "exit code 1: 0, and not 10"),
        (ran(outcome="deployed"), "targets that ended otherwise: [('deployed', 'CrashLoop')], and not []"),
        (ran(rolled_back_to=None), "rolled back to: '', and not 'one'"),
        (ran(rolled_back_to="r/app:2"), "rolled back to: 'two', and not 'one'"),
        (ran(rolled_back_to="r/app:3"), "rolled back to: '? r/app:3', and not 'one'"),
        (ran(image=None), "previous: '', and not 'one'"),
        (ran(culprits=[]), "culprit, exit_code: there is none"),
        (ran(culprits=[{"exit_code": 1, "log_tail": "luck"}]), "culprit, exit_code: 1, and not 7"),
        (ran(culprits=[{"exit_code": 7, "log_tail": None}]), "missing in the log: ('luck',), and not ()"),
        (ran(checks=[{"passed": False}]), "checks: (False,), and not ()"),
    ],
)
def test_a_run_that_ends_otherwise_is_found(run: Ran, said: str) -> None:
    assert said in differences(run, GOOD)


def test_a_word_that_is_not_said_is_found() -> None:
    ends = Ends(code=10, outcome="rolled-back", reason="CrashLoop", back_to="one", says=("in vain",))
    assert differences(ran(), ends) == ["unsaid: ('in vain',), and not ()"]


def test_requests_beyond_the_bound_are_found() -> None:
    ends = Ends(code=10, outcome="rolled-back", reason="CrashLoop", back_to="one", requests=9)
    assert differences(ran(), ends) == ["too many requests: 2, and not 0"]


def test_what_is_printed_must_hold_the_fields_and_as_many_rows() -> None:
    history = Ran(code=0, report={"revisions": [{"commit": "c1", "live": True, "more": 1}]}, out="", err="")
    row = {"commit": "$one.commit", "live": True}
    assert differences(history, Prints(code=0, fields={"revisions": [row]})) == []
    assert differences(history, Prints(code=0, fields={"revisions": [row, row]})) != []
    assert differences(history, Prints(code=0, fields={"revisions": [{"live": False}]})) != []


def pod(uid: str, image: str, *, ready: bool = True, restarts: int = 0) -> dict[str, Any]:
    return {
        "metadata": {"uid": uid},
        "spec": {"containers": [{"name": "app", "image": image}]},
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": "app", "restartCount": restarts}],
        },
    }


MARKS = {"deploy-id": "d1", "commit": "c1", "verified": "hash"}


def live(*pods: dict[str, Any], image: str = "r/app:2", marks: Mapping[str, str] = MARKS) -> Live:
    workload = {
        "kind": "Deployment",
        "metadata": {
            "generation": 3,
            "annotations": {f"kdeploy.dev/{key}": value for key, value in marks.items()},
        },
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "app", "image": image}]}}},
        "status": {"observedGeneration": 3},
    }
    return Live(workload=workload, pods=pods)


TWO = (pod("a", "r/app:2"), pod("b", "r/app:2"))
STATE = State(runs="two", keeps=("pods",))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (live(*TWO), None),
        (live(*TWO, image="r/app:9"), "image: '? r/app:9', and not 'two'"),
        (live(TWO[0]), "pods: [('two', 'ready')], and not [('two', 'ready'), ('two', 'ready')]"),
        (live(TWO[0], pod("b", "r/app:2", ready=False)), "pods 1 2: 'not ready', and not 'ready'"),
        (live(TWO[0], pod("c", "r/app:2")), "kept, pods: False, and not True"),
        (live(TWO[0], pod("b", "r/app:2", restarts=1)), "kept, pods: False, and not True"),
        (None, "image: '', and not 'two'"),
    ],
)
def test_a_workload_that_is_not_as_the_row_says_is_found(found: Live | None, said: str | None) -> None:
    found_differences = list(unlike(seen(found, live(*TWO), NAMES), wanted_of_state(STATE, "Deployment", NAMES)))
    assert found_differences == [] if said is None else said in found_differences


def test_marks_are_those_of_one_deploy_alone() -> None:
    wanted = wanted_of_state(State(runs="two", pods=None, marks="one", verified=True), "Deployment", NAMES)
    of_one = live(marks=MARKS)
    assert list(unlike(seen(of_one, None, NAMES), wanted)) == []
    wrongs: tuple[dict[str, str], ...] = (
        {"deploy-id": "d2", "commit": "c1", "verified": "x"},
        {"deploy-id": "d1", "commit": "c1"},
        {},
    )
    for wrong in wrongs:
        assert list(unlike(seen(live(marks=wrong), None, NAMES), wanted)) != []
