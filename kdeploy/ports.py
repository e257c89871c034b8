"""What the story needs of the world. Adapters implement these; tests and a simulator may stand in for them.

The story is single-threaded: its only wait is `Cluster.next`. Threads (watch streams, probes) hide below that port and
speak to the story through the notices that it returns. All times are seconds; `until` is a moment on `Clock.now`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from kdeploy.model import HttpCheck, Image, Obj, Operation, Permission, Snapshot, Target


class Clock(Protocol):
    """The one source of time."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def wall(self) -> datetime:
        """The UTC time of day, aware."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One HTTP request to make for a check: to `url`, or to `pod` at `port` through the API server.

    `asked`: the moment on `Clock.now`; it tells an answer from one to an earlier probe of the same pod or URL.
    """

    check: HttpCheck
    pod: str | None = None
    port: int | None = None
    asked: float = 0.0

    @property
    def key(self) -> tuple[str, str | None]:
        """What the samples of this probe are counted under: the check's name and the pod's."""
        return self.check.name, self.pod


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a probe found. `ok` None means: no answer of the app's own (the proxy's, 401, 403, 429, timeout of the API
    server), which says nothing about the app. `at` is the moment on `Clock.now` when the answer came, `asked` that of
    its probe.
    """

    check: str
    pod: str | None
    asked: float
    at: float
    ok: bool | None
    message: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The snapshot is another one than before."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A signal asks the run to end. `signal` is its number."""

    signal: int


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The streams were lost and are back, or the API server is silent; `message` says which, for a person."""

    message: str


Notice = Changed | Sample | Interrupted | Reconnected


class Cluster(Protocol):
    """One Kubernetes API server, seen from one target's side.

    Every method raises `ClusterError` (`UnreachableError` where a later try may help) and retries nothing beyond
    `until`; `next`, `snapshot` never raise.
    """

    @property
    def name(self) -> str:
        """The kubeconfig context's name, or "in-cluster"."""
        ...

    @property
    def requests(self) -> int:
        """How many API requests were sent for the story: checks, preflight and silence probes are not counted."""
        ...

    def preflight(self, target: Target, until: float) -> Snapshot:
        """One read of the target, its revisions and its pods; not counted.

        Raises ClusterError with reason NotFound, Forbidden, or UnreachableError.
        """
        ...

    def lacking(self, asked: Sequence[Permission], until: float) -> tuple[Permission, ...]:
        """Those of the permissions that this user certainly has not; not counted. Raises nothing."""
        ...

    def open(self, target: Target, until: float) -> Snapshot:
        """Lists the workload, its revisions and its pods, and goes on watching all three from there."""
        ...

    def snapshot(self) -> Snapshot:
        """The latest view that the streams gave."""
        ...

    def refresh(self, until: float) -> Snapshot:
        """Reads all three again, now, past the streams, and keeps the result as the view."""
        ...

    def next(self, until: float) -> Notice | None:
        """Waits for the next notice; None when `until` has come."""
        ...

    def patch(self, operations: Sequence[Operation], until: float, *, dry_run: bool = False) -> Obj:
        """Sends one JSON patch to the opened workload and returns what the server made of it.

        One attempt: raises PatchConflictError on 409 and 422, UnreachableError where it is unknown whether it arrived,
        ClusterError (Forbidden, AdmissionDenied, NotFound) where the server says no.
        """
        ...

    def patch_revision(self, name: str, operations: Sequence[Operation], until: float) -> None:
        """Sends one JSON patch to a ControllerRevision of the opened workload."""
        ...

    def delete_pod(self, name: str, uid: str, until: float) -> None:
        """Deletes the pod if it still has that uid; a pod that is gone or another is no error."""
        ...

    def pod_events(self, pods: Sequence[str], until: float) -> tuple[Obj, ...]:
        """The Kubernetes events about those pods, oldest first; empty where they cannot be read."""
        ...

    def log_tail(self, pod: str, container: str, *, previous: bool, lines: int, until: float) -> str:
        """The last lines of a container's log; empty where there is none or it may not be read."""
        ...


class Prober(Protocol):
    """Sends health probes without making the story wait: each `Sample` comes back as a notice of `Cluster.next`."""

    def send(self, probe: Probe) -> None:
        """Starts one probe. It ends by itself after the check's timeout."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What to build and where to push it. Paths are of this machine; `secrets` are buildx secret specifications.

    `created`: the commit's time (RFC 3339), "" where it is unknown.
    """

    context: str
    dockerfile: str
    repository: str
    tag: str
    commit: str
    labels: Mapping[str, str]
    reusable: bool
    target: str = ""
    args: Mapping[str, str]
    secrets: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    push_repository: str | None = None
    created: str = ""


class Builder(Protocol):
    """Builds and pushes; leaves the cluster alone."""

    @property
    def title(self) -> str:
        """What a person calls it, e.g. "docker buildx"."""
        ...

    def build_and_push(self, request: BuildRequest, output: Callable[[str], None], timeout: float) -> Image:
        """Returns the pushed image by digest. `output` gets the engine's lines as they come. Raises BuildError."""
        ...


class Registry(Protocol):
    """Reads of the image registry."""

    def resolve(self, reference: str, timeout: float) -> Image:
        """The image behind "repo:tag" or "repo@digest", found within `timeout` seconds.

        Raises RefusedError: ImageNotFound, ImageUnauthorized, ...
        """
        ...

    def same_config(self, repository: str, one: str, other: str, timeout: float) -> bool | None:
        """Whether two digests share an image config, and so are one image; None where that cannot be found out in time.

        `timeout` in seconds.
        """
        ...


class History(Protocol):
    """What git knows."""

    def is_ancestor(self, commit: str, of: str) -> bool | str:
        """True where git proves that `commit` is a proper ancestor of `of`, False where it comes after it.

        Else a text, half a sentence: why git cannot tell which of them is older, and what helps.
        """
        ...


class Interrupts(Protocol):
    """Signals: before the patch they end the run at once, from `defer` on they come as notices."""

    def defer(self) -> None:
        """From now on a signal is an `Interrupted` notice, not an exception."""
        ...
