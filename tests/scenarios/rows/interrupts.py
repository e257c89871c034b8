"""Runs that are told to end, and runs that are killed."""

import signal

from tests.scenarios.rows.common import ONE, deployed, rolled_back
from tests.scenarios.scenario import Ends, Run, Scenario, Send, Settle, State, Workload
from tests.scenarios.versions import good, never_ready

KILLED = (Send(number=signal.SIGKILL),)


def interrupted(number: signal.Signals) -> Scenario:
    """A signal after the patch."""
    return Scenario(
        name=f"{number.name} puts the old version back",
        says=f"{number.name} after the patch: the restore is sent before kdeploy ends.",
        steps=(
            deployed(ONE),
            Run(
                commit=never_ready("two"),
                meanwhile=(Send(number=number),),
                ends=Ends(code=128 + number, outcome="interrupted", reason="Interrupted", back_to="one"),
                live=State(runs="one", pods=None),
            ),
            Settle(live=State(runs="one", marks="one", verified=True)),
        ),
    )


ROWS = (
    interrupted(signal.SIGTERM),
    interrupted(signal.SIGINT),
    Scenario(
        name="SIGTERM leaves it as it is",
        says="With --on-interrupt leave a signal ends kdeploy and nothing else.",
        steps=(
            deployed(ONE),
            Run(
                words="deploy --on-interrupt leave",
                commit=never_ready("two"),
                meanwhile=(Send(number=signal.SIGTERM),),
                ends=Ends(code=143, outcome="interrupted", reason="Interrupted"),
                live=State(runs="two", pods=None, marks="two", verified=False),
            ),
        ),
    ),
    Scenario(
        name="killed, then the same commit",
        says="A killed run is taken up by the next one of the same commit.",
        workload=Workload(calm=3),
        waits=6,
        steps=(
            Run(commit=ONE, meanwhile=KILLED),
            Run(
                ends=Ends(code=0, outcome="deployed", reason="Complete"),
                live=State(runs="one", marks="one", verified=True),
            ),
        ),
    ),
    Scenario(
        name="killed when bad, then the next commit",
        says="A killed run of a bad version does not hinder the next commit.",
        steps=(
            deployed(ONE),
            Run(commit=never_ready("two"), meanwhile=KILLED),
            Run(
                commit=good("three"),
                ends=Ends(code=0, outcome="deployed", reason="Complete"),
                live=State(runs="three", marks="three", verified=True),
            ),
        ),
    ),
    Scenario(
        name="killed when bad, then the same commit",
        says="A killed run of a bad version is rolled back when it is run again.",
        waits=10,
        steps=(
            deployed(ONE),
            Run(commit=never_ready("two"), meanwhile=KILLED),
            Run(
                words="deploy --timeout 10s",
                ends=rolled_back(
                    "ReadinessFailed",
                    previous=None,
                    story="preflight build patch rollout ReadinessFailed rollback restore Complete ok",
                ),
                live=State(runs="one", marks="one", verified=True),
            ),
        ),
    ),
)
