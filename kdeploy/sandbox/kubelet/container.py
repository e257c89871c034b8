"""One container of a real pod: pulled, unpacked, run, probed, ended, and started again after its back-off.

The order, reasons and sentences are those of pkg/kubelet/kuberuntime (kuberuntime_manager.go and _container.go).
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kdeploy.model import Obj
from kdeploy.sandbox.core.backoff import Backoff, go_duration
from kdeploy.sandbox.core.container import NOTICE, RESYNC
from kdeploy.sandbox.core.podstatus import container_status, is_sidecar, restarts
from kdeploy.sandbox.core.probe import Kind, probe_of
from kdeploy.sandbox.core.timestamps import to_text
from kdeploy.sandbox.kubelet.command import Command, StartError
from kdeploy.sandbox.kubelet.hooks import HookError, Inside
from kdeploy.sandbox.kubelet.logs import Log, remove
from kdeploy.sandbox.kubelet.node import Node
from kdeploy.sandbox.kubelet.prepare import HeldError, Prepared, prepare_command, prepare_image
from kdeploy.sandbox.kubelet.probes import Probes
from kdeploy.sandbox.kubelet.process import Process, start

_START_ERROR = 128
_CANNOT_START = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: "
)
"""What containerd and runc put before the cause."""


@dataclass(slots=True, kw_only=True, eq=False)
class Container:
    """One container. `changed` is called when its status is another one; `ip` is the pod's address."""

    node: Node
    pod: Obj
    spec: Obj
    ip: str
    folder: Path
    state: Obj
    changed: Callable[[], None]
    init: bool = False
    last: Obj | None = None
    runs: int = 0
    ready: bool = False
    started: bool = False
    image: Prepared | None = None
    log: Log | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it has started up: for a sidecar, whether the next init container may begin."""
    _process: Process | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _unfit: asyncio.Event = field(default_factory=asyncio.Event)
    _grace: float = 0.0

    @property
    def name(self) -> str:
        """Its name in the pod."""
        return str(self.spec["name"])

    def id(self) -> str:
        """The id of the present run."""
        seed = f"{self.pod['metadata']['uid']}/{self.name}/{self.runs}"
        return "process://" + hashlib.sha256(seed.encode()).hexdigest()

    def log_path(self, *, previous: bool = False) -> Path:
        """The log of the present run, or of the one before; there may be none."""
        return self.folder / f"{self.runs - 1 - previous}.log"

    def status(self) -> Obj:
        """Its entry in the pod's status."""
        return container_status(
            self.spec,
            state=self.state,
            last=self.last,
            container_id=self.id() if self.runs else "",
            image_id=f"{repository(self.spec['image'])}@{self.image.info.digest}" if self.image and self.runs else "",
            restarts=max(self.runs - 1, 0),
            ready=self.ready,
            started=self.started,
        )

    def stop(self, grace: float) -> None:
        """Ends it, after `grace` seconds by force; a second call can only make that sooner."""
        if not self._stop.is_set():
            self._grace = grace
            self._stop.set()
        elif self._process is not None and grace < self._grace:
            asyncio.get_running_loop().call_later(grace, self._process.send, signal.SIGKILL)

    async def run(self) -> None:
        """Runs until it is ended, or has ended and is not started again."""
        crashes = Backoff()
        while not self._stop.is_set():
            code = await self._run_once()
            finished = self.node.now()
            if code is None or self._is_over(code) or not await self._wait(NOTICE):
                return
            await self._back_off(crashes, finished)
            crashes = crashes.after(finished, self.node.now())

    def _is_over(self, code: int) -> bool:
        done = self.init and not is_sidecar(self.spec) and code == 0
        return done or not restarts(self.pod, self.spec, code)

    async def _wait(self, seconds: float) -> bool:
        """Waits; False where it is to end instead."""
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return True
        return False

    async def _back_off(self, crashes: Backoff, finished: float) -> None:
        delay = crashes.until(finished) - self.node.now()
        if delay <= 0:
            return
        whole = _whole(self.pod)
        self._tell("BackOff", f"Back-off restarting failed container {self.name} in pod {whole}", "Warning")
        message = f"back-off {go_duration(crashes.delay)} restarting failed container={self.name} pod={whole}"
        if "terminated" in self.state:
            self.last = self.state
        self._set({"waiting": {"reason": "CrashLoopBackOff", "message": message}})
        await self._wait(delay)

    async def _run_once(self) -> int | None:
        """One run, from the pull to the end. Returns its exit code; None where it was to end before."""
        try:
            command = await self._prepare()
            if command is None:
                return None
            self._begin_run()
            assert self.log is not None
            self._process = await start(command, self.log.write)
        except StartError as error:
            return self._fail_to_start(str(error))
        began = self.node.now()
        self._tell("Started", "Container started")
        self._set({"running": {"startedAt": to_text(began)}}, started=probe_of(self.spec, Kind.STARTUP) is None)
        code = await self._see_through(self._process, command)
        self._process = None
        self._end_run(code, began)
        return code

    async def _prepare(self) -> Command | None:
        """The command, once everything that it needs is there; None where it is to end before."""
        pulls = Backoff()
        while not self._stop.is_set():
            try:
                self.image = await prepare_image(self.node, self.spec, self.image, self._tell)
                return prepare_command(self.node, self.pod, self.spec, self.ip, self.image, self.folder / "scratch")
            except HeldError as held:
                failed = self.node.now()
                pulls = pulls.after(failed, failed)
                await self._hold(held, pulls.until(failed) - failed)
        return None

    async def _hold(self, held: HeldError, back_off: float) -> None:
        image = self.spec["image"]
        if held.pulls:
            self._tell("Failed", f'Failed to pull image "{image}": {held.message}', "Warning")
        self._tell("Failed", f"Error: {held.reason if held.pulls else held.message}", "Warning")
        self._set({"waiting": {"reason": held.reason, "message": held.message}})
        if not held.pulls:
            await self._wait(RESYNC)
        elif await self._wait(NOTICE):
            words = f'Back-off pulling image "{image}"'
            self._tell("BackOff", words)
            message = f"{words}: {held.reason}: {held.message}"
            self._set({"waiting": {"reason": "ImagePullBackOff", "message": message}})
            await self._wait(back_off)

    def _begin_run(self) -> None:
        if "terminated" in self.state:
            self.last = self.state
        self.runs += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        remove(self.folder / f"{self.runs - 3}.log")
        self.log = Log(self.log_path(), self.node.now)
        self._tell("Created", "Container created")

    def _end_run(self, code: int, began: float) -> None:
        if self.log is not None:
            self.log.close()
        self.ready = self.init and not is_sidecar(self.spec) and code == 0
        reason = "Error" if code else "Completed"
        self._set({"terminated": self._terminated(code, reason, to_text(began))}, started=False)

    def _fail_to_start(self, why: str) -> int:
        """There is no run to speak of: what is said of it stands in lastState, as a kubelet has it."""
        message = _CANNOT_START + why
        if self.log is None or self.log.closed:
            self._begin_run()
        assert self.log is not None
        self.log.close()
        self._tell("Failed", f"Error: {message}", "Warning")
        ended = self._terminated(_START_ERROR, "StartError", to_text(0)) | {"message": message}
        if self._is_over(_START_ERROR):
            self._set({"terminated": ended})
        else:
            self.last = {"terminated": ended}
            self._set({"waiting": {"reason": "RunContainerError", "message": message}})
        return _START_ERROR

    def _terminated(self, code: int, reason: str, began: str) -> dict[str, object]:
        return {
            "exitCode": code,
            "reason": reason,
            "startedAt": began,
            "finishedAt": to_text(self.node.now()),
            "containerID": self.id(),
        }

    async def _see_through(self, process: Process, command: Command) -> int:
        """Probes a run until it has ended, or has to."""
        assert self.image is not None
        inside = Inside(node=self.node, spec=self.spec, ip=self.ip, command=command, root=self.image.root)
        self._unfit.clear()
        ended = asyncio.create_task(process.wait())
        tending = asyncio.create_task(self._tend(inside))
        reasons = [asyncio.create_task(event.wait()) for event in (self._stop, self._unfit)]
        try:
            await asyncio.wait([ended, *reasons], return_when=asyncio.FIRST_COMPLETED)
            tending.cancel()
            if not ended.done():
                await self._end(process, inside)
            return await ended
        finally:
            if not ended.done():  # this very task is being cancelled
                process.send(signal.SIGKILL)
            for task in (tending, *reasons):
                task.cancel()
            await asyncio.gather(tending, *reasons, return_exceptions=True)

    async def _tend(self, inside: Inside) -> None:
        """The postStart hook, and then the probes."""
        try:
            await inside.after_start()
        except (HookError, TimeoutError) as error:
            self._tell("FailedPostStartHook", f"PostStartHook failed: {error}", "Warning")
            self._unfit.set()
            return
        self._consider()
        await Probes(
            inside=inside, changed=self._probed, failed=lambda words: self._tell("Unhealthy", words, "Warning")
        ).run()

    def _probed(self, kind: Kind, good: bool) -> None:
        if kind is Kind.READINESS:
            self.ready = good
            self.changed()
        elif good and kind is Kind.STARTUP:
            self.started = True
            self._consider()
        elif not good:
            self._tell("Killing", f"Container {self.name} failed {kind.lower()} probe, will be restarted")
            self._unfit.set()

    def _consider(self) -> None:
        """A container that has started up, and has no readiness probe, is ready."""
        if self.started:
            self.ready = self.ready or probe_of(self.spec, Kind.READINESS) is None
            self.begun.set()
            self.changed()

    async def _end(self, process: Process, inside: Inside) -> None:
        """The preStop hook, SIGTERM, and SIGKILL when the grace is over."""
        grace = self._grace if self._stop.is_set() else float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
        if self._stop.is_set():
            self._tell("Killing", f"Stopping container {self.name}")
        clock = asyncio.get_running_loop().time  # no jump of the machine's clock makes it shorter or longer
        began = clock()
        if grace > 0:
            await inside.before_stop(grace)
        await process.stop(max(grace - (clock() - began), 2.0 if grace > 0 else 0.0))

    def _set(self, state: Obj, *, started: bool | None = None) -> None:
        self.state = state
        if started is not None:
            self.started = started
        if "running" not in state and "terminated" not in state:
            self.ready = False
        self.changed()

    def _tell(self, reason: str, message: str, type_: Literal["Normal", "Warning"] = "Normal") -> None:
        self.node.tell(self.pod, reason, message, type_, container=self.name, init=self.init)


def repository(image: str) -> str:
    """An image's name without tag and digest."""
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def _whole(pod: Obj) -> str:
    metadata = pod["metadata"]
    return f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
