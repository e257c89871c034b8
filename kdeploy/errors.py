"""What goes wrong outside kdeploy, as exceptions that know their outcome and what to do next.

Expected results of a rollout are values (`Verdict`, `Outcome`); these are for the environment. They are turned into an
exit code at one place, the command line. After the patch every one of them must have become a verdict.
"""

from __future__ import annotations

from kdeploy.model import Location, Outcome, Reason


class KdeployError(Exception):
    """A failure with an outcome, a reason, one sentence of what is wrong and one of what to do.

    `location`: where in the person's own files it is to be mended, where that is known.
    """

    outcome = Outcome.INTERNAL
    reason = Reason.INTERNAL
    location: Location | None = None

    def __init__(
        self, message: str, *, hint: str = "", reason: Reason | None = None, location: Location | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if reason is not None:
            self.reason = reason
        if location is not None:
            self.location = location


class ConfigError(KdeployError):
    """A bad flag, environment variable or kdeploy.yaml; nothing was asked of anyone. Exit 2."""

    outcome = Outcome.USAGE
    reason = Reason.USAGE_ERROR


class BuildError(KdeployError):
    """The image could not be built or pushed; the cluster is untouched. Exit 3. `tail`: the last lines of output."""

    outcome = Outcome.BUILD_FAILED
    reason = Reason.BUILD_FAILED

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        reason: Reason | None = None,
        location: Location | None = None,
        tail: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint, reason=reason, location=location)
        self.tail = tail


class RefusedError(KdeployError):
    """The cluster, the registry or a rule of kdeploy says no; the workload is untouched. Exit 4."""

    outcome = Outcome.REFUSED
    reason = Reason.CONFLICT


class ClusterError(KdeployError):
    """The API server answered with an error, or not at all. Exit 4 where it ends a command before any change.

    `status` is the HTTP status, None where there was no answer.
    """

    outcome = Outcome.REFUSED
    reason = Reason.CLUSTER_UNREACHABLE

    def __init__(
        self, message: str, *, hint: str = "", reason: Reason | None = None, status: int | None = None
    ) -> None:
        super().__init__(message, hint=hint, reason=reason)
        self.status = status


class UnreachableError(ClusterError):
    """No answer, or one that a later try may mend: connection refused, timeout, 429, 5xx.

    `may_have_arrived` is false where the request certainly changed nothing: there was no connection to send it on.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        reason: Reason | None = None,
        status: int | None = None,
        may_have_arrived: bool = True,
    ) -> None:
        super().__init__(message, hint=hint, reason=reason, status=status)
        self.may_have_arrived = may_have_arrived


class PatchConflictError(ClusterError):
    """A conditional patch was refused: a `test` failed, or the object is invalid (422), or 409."""

    reason = Reason.CONFLICT


class SupersededError(KdeployError):
    """Somebody else's newer change is there; theirs is untouched. Exit 13."""

    outcome = Outcome.SUPERSEDED
    reason = Reason.SUPERSEDED


class UncertainError(KdeployError):
    """A patch was sent and never answered: whether production was touched is not known. Exit 11: a human is needed."""

    outcome = Outcome.ROLLBACK_FAILED
    reason = Reason.CLUSTER_UNREACHABLE


class InterruptedBySignalError(KdeployError):
    """SIGINT or SIGTERM before anything was changed. `signal` is the number."""

    outcome = Outcome.INTERRUPTED
    reason = Reason.INTERRUPTED

    def __init__(self, signal: int) -> None:
        super().__init__("interrupted before the workload was touched", hint="run it again; nothing was changed")
        self.signal = signal
