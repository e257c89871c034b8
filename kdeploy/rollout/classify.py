"""Why a pod of the new revision cannot become ready: each permanent reason told from its transient twin.

Only what cannot mend itself fails a deploy at once; everything else is named as a suspicion and left to the crash
budget, the progress deadline or the timeout. The waiting reasons are the kubelet's own: pkg/kubelet/images/types.go
and pkg/kubelet/kuberuntime/kuberuntime_container.go.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from kdeploy.model import Culprit, Obj, Reason
from kdeploy.rollout.objects import condition, container_statuses, is_ready, name_of, uid_of
from kdeploy.rollout.pod_events import is_creating, mount_failure, probe_kill, pull_failure

Restarts = Mapping[tuple[str, str], int]
"""Restart counts by (pod uid, container name)."""

_PULL_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
_START_REASONS = frozenset(
    {"RunContainerError", "CreateContainerError", "StartError", "ContainerCannotRun", "PostStartHookError"}
)
_PERMANENT_REASONS = {
    "InvalidImageName": Reason.INVALID_IMAGE,
    "ErrImageNeverPull": Reason.IMAGE_NOT_FOUND,
    "CreateContainerConfigError": Reason.CONFIG_ERROR,
}
# The kubelet's own cache was late, which says nothing about the ConfigMap (Shopify/krane#886).
_LATE_CACHE = re.compile(r"failed to sync|timed out", re.I)

# containerd and Docker Engine both carry the registry's answer in the message.
_NOT_FOUND = re.compile(r"not found|manifest unknown|name unknown|repository does not exist|no such image", re.I)
_DENIED = re.compile(
    r"unauthorized|authentication required|no basic auth credentials|403 forbidden|insufficient_scope"
    r"|access denied|access to the resource is denied|(?<!permission )denied:",
    re.I,
)
# Not the registry's: the name is not resolved, or containerd's own store has lost something (containerd#11390).
_NOT_THE_REGISTRY = re.compile(r"no such host|lookup |content digest|content store", re.I)
_DETAIL = re.compile(r"rpc error|failed to|Error response", re.I)
# What runc and containerd say of an entry point that no retry will mend.
_CANNOT_START = re.compile(
    r"executable file not found|no such file or directory|permission denied|exec format error|is a directory"
    r"|not a directory",
    re.I,
)

# containerd and runc wrap the cause in the names of the steps that led to it.
_STEPS = re.compile(r"^.*(?:unable to start container process|starting container process caused): ", re.S)
# The kubelet and containerd do so with a pull's; no other steps, since some of them are the cause itself.
_PULL_STEPS = re.compile(
    r'^(?:rpc error: code = \w+ desc = |Error response from daemon: |Back-off pulling image "[^"]*": ErrImagePull: '
    r'|failed to (?:pull image|pull and unpack image|resolve reference|do request)(?: "[^"]*")?: )+(?=\S)',
    re.I,
)


def cause(message: str) -> str:
    """A culprit's message without the steps that led to what went wrong: a verdict begins with the cause."""
    return _PULL_STEPS.sub("", message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with one container. `permanent` is true where waiting cannot mend it."""

    reason: Reason
    permanent: bool
    culprit: Culprit


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    """What a container is measured by; see `findings`."""

    events: Sequence[Obj]
    crash_budget: int
    restarts_before: Restarts
    none_allowed: bool


def findings(
    pods: Sequence[Obj],
    events: Sequence[Obj],
    *,
    crash_budget: int,
    restarts_before: Restarts,
    none_allowed: bool,
    stale: Collection[tuple[str, str]] = (),
) -> tuple[Finding, ...]:
    """What is wrong with the pods of the new revision, permanent findings first.

    `restarts_before` are counts from before the deploy, which are not its fault, and `stale` the containers (as above)
    that show only what they showed before it. With `none_allowed` (after the rollout was complete) any further restart
    is permanent.
    """
    measure = _Measure(
        events=events, crash_budget=crash_budget, restarts_before=restarts_before, none_allowed=none_allowed
    )
    found = [
        _of_before(finding) if (uid_of(pod), status["name"]) in stale else finding
        for pod in pods
        for status, init in container_statuses(pod)
        if (finding := _of_container(pod, status, init, measure))
    ]
    found += [finding for pod in pods if (finding := _unscheduled(pod) or _not_mounted(pod, events))]
    return tuple(sorted(found, key=lambda finding: not finding.permanent))


def restarts_of(pods: Sequence[Obj]) -> Restarts:
    """The restart counts as they stand."""
    return {
        (uid_of(pod), str(status["name"])): int(status.get("restartCount") or 0)
        for pod in pods
        for status, _ in container_statuses(pod)
    }


def unready(pods: Sequence[Obj]) -> tuple[Culprit, ...]:
    """Pods whose containers run but are not ready, or are not there yet, for the story of a timeout."""
    running = tuple(
        Culprit(
            pod=name_of(pod),
            container=str(status["name"]),
            reason=Reason.READINESS_FAILED,
            message="it runs, but is not ready",
            restarts=int(status.get("restartCount") or 0),
        )
        for pod in pods
        if not is_ready(pod)
        for status, init in container_statuses(pod)
        if not init and not status.get("ready") and (status.get("state") or {}).get("running")
    )
    message = "its containers are not created yet"
    return running + tuple(
        Culprit(pod=name_of(pod), reason=Reason.TIMEOUT, message=message) for pod in pods if is_creating(pod)
    )


def _of_container(pod: Obj, status: Obj, init: bool, measure: _Measure) -> Finding | None:
    waiting = (status.get("state") or {}).get("waiting") or {}
    reason = str(waiting.get("reason") or "")
    if reason in _PERMANENT_REASONS:
        message = str(waiting.get("message") or reason)
        final = not (reason == "CreateContainerConfigError" and _LATE_CACHE.search(message))
        return _finding(pod, status, _PERMANENT_REASONS[reason], message, permanent=final)
    if reason in _PULL_REASONS:
        return _pull(pod, status, str(waiting.get("message") or ""), measure.events)
    crash = _crash(pod, status, init, measure)
    if crash is None and reason in _START_REASONS:
        message = str(waiting.get("message") or reason)
        return _finding(pod, status, Reason.START_ERROR, message, permanent=bool(_CANNOT_START.search(message)))
    return crash


def _of_before(finding: Finding) -> Finding:
    """The finding as a suspicion: the kubelet has not tried again yet. A name that is none no try can mend."""
    if not finding.permanent or finding.reason is Reason.INVALID_IMAGE:
        return finding
    message = f"{finding.culprit.message} (as before this deploy; the kubelet will try again)"
    return replace(finding, permanent=False, culprit=replace(finding.culprit, message=message))


def _pull(pod: Obj, status: Obj, message: str, events: Sequence[Obj]) -> Finding:
    if not _DETAIL.search(message):  # a back-off alone does not say why; the event of the failed pull does
        message = pull_failure(pod, events) or message
    if _DENIED.search(message) and not re.search(r"not found", message, re.I):
        return _finding(pod, status, Reason.IMAGE_UNAUTHORIZED, message, permanent=True)
    if _NOT_FOUND.search(message) and not _NOT_THE_REGISTRY.search(message):
        return _finding(pod, status, Reason.IMAGE_NOT_FOUND, message, permanent=True)
    return _finding(pod, status, Reason.IMAGE_PULL_FAILED, message, permanent=False)


def _crash(pod: Obj, status: Obj, init: bool, measure: _Measure) -> Finding | None:
    """A container that ended and should not have: a crash, a kill for its memory or by a probe, an entry point that
    cannot start.
    """
    state = status.get("state") or {}
    now = state.get("terminated")
    last = now or (status.get("lastState") or {}).get("terminated")
    if not last or (init and int(last.get("exitCode") or 0) == 0):
        return None
    key = (uid_of(pod), str(status["name"]))
    since = int(status.get("restartCount") or 0) - measure.restarts_before.get(key, 0)
    # a pod that came later has its crash budget
    none_allowed = measure.none_allowed and key in measure.restarts_before
    message = str(last.get("message") or "")
    if last.get("reason") in _START_REASONS:
        hopeless = bool(_CANNOT_START.search(message)) and not state.get("running")
        return _finding(pod, status, Reason.START_ERROR, message, permanent=hopeless or (none_allowed and since > 0))
    down = not state.get("running")
    if not down and not (none_allowed and since > 0):
        return None
    # Down again after as many restarts as the budget allows: a dependency that comes late has had its chances.
    spent = (since >= measure.crash_budget and down) or (none_allowed and (since > 0 or bool(now)))
    if not down or now or state.get("waiting"):
        reason, how = _ending(pod, status, last, init, measure.events)
        return _finding(pod, status, reason, _crash_message(how, last, since), permanent=spent)
    return None


def _ending(pod: Obj, status: Obj, last: Obj, init: bool, events: Sequence[Obj]) -> tuple[Reason, str]:
    """Why the container ended, and how a person says it."""
    if last.get("reason") == "OOMKilled":
        return Reason.OOM_KILLED, "used more memory than its limit and was killed"
    if killed := probe_kill(pod, str(status["name"]), int(last.get("exitCode") or 0), events):
        return Reason.LIVENESS_KILLED, killed
    how = f"was killed by signal {last['signal']}" if last.get("signal") else f"exited with code {last.get('exitCode')}"
    return Reason.INIT_FAILED if init else Reason.CRASH_LOOP, how


def _crash_message(how: str, last: Obj, restarts: int) -> str:
    times = f", restarted {restarts} time{'s' if restarts != 1 else ''}" if restarts else ""
    detail = str(last.get("message") or "")
    return f"{how}{times}" + (f": {detail}" if detail else "")


def _unscheduled(pod: Obj) -> Finding | None:
    scheduled = condition(pod, "PodScheduled")
    if scheduled is None or scheduled.get("status") != "False" or scheduled.get("reason") != "Unschedulable":
        return None
    message = str(scheduled.get("message") or "no node takes the pod")
    culprit = Culprit(pod=name_of(pod), reason=Reason.UNSCHEDULABLE, message=message)
    return Finding(reason=Reason.UNSCHEDULABLE, permanent=False, culprit=culprit)


def _not_mounted(pod: Obj, events: Sequence[Obj]) -> Finding | None:
    """The kubelet tries again: what is missing may come, so only time makes it a failure."""
    message = mount_failure(pod, events) if is_creating(pod) else ""
    if not message:
        return None
    culprit = Culprit(pod=name_of(pod), reason=Reason.VOLUME_ERROR, message=message)
    return Finding(reason=Reason.VOLUME_ERROR, permanent=False, culprit=culprit)


def _finding(pod: Obj, status: Obj, reason: Reason, message: str, *, permanent: bool) -> Finding:
    terminated = (
        (status.get("state") or {}).get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    )
    culprit = Culprit(
        pod=name_of(pod),
        container=str(status["name"]),
        reason=reason,
        message=_STEPS.sub("", message),
        exit_code=terminated.get("exitCode"),
        restarts=int(status.get("restartCount") or 0),
    )
    return Finding(reason=reason, permanent=permanent, culprit=culprit)
