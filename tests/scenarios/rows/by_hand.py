"""The commands beside `deploy`: rollback, history, status, verify, build."""

from typing import Any

from tests.scenarios.changes import pause, resume, set_env, set_image
from tests.scenarios.rows.common import ONE, deployed, untouched
from tests.scenarios.rows.failures import DATABASE, STOP_DATABASE
from tests.scenarios.scenario import Dump, Ends, Fields, Prints, Run, Scenario, State, Workload
from tests.scenarios.versions import crashing, depending_on, good, never_ready, unhealthy

MISSING = "$registry/nowhere:1"
THREE_VERSIONS = (
    deployed(ONE),
    deployed(good("two"), previous="one"),
    Run(
        words="deploy --crash-budget 0 --no-rollback",
        commit=crashing("three"),
        ends=Ends(code=12, outcome="not-rolled-back", reason="CrashLoop"),
        live=State(runs="three", pods=None),
    ),
)
"""Two verified ones and a bad one, which is live."""


def restore(words: str, version: str) -> Run:
    """A rollback that goes well."""
    return Run(
        words=words,
        of=version,
        ends=Ends(code=0, outcome="restored", reason="Restored", back_to=version, checks=(True,)),
        live=State(runs=version, verified=True),
    )


def refused_rollback(to: str, reason: str, *says: str) -> Run:
    """A rollback that is refused, and changes nothing."""
    return Run(
        words=f"rollback --to {to}",
        ends=Ends(code=4, outcome="refused", reason=reason, says=says),
        live=State(runs="three", pods=None, keeps=("spec", "generation", "marks")),
    )


def status(code: int, state: str, reason: str, words: str = "status", **fields: Any) -> Run:
    """What `kdeploy status` says."""
    return Run(words=words, ends=Prints(code=code, fields={"state": state, "reason": reason, **fields}))


def revision(version: str, *, verified: bool, live: bool = False) -> Fields:
    """A row of `kdeploy history`."""
    return {"commit": f"${version}.commit", "digest": f"${version}.digest", "verified": verified, "live": live}


NOBODYS: Fields = {"commit": None, "digest": None, "verified": False, "live": False}

ROWS = (
    Scenario(
        name="history and rollback",
        says="The history says which versions were verified; a rollback goes to the newest of them or to one by name.",
        steps=(
            *THREE_VERSIONS,
            Run(
                words="history",
                ends=Prints(
                    code=0,
                    fields={
                        "revisions": [
                            revision("three", verified=False, live=True),
                            revision("two", verified=True),
                            revision("one", verified=True),
                            NOBODYS,
                        ]
                    },
                ),
            ),
            refused_rollback("$three.revision", "NoRollbackTarget", "never verified"),
            refused_rollback("$three.commit", "NoRollbackTarget", "never verified"),
            refused_rollback("$three.digest", "NoRollbackTarget", "never verified"),
            refused_rollback("99", "NotFound", "no revision 99"),
            restore("rollback", "two"),
            status(0, "complete", "Complete"),
            restore("rollback --to $one.revision", "one"),
            restore("rollback --to $two.commit", "two"),
            restore("rollback --to $one.digest", "one"),
        ),
    ),
    Scenario(
        name="rollback after a rollback and a bad one",
        says="What a rollback by hand had put back comes back after a bad deploy, and not what it had taken away.",
        steps=(
            deployed(ONE),
            deployed(good("two"), previous="one"),
            deployed(good("three"), previous="two"),
            restore("rollback", "two"),
            Run(
                words="deploy --crash-budget 0 --no-rollback",
                commit=crashing("four"),
                ends=Ends(code=12, outcome="not-rolled-back", reason="CrashLoop"),
                live=State(runs="four", pods=None),
            ),
            restore("rollback", "two"),
            restore("rollback", "one"),
            deployed(good("five"), previous="one"),
            restore("rollback", "one"),
        ),
    ),
    Scenario(
        name="inherited marks",
        says="A foreign change is not verified by the marks that it inherits.",
        steps=(
            deployed(ONE),
            set_env("A", "b"),
            Run(
                words="history",
                ends=Prints(
                    code=0,
                    fields={
                        "revisions": [
                            {"verified": False, "live": True},
                            {"verified": True, "live": False},
                            {"verified": False, "live": False},
                        ]
                    },
                ),
            ),
            Run(
                words="rollback",
                ends=Ends(code=0, outcome="restored", reason="Restored", back_to="one"),
                live=State(runs="one", env=()),
            ),
        ),
    ),
    Scenario(
        name="status",
        says="Complete, progressing, paused and failed are told apart, live and from a dump.",
        outside=(never_ready("seed-never-ready"),),
        steps=(
            deployed(ONE),
            status(0, "complete", "Complete", verified=True),
            Dump(),
            status(0, "complete", "Complete", "status $target --from-file $dump", verified=True),
            set_image("$seed-never-ready.image"),
            status(1, "progressing", "Progressing", verified=False),
            pause(),
            status(1, "paused", "Paused"),
            resume(),
            set_image(MISSING),
            status(12, "failed", "ImageNotFound", "status --watch --timeout 60s"),
            status(12, "failed", "ImageNotFound"),
            Dump(),
            status(12, "failed", "ImageNotFound", "status $target --from-file $dump"),
        ),
    ),
    Scenario(
        name="status --watch",
        says="A rollout of somebody else's is watched to its end.",
        workload=Workload(calm=3),
        outside=(good("theirs"),),
        waits=6,
        steps=(
            set_image("$theirs.image"),
            Run(
                words="status --watch",
                ends=Prints(code=0, fields={"state": "complete", "reason": "Complete"}),
                live=State(runs="theirs"),
            ),
        ),
    ),
    Scenario(
        name="verify",
        says="verify asks what runs and changes nothing; a version that became unhealthy is told, and left as it is.",
        workload=Workload(others=DATABASE),
        steps=(
            deployed(depending_on("one", "database")),
            Run(
                words="verify",
                ends=Ends(code=0, outcome="passed", reason="Complete", checks=(True,)),
                live=untouched("one"),
            ),
            STOP_DATABASE,
            Run(
                words="verify",
                ends=Ends(code=12, outcome="failed", reason="Unhealthy", checks=(False,), says=("500",)),
                live=untouched("one"),
            ),
            Run(
                ends=Ends(
                    code=12,
                    outcome="not-rolled-back",
                    reason="Unhealthy",
                    says=("it ran already", "left as it is"),
                ),
                live=untouched("one"),
            ),
        ),
    ),
    Scenario(
        name="build, then deploy",
        says="build pushes and touches no workload; deploy takes the reference that it prints.",
        steps=(
            Run(
                words="build",
                commit=unhealthy("one"),
                ends=Ends(
                    code=0,
                    outcome="built",
                    reason="Complete",
                    image={"repository": "$repository", "tag": "$one.commit", "reference": "$one.image"},
                ),
                live=untouched("seed"),
            ),
            Run(
                words="deploy --image $one.image --no-rollback",
                ends=Ends(code=12, outcome="not-rolled-back", reason="Unhealthy"),
                live=State(runs="one"),
            ),
        ),
    ),
)
