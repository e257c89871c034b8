"""The words of the domain: targets, reasons, verdicts, outcomes. Frozen values, no behaviour beyond their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

Obj = Mapping[str, Any]
"""A Kubernetes object exactly as the API gave it: read-only JSON."""

Operation = dict[str, Any]
"""One JSON Patch operation (RFC 6902): {"op": ..., "path": ..., "value": ...}."""


class Kind(StrEnum):
    """The workload kinds that kdeploy rolls out; the value is the Kubernetes kind."""

    DEPLOYMENT = "Deployment"
    STATEFULSET = "StatefulSet"
    DAEMONSET = "DaemonSet"

    @property
    def plural(self) -> str:
        """The resource name in API paths and RBAC rules, e.g. "deployments"."""
        return self.lower() + "s"

    @property
    def revisions_plural(self) -> str:
        """The resource that keeps this kind's revisions: "replicasets" or "controllerrevisions"."""
        return "replicasets" if self is Kind.DEPLOYMENT else "controllerrevisions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One workload in one namespace of one cluster."""

    kind: Kind
    name: str
    namespace: str

    def __str__(self) -> str:
        """As kubectl names it: "deployment/web"."""
        return f"{self.kind.lower()}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What an RBAC rule allows: a verb on a resource, which may have a subresource ("pods/log"). `name` "": of any."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        """As a person says it: "patch deployments web in namespace shop"."""
        return f"{self.verb} {self.resource}{' ' + self.name if self.name else ''}{self._where}"

    @property
    def rule(self) -> str:
        """The rule that grants it: "patch deployments (apps) in namespace shop"."""
        return f"{self.verb} {self.resource}{f' ({self.group})' if self.group else ''}{self._where}"

    @property
    def _where(self) -> str:
        return f" in namespace {self.namespace}" if self.namespace else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A line (from 1) of a file, by a path from the current folder; None where only the file is known."""

    file: str
    line: int | None = None


SCALED_TO_0 = "it is scaled to 0"
"""What is said of a workload that wants no pod, so that nothing of it can be verified."""


class Reason(StrEnum):
    """Stable codes that say why; scripts may depend on them."""

    COMPLETE = "Complete"
    NOTHING_TO_VERIFY = "NothingToVerify"
    RESTORED = "Restored"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    # the revision's fault
    IMAGE_NOT_FOUND = "ImageNotFound"
    IMAGE_UNAUTHORIZED = "ImageUnauthorized"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    INVALID_IMAGE = "InvalidImage"
    CRASH_LOOP = "CrashLoop"
    OOM_KILLED = "OOMKilled"
    START_ERROR = "StartError"
    CONFIG_ERROR = "ConfigError"
    INIT_FAILED = "InitFailed"
    READINESS_FAILED = "ReadinessFailed"
    LIVENESS_KILLED = "LivenessKilled"
    UNHEALTHY = "Unhealthy"
    VERIFY_UNREACHABLE = "VerifyUnreachable"
    # the cluster's
    QUOTA_EXCEEDED = "QuotaExceeded"
    ADMISSION_DENIED = "AdmissionDenied"
    UNSCHEDULABLE = "Unschedulable"
    VOLUME_ERROR = "VolumeError"
    NODE_LOST = "NodeLost"
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    TIMEOUT = "Timeout"
    CLUSTER_UNREACHABLE = "ClusterUnreachable"
    # somebody's
    DELETED = "Deleted"
    SUPERSEDED = "Superseded"
    CONFLICT = "Conflict"
    INTERRUPTED = "Interrupted"
    # before any change
    USAGE_ERROR = "UsageError"
    BUILD_FAILED = "BuildFailed"
    PUSH_DENIED = "PushDenied"
    FORBIDDEN = "Forbidden"
    NOT_FOUND = "NotFound"
    AMBIGUOUS = "Ambiguous"
    OLDER_COMMIT = "OlderCommit"
    QUARANTINED = "Quarantined"
    NO_ROLLBACK_TARGET = "NoRollbackTarget"
    INTERNAL = "Internal"


class Outcome(StrEnum):
    """How a command ended. Its exit code answers: was production touched, and is it healthy?"""

    DEPLOYED = "deployed"
    UNCHANGED = "unchanged"
    RESTORED = "restored"
    PASSED = "passed"
    BUILT = "built"
    USAGE = "usage"
    BUILD_FAILED = "build-failed"
    REFUSED = "refused"
    ROLLED_BACK = "rolled-back"
    ROLLBACK_FAILED = "rollback-failed"
    NOT_ROLLED_BACK = "not-rolled-back"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    INTERNAL = "internal"
    INTERRUPTED = "interrupted"

    @property
    def exit_code(self) -> int:
        """The process exit code; for `interrupted` that of SIGINT (SIGTERM's 143 is chosen by the signal)."""
        return _EXIT_CODES[self]


_EXIT_CODES: Mapping[Outcome, int] = {
    Outcome.DEPLOYED: 0,
    Outcome.UNCHANGED: 0,
    Outcome.RESTORED: 0,
    Outcome.PASSED: 0,
    Outcome.BUILT: 0,
    Outcome.USAGE: 2,
    Outcome.BUILD_FAILED: 3,
    Outcome.REFUSED: 4,
    Outcome.ROLLED_BACK: 10,
    Outcome.ROLLBACK_FAILED: 11,
    Outcome.NOT_ROLLED_BACK: 12,
    Outcome.FAILED: 12,
    Outcome.SUPERSEDED: 13,
    Outcome.INTERNAL: 70,
    Outcome.INTERRUPTED: 130,
}


class State(Enum):
    """Where a rollout stands."""

    COMPLETE = "complete"
    PROGRESSING = "progressing"
    PAUSED = "paused"
    FAILED = "failed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """A pod's container that shows why a rollout failed. `log_tail` and `events` are hostile text until rendered."""

    pod: str
    container: str | None = None
    reason: str
    message: str = ""
    exit_code: int | None = None
    restarts: int | None = None
    log_tail: str = ""
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodCounts:
    """Pods by revision, as a person counts them: `new`/`ready`/`available` are of the new revision."""

    desired: int = 0
    new: int = 0
    ready: int = 0
    available: int = 0
    old: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """State, named reason and sentence: what is known about a rollout at one moment."""

    state: State
    reason: Reason
    message: str
    culprits: tuple[Culprit, ...] = ()
    pods: PodCounts = PodCounts()

    @property
    def is_final(self) -> bool:
        """True where waiting longer cannot make it better."""
        return self.state not in (State.PROGRESSING, State.PAUSED)

    @property
    def passed(self) -> bool:
        """True for a complete rollout."""
        return self.state is State.COMPLETE


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the cluster showed at one moment: the workload, its revisions and pods, perhaps some events.

    `revisions` are the ReplicaSets of a Deployment, the ControllerRevisions of a StatefulSet or DaemonSet.
    Neither they nor `pods` are filtered by owner: the selector found them, `assess` checks owner uids.
    """

    workload: Obj | None
    revisions: tuple[Obj, ...] = ()
    pods: tuple[Obj, ...] = ()
    events: tuple[Obj, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image in a registry. `reference` is what is written into the pod template: "repo:tag@sha256:...".

    `previous` versions are not its business. `reused` is true where an existing tag was taken instead of a build.
    """

    repository: str
    tag: str | None
    digest: str
    reused: bool = False

    @property
    def reference(self) -> str:
        """The text "repository:tag@digest", or without the tag where there is none."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}@{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCheck:
    """One `http` health check. Either `path` (through the pod proxy) or `url` is set. Times in seconds."""

    name: str
    path: str | None = None
    url: str | None = None
    port: int | str | None = None
    scheme: str = "http"
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    timeout: float = 2.0
    interval: float = 0.25
    samples: int = 20
    success_rate: float = 1.0
    within: float = 60.0
    watch_for: float = 0.0
    pods: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check found, as the report shows it."""

    name: str
    passed: bool
    samples: int
    failures: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one deploy: seconds, and restarts for `crash_budget`."""

    timeout: float = 600.0
    build_timeout: float = 1800.0
    rollback_timeout: float = 300.0
    crash_budget: int = 3
