"""StatefulSets and DaemonSets: their controllers replace pods in place, and remember revisions in their own way."""

import signal
from collections.abc import Iterator

from tests.scenarios.rows.common import ONE, TAKEN_BACK, deployed, rolled_back
from tests.scenarios.rows.failures import MIRROR
from tests.scenarios.scenario import Ends, Run, Scenario, Send, State, Workload
from tests.scenarios.versions import crashing, good, never_ready


def rows_of(kind: str, pods: int) -> Iterator[Scenario]:
    """The same for both kinds; a DaemonSet has a pod on each node, and there is one."""
    workload = Workload(kind=kind)
    first = deployed(ONE, pods=pods)
    undisturbed = ("template", "all pods but one")
    yield Scenario(
        name=f"{kind}: good",
        says="Two good versions one after the other; the same again is unchanged.",
        workload=workload,
        steps=(
            first,
            deployed(good("two"), previous="one", pods=pods),
            Run(
                ends=Ends(code=0, outcome="unchanged", reason="Complete"),
                live=State(runs="two", pods=pods, keeps=("spec", "generation", "marks", "pods")),
            ),
        ),
    )
    yield Scenario(
        name=f"{kind}: crash on start",
        says="A crash is rolled back from a stuck rollout: a StatefulSet waits for the broken pod for ever.",
        workload=workload,
        waits=3,
        steps=(
            first,
            Run(
                words="deploy --crash-budget 1",
                commit=crashing("two"),
                ends=rolled_back("CrashLoop", culprit={"exit_code": 7, "restarts": 1}),
                live=State(runs="one", pods=pods, marks="one", verified=True, keeps=undisturbed),
            ),
        ),
    )
    yield Scenario(
        name=f"{kind}: image missing",
        says="An image that the nodes cannot find is rolled back.",
        workload=workload,
        steps=(
            first,
            Run(
                commit=good("two"),
                service=MIRROR,
                ends=rolled_back("ImageNotFound"),
                live=State(runs="one", pods=pods, marks="one", verified=True, keeps=undisturbed),
            ),
        ),
    )
    yield Scenario(
        name=f"{kind}: two bad, then the good one",
        says="The mark of the verified version has stayed true while others came and went.",
        workload=workload,
        steps=(
            first,
            Run(
                words="deploy --crash-budget 0 --no-rollback",
                commit=crashing("two"),
                ends=Ends(code=12, outcome="not-rolled-back", reason="CrashLoop"),
            ),
            Run(
                words="deploy --crash-budget 0",
                commit=crashing("three"),
                ends=rolled_back("CrashLoop", to="one", previous="two", story=TAKEN_BACK),
                live=State(runs="one", pods=pods, marks="one", verified=True),
            ),
        ),
    )
    yield Scenario(
        name=f"{kind}: stuck by a killed run",
        says="A killed run of a bad version does not hinder the next: a StatefulSet is freed from the bad pod.",
        workload=workload,
        steps=(
            first,
            Run(commit=never_ready("two"), meanwhile=(Send(number=signal.SIGKILL),)),
            Run(
                commit=good("three"),
                ends=Ends(code=0, outcome="deployed", reason="Complete"),
                live=State(runs="three", pods=pods, marks="three", verified=True),
            ),
        ),
    )


ROWS = (*rows_of("StatefulSet", 2), *rows_of("DaemonSet", 1))
