"""The steps that most rows begin with."""

from typing import Any

from tests.scenarios.scenario import Ends, Run, State
from tests.scenarios.versions import Version, good

ONE = good("one")
DEPLOYED = "preflight build baseline ok patch rollout Complete verify ok"
BACK = "preflight build baseline ok patch rollout {} rollback restore Complete ok"
TAKEN_BACK = "preflight build patch rollout CrashLoop rollback restore Complete ok"
"""The stories of a deploy that goes well, of one that is rolled back, and of one in place of a version that crashes."""

UNDISTURBED = ("template", "marks", "pods")
"""What a rollback of a Deployment leaves: the old pods never noticed."""


def deployed(version: Version = ONE, *, previous: str = "seed", pods: int = 2, **run: Any) -> Run:
    """A deploy that goes well, in place of `previous`."""
    ends = Ends(code=0, outcome="deployed", reason="Complete", previous=previous, checks=(True,), story=DEPLOYED)
    return Run(
        commit=version, ends=ends, live=State(runs=version.name, pods=pods, marks=version.name, verified=True), **run
    )


def rolled_back(reason: str, *, to: str = "one", **ends: Any) -> Ends:
    """Exit 10: the version `to`, which ran before, runs again."""
    told = {"outcome": "rolled-back", "reason": reason, "previous": to, "back_to": to, "story": BACK.format(reason)}
    return Ends(**{"code": 10, **told, **ends})


def refused(reason: str, *says: str) -> Ends:
    """Exit 4: nothing was touched."""
    return Ends(code=4, outcome="refused", reason=reason, says=says, story="preflight")


def back_on(version: str = "one", pods: int = 2) -> State:
    """After a rollback, that version runs in the pods it had, as if nothing had happened."""
    return State(runs=version, pods=pods, marks=version, verified=True, keeps=UNDISTURBED)


def untouched(version: str, pods: int = 2) -> State:
    """Nobody wrote to the workload, and its pods run on."""
    return State(runs=version, pods=pods, keeps=("spec", "generation", "marks", "pods"))
