"""Others change the workload while kdeploy deploys."""

from tests.scenarios.changes import delete, pause, scale, set_image
from tests.scenarios.rows.common import ONE, deployed, refused
from tests.scenarios.scenario import GONE, Ends, Run, Scenario, Settle, State, Workload
from tests.scenarios.versions import good, never_ready

SUPERSEDED = Ends(code=13, outcome="superseded", reason="Superseded")

ROWS = (
    Scenario(
        name="scaled meanwhile",
        says="A workload that is scaled while it rolls out keeps its new scale.",
        workload=Workload(calm=4),
        waits=10,
        steps=(
            Run(
                commit=ONE,
                meanwhile=(scale(3),),
                ends=Ends(code=0, outcome="deployed", reason="Complete"),
                live=State(runs="one", pods=3, marks="one", verified=True),
            ),
        ),
    ),
    Scenario(
        name="foreign image meanwhile",
        says="Somebody's image that comes while ours rolls out is theirs to have: ours is dropped, theirs untouched.",
        outside=(good("theirs"),),
        steps=(
            deployed(ONE),
            Run(
                words="deploy --timeout 60s",
                commit=never_ready("two"),
                meanwhile=(set_image("$theirs.image"),),
                ends=SUPERSEDED,
            ),
            Settle(live=State(runs="theirs")),
        ),
    ),
    Scenario(
        name="two deploys at once",
        says="Of two deploys at once the later one wins.",
        steps=(
            deployed(ONE),
            Run(
                words="deploy --timeout 60s",
                commit=never_ready("two"),
                meanwhile=(Run(commit=good("three"), ends=Ends(code=0, outcome="deployed", reason="Complete")),),
                ends=SUPERSEDED,
                live=State(runs="three", marks="three", verified=True),
            ),
        ),
    ),
    Scenario(
        name="deleted meanwhile",
        says="A workload that is deleted while it rolls out is told so, and not made again.",
        steps=(
            Run(
                words="deploy --timeout 60s",
                commit=never_ready("one"),
                meanwhile=(delete(),),
                ends=Ends(code=13, outcome="superseded", reason="Deleted"),
                live=GONE,
            ),
        ),
    ),
    Scenario(
        name="paused",
        says="A Deployment that somebody has paused is refused.",
        steps=(
            pause(),
            Run(
                commit=ONE,
                ends=refused("Paused", "kubectl rollout resume"),
                live=State(runs="seed", marks="", keeps=("spec", "generation", "pods")),
            ),
        ),
    ),
)
