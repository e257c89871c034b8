"""What the kubelet's events add to a pod's status, which often does not say why. Pure.

Their reasons: k8s.io/kubernetes/pkg/kubelet/events/event.go. They are fetched for suspects only (`suspects`,
`is_creating`): a rollout whose pods come up within seconds asks for none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from kdeploy.model import Culprit, Obj, Reason
from kdeploy.rollout.objects import condition, container_statuses, name_of, uid_of

_CREATING = frozenset({"ContainerCreating", "PodInitializing"})
_NOT_MOUNTED = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
_PROBE_KILL = re.compile(r"failed (liveness|startup) probe")
_ENDED_BY_SIGNAL = frozenset({0, 130, 137, 143})
"""How a container ends that the kubelet stopped: by SIGTERM, by SIGKILL, or in its own good time."""


def when(event: Obj) -> str:
    """When an event last happened, as RFC 3339 text in UTC, which sorts by time."""
    metadata = event.get("metadata") or {}
    return str(event.get("lastTimestamp") or event.get("eventTime") or metadata.get("creationTimestamp") or "")


def suspects(culprits: Iterable[Culprit]) -> dict[str, str]:
    """The pods whose events would tell more, by name, each with what it showed: asked once, it need not be again."""
    return {
        culprit.pod: str(culprit.reason)
        for culprit in culprits
        if culprit.reason == Reason.IMAGE_PULL_FAILED
        or (culprit.reason == Reason.CRASH_LOOP and culprit.exit_code in _ENDED_BY_SIGNAL)
    }


def is_creating(pod: Obj) -> bool:
    """Whether it has a node, and none of its containers is there yet: its volumes, network or images come first."""
    scheduled = condition(pod, "PodScheduled")
    if scheduled is None or scheduled.get("status") != "True":
        return False
    waiting = [(status.get("state") or {}).get("waiting") or {} for status, _ in container_statuses(pod)]
    return all(state.get("reason") in _CREATING for state in waiting)


def in_the_making(pods: Iterable[Obj]) -> list[str]:
    """The names of those that are being created."""
    return [name_of(pod) for pod in pods if is_creating(pod)]


def pull_failure(pod: Obj, events: Sequence[Obj]) -> str:
    """The last failure of a pull, with the registry's answer; "" where none was told."""
    messages = [str(event.get("message") or "") for event in _about(pod, events) if event.get("reason") == "Failed"]
    return next((message for message in reversed(messages) if message.startswith("Failed to pull image")), "")


def mount_failure(pod: Obj, events: Sequence[Obj]) -> str:
    """Why the volumes of a pod that is being created are not there; "" where nothing of them has failed since."""

    def order(event: Obj) -> tuple[str, bool]:  # of two in the same second the mount's is the older
        return when(event), event.get("reason") not in _NOT_MOUNTED

    last = max(_about(pod, events), key=order, default=None)
    return str(last.get("message") or "") if last and last.get("reason") in _NOT_MOUNTED else ""


def probe_kill(pod: Obj, container: str, exit_code: int, events: Sequence[Obj]) -> str:
    """Which probe ended the container, which ended with `exit_code`, and what it found; "" where none did.

    A kill that was told counts for the later ones too: of a pod that fails again and again the kubelet tells 25 events,
    and then one in five minutes (k8s.io/client-go/tools/record/events_cache.go).
    """
    if exit_code not in _ENDED_BY_SIGNAL:
        return ""
    told = [event for event in _about(pod, events) if _container_of(event) == container]
    kills = [event for event in told if event.get("reason") == "Killing"]
    probe = next((found[1] for event in kills if (found := _PROBE_KILL.search(str(event.get("message") or "")))), "")
    if not probe:
        return ""
    failures = [str(event.get("message") or "") for event in told if event.get("reason") == "Unhealthy"]
    last = next((message for message in reversed(failures) if message.lower().startswith(f"{probe} probe")), "")
    why = last.partition(":")[2].strip()  # after "Liveness probe failed" or "errored"
    return f"was killed by its {probe} probe" + (f": {why}" if why else "")


def _about(pod: Obj, events: Sequence[Obj]) -> list[Obj]:
    return [event for event in events if (event.get("involvedObject") or {}).get("uid") == uid_of(pod)]


def _container_of(event: Obj) -> str:
    """Of a fieldPath like "spec.containers{web}"."""
    path = str((event.get("involvedObject") or {}).get("fieldPath") or "")
    return path.partition("{")[2].removesuffix("}")
