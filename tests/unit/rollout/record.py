"""Records what a real Kubernetes shows at the moments that matter: `python -m tests.unit.rollout.record`.

It needs a cluster of tests/cluster and its environment (`eval "$(.venv/bin/python -m tests.cluster env)"`), makes a
namespace of its own, plays all the scenes below at once in a minute and a half, and writes
fixtures/VERSION/MOMENT.json: a List of the objects that are the scene's own, one a line, without managedFields and
without the events of what went well.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from kdeploy.rollout import marks
from kdeploy.rollout.template import template_hash
from tests.cluster import cluster as rig

FIXTURES = Path(__file__).parent / "fixtures"
NAMESPACE = "kdeploy-fixtures"
KINDS = "deployments,statefulsets,daemonsets,replicasets,controllerrevisions,pods,events"
PATIENCE = 120.0

Items = list[dict[str, Any]]
Moment = Callable[[Items], bool]
Scene = Generator[Moment, Items, None]
SLEEP = ["sleep", "100000"]


class Stage:
    """One scene's place: its workload, and what it writes. `base` is an image that runs, `private` one that may not."""

    def __init__(self, name: str, base: str, private: str, folder: Path) -> None:
        self.name, self.base, self.private, self._folder = name, base, private, folder

    def apply(self, kind: str = "Deployment", spec: dict[str, Any] | None = None, **container: Any) -> None:
        """Creates or changes the workload; `container` overrides its container, `spec` the workload's."""
        extra = dict(spec or {})
        pod = {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "web", "image": self.base, "command": SLEEP, **container}],
            **extra.pop("pod", {}),
        }
        annotations = extra.pop("annotations", None)
        template = {"metadata": {"labels": {"app": self.name}}, "spec": pod}
        shape = {"selector": {"matchLabels": {"app": self.name}}, "template": template, **extra}
        if kind == "StatefulSet":
            shape["serviceName"] = self.name
        metadata = {"name": self.name, "namespace": NAMESPACE, "annotations": annotations}
        manifest = {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": shape}
        kubectl("apply", "-f", "-", text=json.dumps(manifest))

    def run(self, *words: str) -> None:
        """A kubectl command on the namespace."""
        kubectl(*words)

    def save(self, moment: str, items: Items) -> None:
        """Writes what the scene shows now."""
        kept = [item for item in items if item.get("type") != "Normal" or item.get("reason") == "Killing"]
        lines = ",\n".join(json.dumps(item, separators=(",", ":")) for item in kept)
        (self._folder / f"{moment}.json").write_text(f'{{"apiVersion":"v1","kind":"List","items":[\n{lines}\n]}}\n')
        print(f"  {moment}", flush=True)


def kubectl(*words: str, text: str | None = None) -> str:
    """Runs kubectl in the namespace; raises with its last words."""
    command = ["kubectl", "-n", NAMESPACE, *words]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


# What to look for in a dump. A scene yields one of these and gets the dump in which it became true.


def of(items: Items, kind: str) -> Items:
    return [item for item in items if item["kind"] == kind]


def workload(items: Items) -> dict[str, Any]:
    return next(item for item in items if item["kind"] in ("Deployment", "StatefulSet", "DaemonSet"))


def complete(items: Items) -> bool:
    got: tuple[str, ...]
    status, spec = workload(items).get("status", {}), workload(items)["spec"]
    if status.get("observedGeneration") != workload(items)["metadata"]["generation"]:
        return False
    if workload(items)["kind"] == "DaemonSet":
        wanted, got = status["desiredNumberScheduled"], ("updatedNumberScheduled", "numberAvailable")
    else:
        wanted, got = spec["replicas"], ("updatedReplicas", "readyReplicas", "replicas")
    live = [pod for pod in of(items, "Pod") if "deletionTimestamp" not in pod["metadata"]]
    return wanted > 0 and all(status.get(key) == wanted for key in got) and len(live) == wanted


def waiting(reason: str, restarts: int = 0) -> Moment:
    def seen(items: Items) -> bool:
        return any(
            status.get("state", {}).get("waiting", {}).get("reason") == reason and status["restartCount"] >= restarts
            for pod in of(items, "Pod")
            for key in ("initContainerStatuses", "containerStatuses")
            for status in pod["status"].get(key, [])
        )

    return seen


def restarted(count: int, state: str | None = None) -> Moment:
    def seen(items: Items) -> bool:
        return any(
            status["restartCount"] == count and (state is None or state in status.get("state", {}))
            for pod in of(items, "Pod")
            for key in ("initContainerStatuses", "containerStatuses")
            for status in pod["status"].get(key, [])
        )

    return seen


def has_condition(type_: str, reason: str) -> Moment:
    def seen(items: Items) -> bool:
        conditions = workload(items).get("status", {}).get("conditions", [])
        return any(c["type"] == type_ and c.get("reason") == reason for c in conditions)

    return seen


def deadline_over(items: Items) -> bool:
    return has_condition("Progressing", "ProgressDeadlineExceeded")(items)


def observed(items: Items) -> bool:
    return bool(workload(items)["status"].get("observedGeneration") == workload(items)["metadata"]["generation"])


def both(*moments: Moment) -> Moment:
    return lambda items: all(moment(items) for moment in moments)


def pods_number(count: int) -> Moment:
    return lambda items: len(of(items, "Pod")) == count


NEVER_READY = {"exec": {"command": ["false"]}, "periodSeconds": 1}

# The scenes, each with a workload of its own.


def web(stage: Stage) -> Scene:
    """A rollout that is complete, the next one half-way and then complete, and one to an image that is not there."""
    stage.apply(spec={"replicas": 3, "minReadySeconds": 2})
    stage.save("complete", (yield complete))
    stage.apply(spec={"replicas": 3, "minReadySeconds": 2}, env=[{"name": "TWO", "value": "2"}])
    stage.save("mid-rollout", (yield both(observed, pods_number(4))))
    stage.save("complete-again", (yield complete))
    stage.run("set", "image", f"deployment/{stage.name}", f"web={stage.base.rpartition(':')[0]}:absent")
    stage.save("image-missing", (yield waiting("ErrImagePull")))
    stage.save("image-missing-back-off", (yield waiting("ImagePullBackOff")))


def crash(stage: Stage) -> Scene:
    """A container that exits at once, after each restart."""
    stage.apply(command=["sh", "-c", "echo no database; exit 3"])
    for count in (1, 2, 3):
        stage.save(f"crash-{count}", (yield both(restarted(count), either_down)))


def either_down(items: Items) -> bool:
    statuses = [s for pod in of(items, "Pod") for s in pod["status"].get("containerStatuses", [])]
    return any(
        "terminated" in s["state"] or s["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"
        for s in statuses
    )


def late(stage: Stage) -> Scene:
    """A container that crashes once, because something it needs is late, and then runs."""
    stage.apply(
        command=["sh", "-c", "test -f /state/once || { touch /state/once; exit 1; }; sleep 100000"],
        volumeMounts=[{"name": "state", "mountPath": "/state"}],
        spec={"pod": {"volumes": [{"name": "state", "emptyDir": {}}]}},
    )
    stage.save("recovered", (yield both(complete, restarted(1, "running"))))


def entry(stage: Stage) -> Scene:
    stage.apply(command=["/no/such/program"])
    stage.save("entry-point-absent", (yield both(has_a_pod_with_status, start_error)))


def entry_denied(stage: Stage) -> Scene:
    stage.apply(command=["/etc/passwd"])
    stage.save("entry-point-not-executable", (yield both(has_a_pod_with_status, start_error)))


def has_a_pod_with_status(items: Items) -> bool:
    return any(pod["status"].get("containerStatuses") for pod in of(items, "Pod"))


def start_error(items: Items) -> bool:
    statuses = [s for pod in of(items, "Pod") for s in pod["status"].get("containerStatuses", [])]
    return any(
        s["state"].get("waiting", {}).get("reason") == "RunContainerError" or "terminated" in s["state"]
        for s in statuses
    )


def config(stage: Stage) -> Scene:
    stage.apply(envFrom=[{"configMapRef": {"name": "absent"}}])
    stage.save("configmap-absent", (yield waiting("CreateContainerConfigError")))


def name(stage: Stage) -> Scene:
    stage.apply(image="localhost:5000/Base/Busybox:1")
    stage.save("image-name-invalid", (yield waiting("InvalidImageName")))


def private(stage: Stage) -> Scene:
    stage.apply(image=stage.private)
    stage.save("image-unauthorized", (yield waiting("ErrImagePull")))


def no_registry(stage: Stage) -> Scene:
    stage.apply(image="localhost:1/base/busybox:1")
    stage.save("registry-unreachable", (yield waiting("ErrImagePull")))


def volume(stage: Stage) -> Scene:
    stage.apply(
        volumeMounts=[{"name": "settings", "mountPath": "/settings"}],
        spec={"pod": {"volumes": [{"name": "settings", "configMap": {"name": "absent"}}]}},
    )
    stage.save("volume-absent", (yield told("FailedMount")))


def told(reason: str) -> Moment:
    return lambda items: any(event.get("reason") == reason for event in of(items, "Event"))


def liveness(stage: Stage) -> Scene:
    """A container that its liveness probe kills: the first restart comes at once, the second is waited for."""
    stage.apply(livenessProbe={"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1})
    stage.save("liveness-killed", (yield waiting("CrashLoopBackOff", restarts=1)))


def init(stage: Stage) -> Scene:
    """An init container that fails: at first, and after its budget."""
    first = {"name": "migrate", "image": stage.base, "command": ["sh", "-c", "exit 4"]}
    stage.apply(spec={"pod": {"initContainers": [first]}})
    stage.save("init-failing", (yield both(restarted(1), waiting("CrashLoopBackOff"))))
    stage.save("init-failing-3", (yield both(restarted(3), waiting("CrashLoopBackOff"))))


def memory(stage: Stage) -> Scene:
    stage.apply(command=["tail", "/dev/zero"], resources={"limits": {"memory": "20Mi"}})
    stage.save("out-of-memory", (yield waiting("CrashLoopBackOff", restarts=1)))


def unready(stage: Stage) -> Scene:
    """Never ready; then its progress deadline is over; then its old template is put back, with that left over."""
    stage.apply(spec={"progressDeadlineSeconds": 6})
    yield complete
    stage.apply(spec={"progressDeadlineSeconds": 6}, readinessProbe=NEVER_READY)
    stage.save("unready", (yield both(pods_number(2), running_unready)))
    stage.save("deadline", (yield deadline_over))
    stage.run("rollout", "pause", f"deployment/{stage.name}")
    stage.apply(spec={"progressDeadlineSeconds": 6, "paused": True})
    stage.save("deadline-left-over", (yield both(observed, pods_number(2), deadline_over)))


def running_unready(items: Items) -> bool:
    statuses = [s for pod in of(items, "Pod") for s in pod["status"].get("containerStatuses", [])]
    return any("running" in s["state"] and not s["ready"] for s in statuses)


def paused(stage: Stage) -> Scene:
    stage.apply()
    yield complete
    stage.run("rollout", "pause", f"deployment/{stage.name}")
    stage.run("set", "env", f"deployment/{stage.name}", "A=b")
    stage.save("paused", (yield both(observed, has_condition("Progressing", "DeploymentPaused"))))


def zero(stage: Stage) -> Scene:
    stage.apply(spec={"replicas": 0})
    stage.save("scaled-to-0", (yield both(observed, lambda items: bool(of(items, "ReplicaSet")))))


def unscheduled(stage: Stage) -> Scene:
    stage.apply(spec={"pod": {"nodeSelector": {"disk": "none"}}})
    stage.save("unschedulable", (yield unschedulable))


def unschedulable(items: Items) -> bool:
    conditions = [c for pod in of(items, "Pod") for c in pod["status"].get("conditions", [])]
    return any(c["type"] == "PodScheduled" and c["status"] == "False" for c in conditions)


def denied(stage: Stage) -> Scene:
    stage.apply(spec={"pod": {"serviceAccountName": "absent"}})
    stage.save("pods-denied", (yield has_condition("ReplicaFailure", "FailedCreate")))


def foreign(stage: Stage) -> Scene:
    """Verified by kdeploy, then a foreign `set env`: the new ReplicaSet inherits every mark."""
    stage.apply()
    template = workload((yield complete))["spec"]["template"]
    kubectl(
        "annotate",
        f"deployment/{stage.name}",
        f"{marks.DEPLOY_ID}=one",
        f"{marks.STATE}={marks.DEPLOYED}",
        f"{marks.COMMIT}={'c' * 40}",
        f"{marks.VERIFIED}={template_hash(template)}",
    )
    stage.save("verified", (yield revision_is_marked))
    stage.run("set", "env", f"deployment/{stage.name}", "A=b")
    stage.save("foreign-env", (yield both(complete, two_marked)))


def revision_is_marked(items: Items) -> bool:
    return any(marks.VERIFIED in rs["metadata"].get("annotations", {}) for rs in of(items, "ReplicaSet"))


def two_marked(items: Items) -> bool:
    return sum(marks.VERIFIED in rs["metadata"].get("annotations", {}) for rs in of(items, "ReplicaSet")) == 2


def stateful(stage: Stage) -> Scene:
    """A StatefulSet that is complete, stuck at a missing image, and stuck still when its template is put back."""
    stage.apply("StatefulSet", spec={"replicas": 2})
    stage.save("statefulset-complete", (yield complete))
    stage.run("set", "image", f"statefulset/{stage.name}", f"web={stage.base.rpartition(':')[0]}:absent")
    stage.save("statefulset-stuck", (yield waiting("ErrImagePull")))
    stage.run("set", "image", f"statefulset/{stage.name}", f"web={stage.base}")
    stage.save("statefulset-restored-but-stuck", (yield both(observed, waiting("ImagePullBackOff"))))


def stateful_zero(stage: Stage) -> Scene:
    stage.apply("StatefulSet", spec={"replicas": 1})
    yield complete
    stage.run("scale", f"statefulset/{stage.name}", "--replicas=0")
    yield both(observed, pods_number(0))
    stage.run("set", "env", f"statefulset/{stage.name}", "A=b")
    stage.save(
        "statefulset-scaled-to-0", (yield both(observed, lambda items: len(of(items, "ControllerRevision")) == 2))
    )


def daemon(stage: Stage) -> Scene:
    """A DaemonSet that is complete, half-way, and crashing."""
    stage.apply("DaemonSet")
    stage.save("daemonset-complete", (yield complete))
    stage.run("set", "image", f"daemonset/{stage.name}", f"web={stage.base.rpartition(':')[0]}:absent")
    stage.save("daemonset-stuck", (yield waiting("ErrImagePull")))
    stage.apply("DaemonSet", command=["sh", "-c", "exit 3"])
    stage.save("daemonset-crash", (yield both(restarted(1), waiting("CrashLoopBackOff"))))


SCENES: dict[str, Callable[[Stage], Scene]] = {
    scene.__name__.replace("_", "-"): scene
    for scene in (
        *(web, crash, late, entry, entry_denied, config, name, private, no_registry, volume, liveness, init, memory),
        *(unready, paused, zero, unscheduled, denied, foreign, stateful, stateful_zero, daemon),
    )
}


def record(titles: list[str], base: str, private_image: str, folder: Path) -> list[str]:
    """Plays the scenes and returns those that did not come to their end."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes: dict[str, tuple[Scene, Moment]] = {}
    for title in titles:
        playing = SCENES[title](Stage(title, base, private_image, folder))
        scenes[title] = (playing, next(playing))
    until = time.monotonic() + PATIENCE
    while scenes and time.monotonic() < until:
        items = [trimmed(item) for item in json.loads(kubectl("get", KINDS, "-o", "json"))["items"]]
        for title, (playing, moment) in list(scenes.items()):
            own = [item for item in items if belongs(item, title)]
            if not any(item["kind"] in ("Deployment", "StatefulSet", "DaemonSet") for item in own) or not moment(own):
                continue
            try:
                scenes[title] = (playing, playing.send(own))
            except StopIteration:
                del scenes[title]
        time.sleep(0.1)
    return sorted(scenes)


def belongs(item: dict[str, Any], title: str) -> bool:
    """Whether an object is the scene's: by its label, a workload by its name, an event by what it is about."""
    if item["kind"] == "Event":
        about = item["involvedObject"]["name"]
        return about == title or (about.startswith(f"{title}-") and not about.startswith(tuple(others(title))))
    if item["kind"] in ("Deployment", "StatefulSet", "DaemonSet"):
        return bool(item["metadata"]["name"] == title)
    return bool(item["metadata"].get("labels", {}).get("app") == title)


def others(title: str) -> list[str]:
    return [f"{other}-" for other in SCENES if other.startswith(f"{title}-")]


def trimmed(item: dict[str, Any]) -> dict[str, Any]:
    """The object without what only other tools read."""
    item["metadata"].pop("managedFields", None)
    annotations = item["metadata"].get("annotations") or {}
    annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None)
    if item["metadata"].get("annotations") == {}:
        del item["metadata"]["annotations"]
    return item


def main() -> None:
    """Records into the folder that is named by the cluster's version, e.g. fixtures/v1.35.

    The scenes that the command line names, else all.
    """
    titles = sys.argv[1:] or list(SCENES)
    cluster = rig.from_environment()
    if not isinstance(cluster, rig.Cluster):
        raise SystemExit('this needs a cluster of tests/cluster: eval "$(.venv/bin/python -m tests.cluster env)"')
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    kubectl("create", "namespace", NAMESPACE)
    version = ".".join(cluster.version.split(".")[:2])
    try:
        missed = record(titles, cluster.base_image, f"{cluster.private_registry}/team/web:1", FIXTURES / version)
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    sys.exit(f"not seen in {PATIENCE:.0f} s: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
