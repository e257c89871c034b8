"""Deploys that go well."""

from tests.scenarios.changes import label, set_env
from tests.scenarios.rows.common import DEPLOYED, ONE, deployed, untouched
from tests.scenarios.scenario import Ends, Run, Scenario, State, Workload
from tests.scenarios.versions import HEALTH, crashing, good

ROWS = (
    Scenario(
        name="first",
        says="The first deploy of a workload replaces what ran before, with twelve requests at most.",
        workload=Workload(replicas=3),
        steps=(
            Run(
                commit=ONE,
                ends=Ends(
                    code=0,
                    outcome="deployed",
                    reason="Complete",
                    image={"repository": "$repository", "tag": "$one.commit", "reference": "$one.image"},
                    previous="seed",
                    checks=(True,),
                    requests=12,
                    story=DEPLOYED,
                ),
                live=State(runs="one", pods=3, marks="one", verified=True),
            ),
        ),
    ),
    Scenario(
        name="second and unchanged",
        says="The next deploy replaces the first; the same commit again changes nothing, and is verified again.",
        steps=(
            deployed(ONE),
            deployed(good("two"), previous="one"),
            Run(
                ends=Ends(code=0, outcome="unchanged", reason="Complete", checks=(True,)),
                live=State(runs="two", marks="two", verified=True, keeps=("spec", "generation", "marks", "pods")),
            ),
        ),
    ),
    Scenario(
        name="any text in the template",
        says="A pod template may hold texts that JSON writes in several ways: it is compared, and put back.",
        steps=(
            set_env("QUERY", "a=1&b=<2>'\u00e9\u2028\"\\\t"),
            deployed(ONE, previous="seed"),
            Run(
                words="deploy --crash-budget 0",
                commit=crashing("two"),
                ends=Ends(code=10, outcome="rolled-back", reason="CrashLoop", back_to="one"),
                live=State(runs="one", verified=True),
            ),
        ),
    ),
    Scenario(
        name="flags alone",
        says="Without a kdeploy.yaml flags are enough, and without checks the report says that nothing was checked.",
        steps=(
            Run(
                words="deploy $target -n $namespace --image $repository",
                commit=ONE,
                configured=False,
                ends=Ends(
                    code=0, outcome="deployed", reason="NothingToVerify", checks=(), says=("nothing more checked",)
                ),
                live=State(runs="one", marks="one"),
            ),
            Run(
                words=f"deploy $target -n $namespace --image $repository --verify-http :8080{HEALTH} --timeout 60s",
                configured=False,
                ends=Ends(code=0, outcome="unchanged", reason="Complete", checks=(True,)),
                live=untouched("one"),
            ),
        ),
    ),
    Scenario(
        name="image of others",
        says="A reference that exists is deployed without a build, by its digest.",
        outside=(good("theirs"),),
        steps=(
            Run(
                words="deploy --image $theirs.image",
                commit=good("not built"),
                of="theirs",
                ends=Ends(code=0, outcome="deployed", reason="Complete", previous="seed", checks=(True,)),
                live=State(runs="theirs", verified=True),
            ),
        ),
    ),
    Scenario(
        name="dry run",
        says="A dry run asks the cluster, and changes nothing.",
        steps=(
            Run(
                words="deploy --dry-run",
                commit=ONE,
                ends=Ends(
                    code=0, outcome="unchanged", reason="NothingToVerify", says=("dry run", "nothing was changed")
                ),
                live=untouched("seed"),
            ),
        ),
    ),
    Scenario(
        name="managed by Helm",
        says="A workload that Helm manages is deployed with a warning.",
        steps=(
            label("app.kubernetes.io/managed-by", "Helm"),
            Run(
                commit=ONE,
                ends=Ends(code=0, outcome="deployed", reason="Complete", says=("Helm manages this workload",)),
                live=State(runs="one", marks="one", verified=True),
            ),
        ),
    ),
)
