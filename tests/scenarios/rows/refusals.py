"""What is refused before the workload is touched."""

from tests.scenarios.changes import patch
from tests.scenarios.rows.common import ONE, deployed, refused, untouched
from tests.scenarios.scenario import Ends, Fields, Run, Scenario, State, Workload
from tests.scenarios.versions import good

SIDECAR: Fields = {
    "spec": {
        "template": {
            "spec": {"containers": [{"name": "sidecar", "image": "$seed.image", "command": ["sleep", "3600"]}]}
        }
    }
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"

ROWS = (
    Scenario(
        name="wrong container",
        says="A container that is not there is refused with the names of those that are.",
        steps=(
            Run(
                words="deploy --container wbe",
                commit=ONE,
                ends=refused("NotFound", "wbe", "app"),
                live=untouched("seed"),
            ),
        ),
    ),
    Scenario(
        name="several containers",
        says="Several containers without a choice are refused with their names.",
        steps=(
            patch(SIDECAR, settles=True),
            Run(
                commit=ONE,
                ends=refused("Ambiguous", "sidecar", "app", "--container"),
                live=State(runs="seed", keeps=("spec", "generation", "pods")),
            ),
        ),
    ),
    Scenario(
        name="no workload",
        says="A workload that is missing is refused with the command that would create it.",
        workload=Workload(exists=False),
        steps=(
            Run(
                commit=ONE,
                ends=refused("NotFound", "kubectl create deployment app --image=IMAGE -n $namespace"),
            ),
        ),
    ),
    Scenario(
        name="no namespace",
        says="A namespace that is missing is refused by its name.",
        workload=Workload(exists=False),
        steps=(
            Run(
                words="deploy -n row-nowhere",
                commit=ONE,
                may_all=True,
                ends=refused("NotFound", "'row-nowhere'"),
            ),
        ),
    ),
    Scenario(
        name="expired token",
        says="Credentials that the API server does not accept are told as such.",
        steps=(
            Run(
                commit=ONE,
                token="eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl",
                ends=refused("Forbidden", "does not accept the credentials", "log in to the cluster anew"),
                live=untouched("seed"),
            ),
        ),
    ),
    Scenario(
        name="changed files",
        says="Files that are not committed are refused in CI, and marked in the tag elsewhere.",
        steps=(
            Run(
                commit=ONE,
                uncommitted=good("not committed"),
                environment={"CI": "true"},
                ends=Ends(code=3, outcome="build-failed", reason="BuildFailed", says=("app/version", "CI=true")),
                live=untouched("seed"),
            ),
            Run(
                ends=Ends(code=0, outcome="deployed", reason="Complete"),
                live=State(runs="one", verified=True),
            ),
        ),
    ),
    Scenario(
        name="older commit",
        says="An older commit is refused unless it is forced.",
        steps=(
            deployed(ONE),
            deployed(good("two"), previous="one"),
            Run(
                checkout="one",
                ends=refused("OlderCommit", "--force"),
                live=untouched("two"),
            ),
            Run(
                words="deploy --force",
                ends=Ends(code=0, outcome="deployed", reason="Complete"),
                live=State(runs="one", verified=True),
            ),
        ),
    ),
    Scenario(
        name="no git repository",
        says="What is no git repository needs a commit by name.",
        steps=(
            Run(
                commit=ONE,
                versioned=False,
                ends=Ends(code=2, outcome="usage", reason="UsageError", says=("not a git repository", "--commit")),
            ),
            Run(
                words=f"deploy --commit {COMMIT}",
                ends=Ends(code=0, outcome="deployed", reason="Complete"),
                live=State(runs="one", verified=True),
            ),
        ),
    ),
)
