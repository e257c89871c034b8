from collections.abc import Mapping
from typing import Any

from kdeploy.model import Reason, Snapshot, State, Verdict
from kdeploy.rollout.assess import Expected
from kdeploy.rollout.calm import Calm, hold

DONE = Verdict(state=State.COMPLETE, reason=Reason.COMPLETE, message="all is well")
UID = "u-1"


def expected(**before: int) -> Expected:
    return Expected(uid=UID, hash="irrelevant", calm=10.0, restarts_before={("p-1", k): v for k, v in before.items()})


def snapshot(restarts: int) -> Snapshot:
    template: Mapping[str, Any] = {"metadata": {}, "spec": {"containers": [{"name": "web", "image": "x"}]}}
    owner = {"controller": True, "uid": UID}
    return Snapshot(
        workload={"kind": "Deployment", "metadata": {"name": "web", "uid": UID}, "spec": {"template": template}},
        revisions=(
            {"metadata": {"name": "web-1", "uid": "rs-1", "ownerReferences": [owner]}, "spec": {"template": template}},
        ),
        pods=(
            {
                "metadata": {"name": "web-1-a", "uid": "p-1", "ownerReferences": [{"controller": True, "uid": "rs-1"}]},
                "status": {"containerStatuses": [{"name": "web", "restartCount": restarts}]},
            },
        ),
    )


def test_a_rollout_without_a_restart_is_complete_at_once() -> None:
    verdict, calm = hold(Calm(), DONE, snapshot(0), expected(), 5.0)
    assert verdict is DONE
    assert calm.until(expected()) is None


def test_a_restarted_container_must_run_for_a_while_before_the_rollout_is_complete() -> None:
    first, calm = hold(Calm(), DONE, snapshot(2), expected(), 5.0)
    assert first.state is State.PROGRESSING
    assert first.culprits[0].reason == Reason.CRASH_LOOP
    assert calm.until(expected()) == 15.0
    almost, calm = hold(calm, DONE, snapshot(2), expected(), 14.9)
    assert almost.state is State.PROGRESSING
    last, _ = hold(calm, DONE, snapshot(2), expected(), 15.0)
    assert last is DONE


def test_another_restart_begins_the_waiting_anew() -> None:
    _, calm = hold(Calm(), DONE, snapshot(1), expected(), 5.0)
    verdict, calm = hold(calm, DONE, snapshot(2), expected(), 14.0)
    assert verdict.state is State.PROGRESSING
    assert calm.until(expected()) == 24.0


def test_going_down_in_between_begins_the_waiting_anew() -> None:
    _, calm = hold(Calm(), DONE, snapshot(1), expected(), 5.0)
    down = Verdict(state=State.PROGRESSING, reason=Reason.PROGRESSING, message="0 of 1 new pods available")
    assert hold(calm, down, snapshot(1), expected(), 6.0) == (down, Calm())


def test_restarts_from_before_the_deploy_are_not_its_fault() -> None:
    verdict, _ = hold(Calm(), DONE, snapshot(7), expected(web=7), 5.0)
    assert verdict is DONE
