"""The kubelet of simulated pods: it takes pods that are bound to a node from their images to their end.

It also looks which kubelet a pod is for, and leaves alone those that are run as processes. What it knows beyond the
objects (times below a second, back-offs, probes' records) is in its `Run`s; no clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from kdeploy.model import Obj
from kdeploy.rollout.objects import annotations_of, is_terminating, status_of, uid_of
from kdeploy.sandbox.core.changes import Change, Delete, Replace, SetStatus, Step, Tell, earliest
from kdeploy.sandbox.core.container import RESYNC, Container, Place, Stage, created, grace_of
from kdeploy.sandbox.core.images import KIND_ANNOTATION, ImageInfo, Images
from kdeploy.sandbox.core.metadata import key_of, stamped
from kdeploy.sandbox.core.needs import missing_volume
from kdeploy.sandbox.core.podstatus import pod_status
from kdeploy.sandbox.core.resources import PODS
from kdeploy.sandbox.core.running import advance
from kdeploy.sandbox.core.timestamps import to_seconds
from kdeploy.sandbox.core.view import View

PROCESS = "process"
SIMULATED = "simulated"
UNKNOWN = "unknown"

COMPONENT = "kubelet"

Key = tuple[str, str]

IsProcess = Callable[[Obj, Sequence[ImageInfo]], bool]
"""Whether a pod with these images is to be run as processes by another kubelet."""


@dataclass(slots=True, eq=False)
class Run:
    """A pod that the kubelet has taken at `taken`.

    `decided`: which kubelet it is for is known. `mounted`: its volumes are there. `stops` is when it will have ended,
    once it is to be deleted.
    """

    ip: str
    taken: float
    init: tuple[Container, ...]
    main: tuple[Container, ...]
    decided: bool = False
    mounted: bool = False
    stops: float | None = None
    told: list[Change] = field(default_factory=list)

    @property
    def containers(self) -> Iterator[Container]:
        """All its containers, in the order in which they begin."""
        yield from self.init
        yield from self.main


class Kubelet:
    """The simulated pods of all nodes. `images` looks images up; `is_process` tells which pods are somebody else's."""

    def __init__(self, view: View, images: Images, is_process: IsProcess) -> None:
        self._view, self._images, self._is_process = view, images, is_process
        self._present: dict[str, dict[str, ImageInfo]] = {}
        self._runs: dict[str, Run] = {}
        self._without_image: dict[str, Key] = {}
        self._without_config: dict[str, Key] = {}
        self._addresses = 0

    def run_of(self, pod: Obj) -> Run | None:
        """What is known of a simulated pod; None for one that is somebody else's, or not taken yet."""
        return self._runs.get(uid_of(pod))

    def kind_of(self, pod: Obj) -> str | None:
        """Which kubelet a pod is for, PROCESS or SIMULATED; UNKNOWN while an image is not known yet.

        None where an image cannot be pulled: what the pod is for shows when it can.
        """
        found = [self._images(str(each["image"])) for each in _specs(pod)]
        if None in found:
            return UNKNOWN
        infos = [each for each in found if isinstance(each, ImageInfo)]
        if len(infos) < len(found):
            return None
        return PROCESS if self._is_process(pod, infos) else SIMULATED

    def with_kind(self, pod: Obj) -> Obj:
        """The pod with its annotation, where it is known already which kubelet it is for."""
        kind = self.kind_of(pod)
        if kind not in (PROCESS, SIMULATED):
            return pod
        return stamped(pod, annotations={**annotations_of(pod), KIND_ANNOTATION: kind})

    def without_image(self) -> Sequence[Key]:
        """The pods (namespace, name) that wait for an image to become known."""
        return list(self._without_image.values())

    def without_config(self, namespace: str) -> Sequence[Key]:
        """The pods of a namespace that wait for a ConfigMap or Secret; they are to be looked at again now."""
        found = {uid: key for uid, key in self._without_config.items() if key[0] == namespace}
        for uid in found:
            for container in self._runs[uid].containers:
                if container.stage is Stage.CREATE:
                    container.due = 0.0
        return list(found.values())

    def forget(self, uid: str) -> None:
        """A pod is gone."""
        for kept in (self._runs, self._without_image, self._without_config):
            kept.pop(uid, None)

    def reconcile(self, pod: Obj, now: float) -> Step:
        """What becomes of a pod that is bound to a node, and when to look at it again."""
        kind = annotations_of(pod).get(KIND_ANNOTATION)
        if kind == PROCESS:
            self.forget(uid_of(pod))
            return Step()
        run = self._runs.get(uid_of(pod)) or self._take(pod, now)
        if is_terminating(pod):
            return self._end(run, pod, now)
        if status_of(pod).get("phase") in ("Failed", "Succeeded"):
            return Step()
        changes: list[Change] = [] if run.decided else self._decide(run, pod, kind)
        if any(isinstance(each, Replace) and annotations_of(each.obj)[KIND_ANNOTATION] == PROCESS for each in changes):
            return Step(changes)
        wake = self._advance(run, pod, now) if run.decided or uid_of(pod) not in self._without_image else None
        status = self._status(run, pod, now)
        if status != status_of(pod):
            changes.append(SetStatus(PODS, pod, status))
        told, run.told = run.told, []
        return Step([*changes, *told], wake)

    def _decide(self, run: Run, pod: Obj, kind: str | None) -> list[Change]:
        """Says on the pod which kubelet it is for, as soon as that is known; a pod that was begun stays simulated."""
        begun = any(each.runs for each in run.containers)
        kind = kind or (SIMULATED if begun else self.kind_of(pod))
        self._note(self._without_image, pod, kind == UNKNOWN)
        run.decided = kind in (PROCESS, SIMULATED)
        if not run.decided or annotations_of(pod).get(KIND_ANNOTATION) == kind:
            return []
        return [Replace(PODS, stamped(pod, annotations={**annotations_of(pod), KIND_ANNOTATION: kind}))]

    def _take(self, pod: Obj, now: float) -> Run:
        first = pod["spec"].get("initContainers") or ()
        init = tuple(created(each, init=True, after_init=True) for each in first)
        main = tuple(created(each, init=False, after_init=bool(first)) for each in pod["spec"]["containers"])
        ip = status_of(pod).get("podIP") or self._address()
        run = self._runs[uid_of(pod)] = Run(ip, now, init, main)
        return run

    def _address(self) -> str:
        """The next of 65,024; they are nobody's, nothing can be sent there."""
        self._addresses += 1
        high, low = divmod(self._addresses % 65024, 254)
        return f"10.244.{high}.{low + 1}"

    def _advance(self, run: Run, pod: Obj, now: float) -> float | None:
        wake = self._containers(run, pod, now) if self._mount(run, pod) else now + RESYNC
        stages = [each.stage for each in run.containers if each.due is None or each.stage is Stage.CREATE]
        self._note(self._without_image, pod, Stage.PULL in stages)
        self._note(self._without_config, pod, Stage.CREATE in stages or not run.mounted)
        return wake

    def _mount(self, run: Run, pod: Obj) -> bool:
        missing = None
        if not run.mounted:
            missing = missing_volume(pod["spec"], pod["metadata"]["namespace"], self._view.get)
        if missing is not None:
            run.told.append(Tell(pod, "FailedMount", missing, COMPONENT, type="Warning"))
        run.mounted = missing is None
        return run.mounted

    def _containers(self, run: Run, pod: Obj, now: float) -> float | None:
        """Init containers one after the other, then all others at once."""
        passed = True
        for each in run.init:
            self._step(run, each, pod, now)
            passed = each.lets_pass
            if not passed:
                break
        for each in run.main if passed else ():
            self._step(run, each, pod, now)
        return earliest(*(each.due for each in run.containers))

    def _step(self, run: Run, container: Container, pod: Obj, now: float) -> None:
        if container.due is not None and container.due > now:
            return
        present = self._present.setdefault(str(pod["spec"].get("nodeName")), {})
        tell = partial(_tell, run, pod, container)
        if container.waits_for_image:
            container.due = now
        advance(container, Place(pod, run.ip, self._images, present, self._view.get, tell), now)

    def _note(self, where: dict[str, Key], pod: Obj, waits: bool) -> None:
        if waits:
            where[uid_of(pod)] = key_of(pod)
        else:
            where.pop(uid_of(pod), None)

    def _status(self, run: Run, pod: Obj, now: float) -> Obj:
        uid = uid_of(pod)
        init = [each.status(uid) for each in run.init]
        main = [each.status(uid) for each in run.main]
        return pod_status(pod, init, main, ip=run.ip if run.mounted else None, started=run.taken, now=now)

    def _end(self, run: Run, pod: Obj, now: float) -> Step:
        """Asks the containers to end, and deletes the pod when they have, or their time is over."""
        running = [each for each in run.containers if each.is_running]
        left = max(to_seconds(pod["metadata"]["deletionTimestamp"]) - now, 0.0)
        told: list[Change] = []
        if run.stops is None:
            grace = float(pod["metadata"].get("deletionGracePeriodSeconds", grace_of(pod)))
            run.stops = now + min(max((each.stop_seconds() for each in running), default=0.0), grace)
            message = "Stopping container {}"
            told = [Tell(pod, "Killing", message.format(each.name), COMPONENT, container=each.name) for each in running]
        run.stops = min(run.stops, now + left + 1)
        if run.stops > now:
            return Step(told, run.stops)
        return Step([*told, Delete(PODS, pod, 0)])


def _specs(pod: Obj) -> Iterator[Obj]:
    yield from pod["spec"].get("initContainers") or ()
    yield from pod["spec"]["containers"]


def _tell(
    run: Run,
    pod: Obj,
    container: Container,
    reason: str,
    message: str,
    type_: Literal["Normal", "Warning"] = "Normal",
) -> None:
    run.told.append(Tell(pod, reason, message, COMPONENT, type=type_, container=container.name, init=container.init))
