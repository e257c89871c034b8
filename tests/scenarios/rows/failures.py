"""Versions that fail: what is told, what is put back, and that the older pods never notice."""

from tests.scenarios.changes import delete, scale, set_env
from tests.scenarios.rows.common import ONE, TAKEN_BACK, back_on, deployed, refused, rolled_back, untouched
from tests.scenarios.scenario import Change, Ends, Fields, Run, Scenario, State, Workload
from tests.scenarios.versions import (
    PORT,
    crashing,
    crashing_later,
    depending_on,
    good,
    never_ready,
    unhealthy,
    without_entry_point,
)
from tests.scenarios.workloads import service, workload

TWO = crashing("two")
MIRROR: Fields = {"image": "${repository}-mirror", "push_image": "$repository", "containers": ["app"]}
"""The nodes pull from a registry to which nobody has copied the image."""

SETTINGS: Fields = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings"},
    "data": {"COLOUR": "blue"},
}
DATABASE = (workload("Deployment", "$seed.image", name="database", replicas=1), service("database", "database"))
LISTENS: Fields = {"httpGet": {"path": "/", "port": PORT}}
STOP_DATABASE = Change(
    kubectl="scale deployment/database --replicas=0",
    path="/apis/apps/v1/namespaces/$namespace/deployments/database/scale",
    body={"spec": {"replicas": 0}},
    content_type="application/merge-patch+json",
    empties="app=database",
)


def crash(budget: int, waits: int) -> Scenario:
    """A crash on start that is borne so many times.

    The first restart comes at once: a busy kubelet may tell of the crash only when it has restarted the container.
    """
    restarts = {"restarts": budget} if budget else {}
    flag = f" --crash-budget {budget}" if budget != 3 else ""
    return Scenario(
        name=f"crash on start, borne {budget} times",
        says=f"A container that ends at once is restarted {budget} times, and then the rollout has failed.",
        waits=waits,
        steps=(
            deployed(ONE),
            Run(
                words=f"deploy{flag}",
                commit=TWO,
                ends=rolled_back(
                    "CrashLoop",
                    culprit={"container": "app", "exit_code": 7, **restarts},
                    log="no database, no service",
                ),
                live=back_on("one"),
            ),
        ),
    )


ROWS = (
    crash(0, 0),
    crash(1, 3),
    crash(3, 50),
    Scenario(
        name="image missing",
        says="An image that the nodes cannot find is rolled back.",
        workload=Workload(replicas=3),
        steps=(
            deployed(ONE, pods=3),
            Run(
                commit=good("two"),
                service=MIRROR,
                ends=rolled_back(
                    "ImageNotFound",
                    says=("not found",),
                    culprit={"container": "app", "reason": "ImageNotFound"},
                    checks=(),
                ),
                live=back_on("one", 3),
            ),
        ),
    ),
    Scenario(
        name="image that the registry does not have",
        says="A reference that the registry does not know is refused before the patch.",
        steps=(
            Run(
                words="deploy --image $repository:missing",
                commit=ONE,
                ends=refused("ImageNotFound", "$repository:missing"),
                live=untouched("seed"),
            ),
        ),
    ),
    Scenario(
        name="entry point missing",
        says="An entry point that is not in the image is rolled back at once.",
        steps=(
            deployed(ONE),
            Run(
                commit=without_entry_point("two"),
                ends=rolled_back("StartError", says=("/app/missing",), culprit={"reason": "StartError"}),
                live=back_on("one"),
            ),
        ),
    ),
    Scenario(
        name="ConfigMap missing",
        says="A ConfigMap that is gone keeps new containers from being made; the old ones run on.",
        workload=Workload(container={"envFrom": [{"configMapRef": {"name": "settings"}}]}, others=(SETTINGS,)),
        steps=(
            deployed(ONE),
            delete("configmap/settings", "/api/v1/namespaces/$namespace/configmaps/settings"),
            Run(
                commit=good("two"),
                ends=rolled_back("ConfigError", says=("settings",), culprit={"reason": "ConfigError"}),
                live=back_on("one"),
            ),
        ),
    ),
    Scenario(
        name="ConfigMap of a volume missing",
        says="A pod whose volume cannot be mounted is waited for, and then the report says what is missing.",
        waits=25,
        workload=Workload(
            others=(SETTINGS,),
            container={"volumeMounts": [{"name": "settings", "mountPath": "/settings"}]},
            volumes=({"name": "settings", "configMap": {"name": "settings"}},),
        ),
        steps=(
            deployed(ONE),
            delete("configmap/settings", "/api/v1/namespaces/$namespace/configmaps/settings"),
            Run(
                words="deploy --timeout 20s",
                commit=good("two"),
                ends=rolled_back("VolumeError", says=('"settings"', "not found"), culprit={"reason": "VolumeError"}),
                live=back_on("one"),
            ),
        ),
    ),
    Scenario(
        name="killed by its liveness probe",
        says="A container that its liveness probe kills again and again is told from one that crashes.",
        waits=25,
        workload=Workload(container={"livenessProbe": {**LISTENS, "periodSeconds": 1, "failureThreshold": 2}}),
        steps=(
            deployed(ONE),
            Run(
                words="deploy --crash-budget 1",
                commit=never_ready("two"),
                ends=rolled_back(
                    "LivenessKilled", says=("killed by its liveness probe", "refused"), culprit={"container": "app"}
                ),
                live=back_on("one"),
            ),
        ),
    ),
    Scenario(
        name="never ready",
        says="A version that never becomes ready is rolled back when its time is over.",
        waits=25,
        steps=(
            deployed(ONE),
            Run(
                words="deploy --timeout 20s",
                commit=never_ready("two"),
                ends=rolled_back("ReadinessFailed", culprit={"container": "app", "reason": "ReadinessFailed"}),
                live=back_on("one"),
            ),
        ),
    ),
    Scenario(
        name="unhealthy",
        says="A version that is ready but fails its check is rolled back, and the restored one is verified again.",
        steps=(
            deployed(ONE),
            Run(
                commit=unhealthy("two"),
                ends=rolled_back(
                    "Unhealthy",
                    says=("500",),
                    checks=(False,),
                    story="preflight build baseline ok patch rollout Complete verify bad Unhealthy "
                    "rollback restore Complete ok",
                ),
                live=State(runs="one", marks="one", verified=True, keeps=("template", "marks")),
            ),
        ),
    ),
    Scenario(
        name="late crash",
        says="A crash after the checks have passed is seen while the rollout is watched.",
        waits=25,
        steps=(
            deployed(ONE),
            Run(
                words="deploy --crash-budget 0",
                commit=crashing_later("two", 16),
                check={"watch_for": "25s"},
                ends=rolled_back(
                    "CrashLoop",
                    culprit={"exit_code": 3},
                    log="out of luck",
                    story="preflight build baseline ok patch rollout Complete verify ok CrashLoop "
                    "rollback restore Complete ok",
                ),
                live=State(runs="one", marks="one", verified=True, keeps=("template", "marks")),
            ),
        ),
    ),
    Scenario(
        name="unhealthy before already",
        says="A check that failed before the first deploy too still gets the old version back.",
        workload=Workload(seed=unhealthy("seed-unhealthy")),
        steps=(
            Run(
                commit=unhealthy("one"),
                ends=rolled_back(
                    "Unhealthy",
                    to="seed-unhealthy",
                    says=(
                        "does not pass on the version before",
                        "did not pass before the deploy either",
                    ),
                    story="preflight build baseline bad Unhealthy patch rollout Complete verify bad Unhealthy "
                    "rollback restore Complete",
                ),
                live=State(runs="seed-unhealthy", marks="", keeps=("template",)),
            ),
        ),
    ),
    Scenario(
        name="old and new alike",
        says="What breaks old and new alike ends as a failed rollback: a person is needed, and is told both.",
        workload=Workload(others=DATABASE),
        steps=(
            deployed(depending_on("one", "database")),
            STOP_DATABASE,
            Run(
                commit=depending_on("two", "database"),
                ends=Ends(
                    code=11,
                    outcome="rollback-failed",
                    reason="Unhealthy",
                    back_to="one",
                    checks=(False,),
                    says=(
                        "500",
                        "the rollback failed too",
                        "does not pass on the version before",
                        "did not pass before this deploy either",
                    ),
                ),
                live=State(runs="one"),
            ),
        ),
    ),
    Scenario(
        name="foreign environment, then bad",
        says="Verified, then somebody's `kubectl set env`, then a bad deploy: the hotfix is what comes back.",
        steps=(
            deployed(ONE),
            set_env("HOTFIX", "yes", live=State(runs="one", marks="one", keeps=("marks",))),
            Run(
                words="deploy --crash-budget 1",
                commit=TWO,
                ends=rolled_back("CrashLoop"),
                live=State(runs="one", keeps=("template", "pods"), env=({"name": "HOTFIX", "value": "yes"},)),
            ),
        ),
    ),
    Scenario(
        name="two bad, then the good one",
        says="After two bad versions the last good one comes back; `kubectl rollout undo` would restore the bad one.",
        steps=(
            deployed(ONE),
            Run(
                words="deploy --crash-budget 0 --no-rollback",
                commit=TWO,
                ends=Ends(
                    code=12,
                    outcome="not-rolled-back",
                    reason="CrashLoop",
                    previous="one",
                    says=("rollback is turned off",),
                ),
                live=State(runs="two", pods=None, marks="two", verified=False),
            ),
            Run(
                words="deploy --crash-budget 0",
                commit=crashing("three"),
                ends=rolled_back("CrashLoop", to="one", previous="two", story=TAKEN_BACK),
                live=State(runs="one", marks="one", verified=True),
            ),
        ),
    ),
    Scenario(
        name="nothing good to put back",
        says="Without any good version there is nothing to put back, and the report says how a person would.",
        workload=Workload(seed=never_ready("seed-never-ready"), comes_up=False),
        steps=(
            Run(
                words="deploy --crash-budget 0",
                commit=crashing("one"),
                ends=Ends(
                    code=12,
                    outcome="not-rolled-back",
                    reason="CrashLoop",
                    says=("not rolled back", "kubectl rollout undo"),
                ),
                live=State(runs="one", pods=None),
            ),
        ),
    ),
    Scenario(
        name="scaled during a rollback",
        says="A workload that is scaled while a bad version rolls keeps its new scale in the rollback.",
        waits=20,
        steps=(
            deployed(ONE),
            Run(
                words="deploy --crash-budget 2",
                commit=TWO,
                meanwhile=(scale(3),),
                ends=rolled_back("CrashLoop"),
                live=State(runs="one", pods=3, marks="one", verified=True, keeps=("template", "marks")),
            ),
        ),
    ),
)
