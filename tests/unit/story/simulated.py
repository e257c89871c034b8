"""The edges of a story on virtual time: a cluster that fails, is killed and is changed by others as scripted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from kdeploy.deploy import DeployRequest, Edges, deploy
from kdeploy.errors import (
    BuildError,
    ClusterError,
    InterruptedBySignalError,
    PatchConflictError,
    RefusedError,
    UnreachableError,
)
from kdeploy.events import Event
from kdeploy.model import HttpCheck, Image, Limits, Obj, Operation, Permission, Reason, Snapshot, Target
from kdeploy.ports import BuildRequest, Changed, Interrupted, Notice, Probe, Reconnected, Sample
from kdeploy.report.value import Report
from kdeploy.rollout.objects import is_ready, name_of
from kdeploy.rollout.revisions import live_revision
from kdeploy.rollout.template import template_of
from tests.unit.rollout.json_patch import PatchError
from tests.unit.story.world import REPOSITORY, TARGET, Behaviour, World, digest, version_of

LATENCY = 0.01
MOST_CALLS = 20_000
HEALTH = HttpCheck(name="health", path="/health", samples=4, interval=0.25, within=10.0)


class KilledError(BaseException):
    """SIGKILL: nothing may catch it."""


class Fault(Enum):
    """What happens to one PATCH."""

    ANSWER_LOST = "applied, but the answer never came"
    DROPPED = "never arrived, and nobody knows"
    FORBIDDEN = "an admission webhook says no"
    INVALID = "422, and nobody changed anything"
    OTHER_ANSWER = "applied, and answered with what is not the workload"
    DEATH = "never arrived, and nothing answers from then on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """The API server answers nothing (`silent`) or refuses connections, between two moments on the clock."""

    begin: float
    end: float = float("inf")
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A PATCH that was sent."""

    at: float
    operations: tuple[Operation, ...]
    applied: bool

    @property
    def is_restore(self) -> bool:
        """Whether it puts a whole template back."""
        return any(op["op"] != "test" and op["path"] == "/spec/template" for op in self.operations)

    @property
    def is_deploy(self) -> bool:
        """Whether it changes an image."""
        return any(op["op"] != "test" and op["path"].endswith("/image") for op in self.operations)


@dataclass(slots=True, kw_only=True)
class FakeCluster:
    """A `ports.Cluster` on a `World`. `faults` by the number of the PATCH (0 is the first); `kill_at`, `bug_at` by the
    call's. `before_refresh` is told before each fresh read.
    """

    world: World
    name: str = "simulated"
    outages: tuple[Outage, ...] = ()
    faults: Mapping[int, Fault] = field(default_factory=dict)
    failing_refreshes: frozenset[int] = frozenset()
    kill_at: int | None = None
    bug_at: int | None = None
    before_refresh: Callable[[], None] = lambda: None
    forbidden: frozenset[str] = frozenset()
    deferred: bool = False
    requests: int = 0
    calls: int = 0
    refreshes: int = 0
    patches: list[Patch] = field(default_factory=list)
    _notices: deque[Notice] = field(default_factory=deque)
    _view: Snapshot = field(default_factory=lambda: Snapshot(workload=None))

    def __post_init__(self) -> None:
        self._view = self.world.snapshot()
        self.world.on_change = self._see
        for outage in self.outages:
            self.world.at(outage.end, self._reconnect)

    def preflight(self, target: Target, until: float) -> Snapshot:
        self._read(until)
        if self.world.workload is None:
            raise ClusterError(f"{target} is not there", reason=Reason.NOT_FOUND, status=404)
        return self.world.snapshot()

    def lacking(self, asked: Sequence[Permission], until: float) -> tuple[Permission, ...]:
        return tuple(one for one in asked if one.rule in self.forbidden)

    def open(self, target: Target, until: float) -> Snapshot:
        return self.refresh(until)

    def snapshot(self) -> Snapshot:
        self._count()
        return self._view

    def refresh(self, until: float) -> Snapshot:
        self.before_refresh()
        self.refreshes += 1
        if self.refreshes - 1 in self.failing_refreshes:
            raise UnreachableError("500: etcd is not there")
        self._read(until)
        self._view = self.world.snapshot()
        return self._view

    def next(self, until: float) -> Notice | None:
        self._count()
        while not self._notices:
            moment = self.world.next_at()
            if moment is None or moment > until:
                self.world.advance(until)
                return None
            self.world.step()
        return self._notices.popleft()

    def patch(self, operations: Sequence[Operation], until: float, *, dry_run: bool = False) -> Obj:
        self._count()
        self._once(until)
        fault = self.faults.get(len(self.patches))
        if fault in (Fault.DROPPED, Fault.DEATH, Fault.FORBIDDEN, Fault.INVALID) or dry_run:
            self._note(operations, applied=False)
        match fault:
            case Fault.DROPPED:
                raise UnreachableError("connection reset")
            case Fault.DEATH:
                self.outages = (*self.outages, Outage(begin=self.world.clock.time, silent=True))
                raise UnreachableError("connection reset")
            case Fault.FORBIDDEN:
                raise ClusterError("denied by policy", reason=Reason.ADMISSION_DENIED, status=403)
            case Fault.INVALID:
                raise PatchConflictError("spec is invalid", status=422)
        if dry_run and self.world.workload is not None:
            return self.world.workload
        try:
            live = self.world.patch(operations)
        except PatchError as error:
            self._note(operations, applied=False)
            raise PatchConflictError(str(error), status=422) from error
        self._note(operations, applied=True)
        if fault is Fault.ANSWER_LOST:
            raise UnreachableError("connection reset")
        self._view = self.world.snapshot()
        if fault is Fault.OTHER_ANSWER:
            return {"kind": "Status", "status": "Success"}
        return live

    def patch_revision(self, name: str, operations: Sequence[Operation], until: float) -> None:
        raise AssertionError("a Deployment's ReplicaSets are marked by their controller")

    def delete_pod(self, name: str, uid: str, until: float) -> None:
        raise AssertionError("a Deployment's pods are its controller's")

    def pod_events(self, pods: Sequence[str], until: float) -> tuple[Obj, ...]:
        try:
            self._read(until)
        except UnreachableError:
            return ()
        about = {"type": "Warning", "reason": "Failed", "message": "it failed"}
        return tuple({**about, "involvedObject": {"name": pod}} for pod in pods)

    def log_tail(self, pod: str, container: str, *, previous: bool, lines: int, until: float) -> str:
        try:
            self._read(until)
        except UnreachableError:
            return ""
        return "panic: no database" if previous else ""

    def post(self, notice: Notice) -> None:
        """Leaves a notice for `next`."""
        self._notices.append(notice)

    def show(self, view: Snapshot) -> None:
        """The streams are behind: this is what they have told so far."""
        self._view = view
        self.post(Changed())

    def signal(self, number: int) -> None:
        """A signal arrives."""
        if not self.deferred:
            raise InterruptedBySignalError(number)
        self.post(Interrupted(number))

    def _see(self) -> None:
        if self._outage() is None:
            self._view = self.world.snapshot()
            if not self._notices or not isinstance(self._notices[-1], Changed):
                self.post(Changed())

    def _reconnect(self) -> None:
        self._see()
        self.post(Reconnected("reconnected"))

    def _outage(self) -> Outage | None:
        return next((outage for outage in self.outages if outage.begin <= self.world.clock.time < outage.end), None)

    def _count(self) -> None:
        self.calls += 1
        assert self.calls < MOST_CALLS, "the story spins"
        if self.calls == self.kill_at:
            raise KilledError
        if self.calls == self.bug_at:
            raise KeyError("nobody thought of this")

    def _read(self, until: float) -> None:
        """A read is tried again until it has its answer."""
        self._count()
        self.requests += 1
        if self.world.clock.time >= until:
            raise UnreachableError("there is no time left to ask", may_have_arrived=False)
        while (outage := self._outage()) is not None:
            self.world.advance(min(outage.end, until))
            if self.world.clock.time >= until:
                raise UnreachableError("no answer", may_have_arrived=outage.silent)
        self.world.advance(self.world.clock.time + LATENCY)

    def _once(self, until: float) -> None:
        """A write is tried once: refused at once, or hanging until `until`."""
        self.requests += 1
        self.world.advance(self.world.clock.time + LATENCY)
        outage = self._outage()
        if outage is None:
            return
        if outage.silent:
            self.world.advance(min(outage.end, until))
        raise UnreachableError("no answer", may_have_arrived=outage.silent)

    def _note(self, operations: Sequence[Operation], *, applied: bool) -> None:
        self.patches.append(Patch(at=self.world.clock.time, operations=tuple(operations), applied=applied))


@dataclass(slots=True, kw_only=True)
class FakeEdges:
    """The other ports: a prober, a registry, a builder that takes ten seconds, git, signals, and what was emitted."""

    cluster: FakeCluster
    title: str = "a simulated builder"
    ancestors: frozenset[tuple[str, str]] = frozenset()
    build_error: str | None = None
    events: list[Event] = field(default_factory=list)
    on_event: Callable[[Event], None] = lambda _: None
    on_build: Callable[[], None] = lambda: None
    on_defer: Callable[[], None] = lambda: None

    def emit(self, event: Event) -> None:
        """Keeps the event, and lets the script see it."""
        self.events.append(event)
        self.on_event(event)

    def send(self, probe: Probe) -> None:
        """`Prober`: the answer comes after 20 ms, as the pod's image behaves then."""
        self.cluster.world.after(0.02, lambda: self._answer(probe))

    def _answer(self, probe: Probe) -> None:
        world = self.cluster.world
        pod = next((pod for pod in world.pods.values() if name_of(pod) == probe.pod), None)
        ok = None if self.cluster._outage() else False if pod is None else self._health(pod)
        message = {True: "200", False: "500", None: "the proxy does not answer"}[ok]
        name, now = probe.check.name, world.clock.time
        self.cluster.post(Sample(check=name, pod=probe.pod, asked=probe.asked, at=now, ok=ok, message=message))

    def _health(self, pod: Obj) -> bool | None:
        behaviour, status = self.cluster.world.behaviour(pod), pod["status"]["containerStatuses"][0]
        if not is_ready(pod):
            return False
        age = self.cluster.world.clock.time - status["state"]["running"]["startedAt"]
        return False if behaviour.sick_after is not None and age >= behaviour.sick_after else behaviour.healthy

    def resolve(self, reference: str, timeout: float) -> Image:
        """`Registry`."""
        version = reference.rpartition(":")[2]
        if version == "absent":
            raise RefusedError("no such tag", reason=Reason.IMAGE_NOT_FOUND)
        return Image(repository=REPOSITORY, tag=version, digest=digest(version))

    def same_config(self, repository: str, one: str, other: str, timeout: float) -> bool | None:
        """`Registry`."""
        return None

    def build_and_push(self, request: BuildRequest, output: Callable[[str], None], timeout: float) -> Image:
        """`Builder`."""
        output("Step 1/1")
        self.cluster.world.advance(self.cluster.world.clock.time + min(10.0, timeout))
        self.on_build()
        if self.build_error:
            raise BuildError(self.build_error)
        return Image(repository=request.repository, tag=request.tag, digest=digest(request.tag))

    def is_ancestor(self, commit: str, of: str) -> bool | str:
        """`History`."""
        return (commit, of) in self.ancestors

    def defer(self) -> None:
        """`Interrupts`."""
        self.cluster.deferred = True
        self.on_defer()

    def edges(self) -> Edges:
        """All of it as a story takes it."""
        return Edges(
            clock=self.cluster.world.clock,
            cluster=self.cluster,
            prober=self,
            registry=self,
            builder=self,
            history=self,
            interrupts=self,
            emit=self.emit,
        )


def assert_rules(patches: Sequence[Patch]) -> None:
    """What holds for the writes of every deploy: conditional, nothing but template and annotations, one restore."""
    for patch in patches:
        tests = {operation["path"] for operation in patch.operations if operation["op"] == "test"}
        assert {"/metadata/uid", "/spec/template"} <= tests
        assert any(path.startswith("/metadata/annotations") for path in tests)
        writes = [operation["path"] for operation in patch.operations if operation["op"] != "test"]
        assert all(path.startswith(("/spec/template", "/metadata/annotations")) for path in writes), writes
    assert sum(patch.is_restore for patch in patches if patch.applied) <= 1


class Simulation:
    """A world in which `old` runs, and deploys into it. Times in scripts are seconds from the last deploy's start."""

    def __init__(
        self,
        cast: Mapping[str, Behaviour] | None = None,
        /,
        replicas: int = 2,
        verified: bool = True,
        **more: Behaviour,
    ) -> None:
        self.world = World(behaviours={**(cast or {}), **more})
        self.world.create("old", replicas)
        self.world.advance(self.world.clock.time + 60)
        self.cluster = FakeCluster(world=self.world)
        self.edges = FakeEdges(cluster=self.cluster)
        self._deploys = 0
        if verified:
            self.deploy("old")
            self.world.advance(self.world.clock.time + 60)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Plans something for the deploy that follows."""
        self.world.after(seconds, action)

    def hide(self, action: Callable[[], None]) -> None:
        """Does what the watch does not tell yet."""
        see, self.world.on_change = self.world.on_change, lambda: None
        action()
        self.world.on_change = see

    def meanwhile(self, version: str) -> None:
        """Another run deploys that version while the current one does something else."""
        other = FakeCluster(world=self.world)
        edges = FakeEdges(cluster=other)
        assert deploy(replace(self.request(version), deploy_id="meanwhile"), edges.edges()).exit_code == 0
        self.world.advance(self.now + 1)
        self.world.on_change = self.cluster._see

    def behave(self, version: str, behaviour: Behaviour) -> None:
        """From now on that version's containers do this."""
        self.world.behaviours = {**self.world.behaviours, version: behaviour}

    def deploy(self, version: str = "new", *, script: Mapping[str, Any] | None = None, **asked: Any) -> Report:
        """Deploys that version with a fresh cluster connection, scripted as `FakeCluster`'s fields say."""
        self._deploys += 1
        outages = tuple(
            Outage(begin=o.begin + self.now, end=o.end + self.now, silent=o.silent)
            for o in (script or {}).get("outages", ())
        )
        self.cluster = FakeCluster(world=self.world, **{**(script or {}), "outages": outages})
        self.edges = replace(self.edges, cluster=self.cluster, events=[])
        report = deploy(self.request(version, **asked), self.edges.edges())
        assert_rules(self.cluster.patches)
        return report

    def request(self, version: str, *, built: bool = False, **asked: Any) -> DeployRequest:
        """What is asked for; `built` builds it first."""
        build = BuildRequest(
            context=".",
            dockerfile="",
            repository=REPOSITORY,
            tag=version,
            commit=version,
            labels={},
            reusable=True,
            args={},
        )
        image = None if built else f"{REPOSITORY}:{version}"
        limits = Limits(timeout=120, rollback_timeout=60)
        given = {"repository": REPOSITORY, "commit": f"commit-{version}", "limits": limits, **asked}
        return DeployRequest(
            target=TARGET,
            build=build if built else None,
            image=image,
            deploy_id=f"deploy-{self._deploys}",
            **given,
        )

    @property
    def now(self) -> float:
        """The virtual time."""
        return self.world.clock.time

    def is_verified(self) -> bool:
        """Whether the live revision bears a mark of its own, once the controller has seen all."""
        self.world.advance(self.now + 1)
        revision = live_revision(self.world.snapshot())
        return revision is not None and revision.is_verified

    @property
    def live(self) -> str:
        """The version that the workload names."""
        assert self.world.workload is not None
        return version_of(template_of(self.world.workload))

    @property
    def running(self) -> list[str]:
        """The versions of the ready pods."""
        return [version_of(pod) for pod in self.world.pods.values() if is_ready(pod)]
