"""What tests/unit/rollout/record.py played on a real cluster of Kubernetes 1.35, played in the sandbox."""

from __future__ import annotations

from collections.abc import Callable

from kdeploy.model import Kind, Obj
from kdeploy.rollout import marks
from kdeploy.rollout.objects import status_of
from kdeploy.rollout.status import status_of as verdict_on
from kdeploy.rollout.template import template_hash
from kdeploy.sandbox.core.images import PullError, invalid_name, unresolved
from kdeploy.sandbox.core.resources import DEPLOYMENTS
from tests.unit.sandbox.core.world import World

VERSION = "v1.35"
NEVER_READY = {"exec": {"command": ["false"]}, "periodSeconds": 1}

UNAUTHORIZED = PullError(
    reason="ErrImagePull",
    message='failed to pull and unpack image "registry/app:private": failed to resolve reference '
    '"registry/app:private": '
    "unexpected status from HEAD request to http://registry/v2/app/manifests/private: 401 Unauthorized",
)


def world() -> World:
    """Takes a little time for everything, as a real one does, so that there are moments on the way."""
    usual = "start=1s stop-after=1s"
    return World(
        good=usual,
        two=usual,
        never=f"{usual} never-ready",
        crash="exit=3",
        late="exit=1 exits=1",
        oom="oom",
        entry="start-error='exec: \"/no/such/program\": stat /no/such/program: no such file or directory: unknown'",
        denied="start-error='exec: \"/etc/passwd\": permission denied: unknown'",
        failing="exit=4",
        deaf="http=refused stop-after=60s",
        private=UNAUTHORIZED,
        Base=invalid_name("registry/app:Base", "invalid reference format"),
        silent=unresolved("registry/app:silent", "dial tcp 127.0.0.1:1: connect: connection refused"),
    )


def statuses(w: World) -> list[Obj]:
    return [
        each
        for pod in w.pods()
        for key in ("initContainerStatuses", "containerStatuses")
        for each in status_of(pod).get(key) or ()
    ]


def waiting(w: World, reason: str, restarts: int = 0) -> Callable[[], bool]:
    def seen() -> bool:
        return any(
            (each["state"].get("waiting") or {}).get("reason") == reason and each["restartCount"] >= restarts
            for each in statuses(w)
        )

    return seen


def restarted(w: World, count: int) -> Callable[[], bool]:
    def seen() -> bool:
        return any(
            each["restartCount"] == count and ("terminated" in each["state"] or "waiting" in each["state"])
            for each in statuses(w)
        )

    return seen


def has_condition(w: World, type_: str, reason: str) -> Callable[[], bool]:
    def seen() -> bool:
        known = status_of(w.get(DEPLOYMENTS, "web")).get("conditions") or ()
        return any(each["type"] == type_ and each["reason"] == reason for each in known)

    return seen


def complete(w: World, kind: Kind = Kind.DEPLOYMENT) -> Callable[[], bool]:
    return lambda: verdict_on(w.snapshot(kind)).passed


def play_complete(w: World) -> None:
    w.workload(replicas=3, minReadySeconds=2)
    w.run_until(complete(w))


def play_mid_rollout(w: World) -> None:
    play_complete(w)
    w.change(image="two")
    w.run_until(lambda: status_of(w.get(DEPLOYMENTS, "web")).get("readyReplicas") == 4)


def play_complete_again(w: World) -> None:
    play_mid_rollout(w)
    w.run_until(complete(w))


def play_image_missing(w: World) -> None:
    play_complete_again(w)
    w.run(5)
    w.change(image="absent")
    w.run_until(waiting(w, "ErrImagePull"))


def play_image_missing_back_off(w: World) -> None:
    play_image_missing(w)
    w.run_until(waiting(w, "ImagePullBackOff"))


def play_crash(count: int) -> Callable[[World], None]:
    def play(w: World) -> None:
        w.workload(image="crash")
        w.run_until(restarted(w, count))

    return play


def play_recovered(w: World) -> None:
    w.workload(image="late")
    w.run_until(lambda: complete(w)() and any(each["restartCount"] for each in statuses(w)))


def play_image(image: str, reason: str) -> Callable[[World], None]:
    def play(w: World) -> None:
        w.workload(image=image)
        w.run_until(waiting(w, reason))

    return play


def play_config(w: World) -> None:
    w.workload(container={"envFrom": [{"configMapRef": {"name": "absent"}}]})
    w.run_until(waiting(w, "CreateContainerConfigError"))


def play_volume(w: World) -> None:
    mounts = [{"name": "settings", "mountPath": "/settings"}]
    volume = {"name": "settings", "configMap": {"name": "absent"}}
    w.workload(container={"volumeMounts": mounts}, pod={"volumes": [volume]})
    w.run_until(lambda: bool(w.told("FailedMount")))


def play_liveness(w: World) -> None:
    """Killed by SIGKILL as its grace period ends."""
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    w.workload(image="deaf", container={"livenessProbe": probe}, pod={"terminationGracePeriodSeconds": 1})
    w.run_until(waiting(w, "CrashLoopBackOff", 2))


def play_init(restarts: int) -> Callable[[World], None]:
    def play(w: World) -> None:
        w.workload(pod={"initContainers": [{"name": "migrate", "image": "registry/app:failing"}]})
        w.run_until(waiting(w, "CrashLoopBackOff", restarts))

    return play


def play_memory(w: World) -> None:
    w.workload(image="oom")
    w.run_until(waiting(w, "CrashLoopBackOff", 1))


def play_unready(w: World) -> None:
    w.workload(progressDeadlineSeconds=6)
    w.run_until(complete(w))
    w.change(image="never", container={"readinessProbe": NEVER_READY})
    w.run_until(lambda: any("running" in each["state"] and not each["ready"] for each in statuses(w)))


def play_deadline(w: World) -> None:
    play_unready(w)
    w.run_until(has_condition(w, "Progressing", "ProgressDeadlineExceeded"))


def play_deadline_left_over(w: World) -> None:
    play_deadline(w)
    w.change(paused=True)
    before = w.get(DEPLOYMENTS, "web")["spec"]["template"]["spec"]["containers"][0]
    w.change(image="good", container={**before, "readinessProbe": None})


def play_paused(w: World) -> None:
    w.workload()
    w.run_until(complete(w))
    w.change(paused=True)
    w.change(container={"env": [{"name": "A", "value": "b"}]})
    w.run_until(has_condition(w, "Progressing", "DeploymentPaused"))


def play_scaled_to_0(w: World) -> None:
    w.workload(replicas=0)


def play_unschedulable(w: World) -> None:
    w.workload(pod={"nodeSelector": {"disk": "none"}})


def play_denied(w: World) -> None:
    w.workload(pod={"serviceAccountName": "absent"})
    w.run_until(has_condition(w, "ReplicaFailure", "FailedCreate"))


def annotate(w: World, **annotations: str) -> None:
    before = w.get(DEPLOYMENTS, "web")
    metadata = before["metadata"]
    changed = {**metadata, "annotations": {**metadata["annotations"], **annotations}}
    w.store.replace(DEPLOYMENTS, {**before, "metadata": changed}, w.now)
    w.settle()


def play_verified(w: World) -> None:
    w.workload()
    w.run_until(complete(w))
    template = w.get(DEPLOYMENTS, "web")["spec"]["template"]
    annotate(w, **{marks.DEPLOY_ID: "one", marks.STATE: marks.DEPLOYED, marks.VERIFIED: template_hash(template)})


def play_foreign_env(w: World) -> None:
    play_verified(w)
    w.change(container={"env": [{"name": "A", "value": "b"}]})
    w.run_until(complete(w))


def play_stateful_complete(w: World) -> None:
    w.workload(Kind.STATEFULSET, replicas=2)
    w.run_until(complete(w, Kind.STATEFULSET))


def play_stateful_stuck(w: World) -> None:
    play_stateful_complete(w)
    w.change(Kind.STATEFULSET, image="absent")
    w.run_until(waiting(w, "ErrImagePull"))


def play_stateful_restored(w: World) -> None:
    play_stateful_stuck(w)
    w.change(Kind.STATEFULSET, image="good")
    w.run_until(waiting(w, "ImagePullBackOff"))
    w.run(600)
    w.run_until(waiting(w, "ImagePullBackOff"))


def play_stateful_zero(w: World) -> None:
    w.workload(Kind.STATEFULSET, replicas=1)
    w.run_until(complete(w, Kind.STATEFULSET))
    w.change(Kind.STATEFULSET, replicas=0)
    w.run_until(lambda: not w.pods())
    w.change(Kind.STATEFULSET, container={"env": [{"name": "A", "value": "b"}]})


def play_daemon_complete(w: World) -> None:
    w.workload(Kind.DAEMONSET)
    w.run_until(complete(w, Kind.DAEMONSET))


def play_daemon_stuck(w: World) -> None:
    play_daemon_complete(w)
    w.change(Kind.DAEMONSET, image="absent")
    w.run_until(waiting(w, "ErrImagePull"))


def play_daemon_crash(w: World) -> None:
    play_daemon_stuck(w)
    w.change(Kind.DAEMONSET, image="crash")
    w.run_until(lambda: restarted(w, 1)() and waiting(w, "CrashLoopBackOff")())


SCENES: dict[str, Callable[[World], None]] = {
    "complete": play_complete,
    "mid-rollout": play_mid_rollout,
    "complete-again": play_complete_again,
    "image-missing": play_image_missing,
    "image-missing-back-off": play_image_missing_back_off,
    "crash-1": play_crash(1),
    "crash-2": play_crash(2),
    "crash-3": play_crash(3),
    "recovered": play_recovered,
    "entry-point-absent": play_image("entry", "RunContainerError"),
    "entry-point-not-executable": play_image("denied", "RunContainerError"),
    "configmap-absent": play_config,
    "image-name-invalid": play_image("Base", "InvalidImageName"),
    "image-unauthorized": play_image("private", "ErrImagePull"),
    "registry-unreachable": play_image("silent", "ErrImagePull"),
    "volume-absent": play_volume,
    "liveness-killed": play_liveness,
    "init-failing": play_init(1),
    "init-failing-3": play_init(3),
    "out-of-memory": play_memory,
    "unready": play_unready,
    "deadline": play_deadline,
    "deadline-left-over": play_deadline_left_over,
    "paused": play_paused,
    "scaled-to-0": play_scaled_to_0,
    "unschedulable": play_unschedulable,
    "pods-denied": play_denied,
    "verified": play_verified,
    "foreign-env": play_foreign_env,
    "statefulset-complete": play_stateful_complete,
    "statefulset-stuck": play_stateful_stuck,
    "statefulset-restored-but-stuck": play_stateful_restored,
    "statefulset-scaled-to-0": play_stateful_zero,
    "daemonset-complete": play_daemon_complete,
    "daemonset-stuck": play_daemon_stuck,
    "daemonset-crash": play_daemon_crash,
}
