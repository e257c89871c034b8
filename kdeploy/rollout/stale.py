"""What a rollout's pods showed before this run, which says nothing about it until the kubelet has tried again. Pure.

A rerun of the version that is live already moves no pod: their waiting states, crashes and the Deployment's missed
deadline are those of the run before, and what they complain of may have been mended since. The kubelet tries again: a
container that cannot be created each 10 to 15 s, without a trace where it fails the same way; an image that cannot be
pulled after up to 300 s, when ImagePullBackOff gives way to ErrImagePull; one that crashed after up to 300 s, which
counts as a restart (k8s.io/kubernetes/pkg/kubelet: backOffPeriod, MaxImageBackOff, CrashLoopBackOff).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from kdeploy.model import Obj
from kdeploy.rollout.classify import restarts_of
from kdeploy.rollout.objects import condition, container_statuses, uid_of

Key = tuple[str, str]
"""A container: the uid of its pod, and its name."""

TRIED_AGAIN = 20.0
"""Seconds after which the kubelet has tried again even where nothing shows it."""

_PULL, _CRASH = "pull", "crash"
_FAMILIES = {
    "ErrImagePull": _PULL,
    "ImagePullBackOff": _PULL,
    "RegistryUnavailable": _PULL,
    "CrashLoopBackOff": _CRASH,
    "RunContainerError": _CRASH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A container that was down. `what`: a family of states that follow one try, or the state itself."""

    restarts: int
    what: str
    backs_off: bool

    @property
    def leaves_trace(self) -> bool:
        """Whether another try would be seen."""
        return self.what in (_PULL, _CRASH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """What is still of before. `since` is on `Clock.now`; `missed` names a deadline that was missed before."""

    since: float = 0.0
    shown: Mapping[Key, Shown] = field(default_factory=dict)
    missed: str = ""

    def after(self, pods: Sequence[Obj], now: float) -> Stale:
        """What is left of it once the pods show this, at `now`."""
        fresh, late = observe(pods), now >= self.since + TRIED_AGAIN
        left = {
            key: fresh[key]
            for key, before in self.shown.items()
            if key in fresh and not _is_news(before, fresh[key]) and (before.leaves_trace or not late)
        }
        return self if left == self.shown else replace(self, shown=left)

    def until(self) -> float | None:
        """When a part of it will be out of date by itself; None where nothing will."""
        quiet = any(not shown.leaves_trace for shown in self.shown.values())
        return self.since + TRIED_AGAIN if quiet else None


def stale(workload: Obj, pods: Sequence[Obj], now: float) -> Stale:
    """What the live revision's pods, and a missed deadline, say before this run has done anything."""
    return Stale(since=now, shown=observe(pods), missed=missed_deadline(workload))


def restarts_before(pods: Sequence[Obj], crash_budget: int) -> Mapping[Key, int]:
    """The restart counts that a run which takes these pods over does not answer for.

    A container that is down and has spent the whole budget with the run before is given one more try, since what it
    lacked may be there now; not the whole budget again, at back-offs of five minutes.
    """
    down = observe(pods)
    return {
        key: count + 1 - crash_budget if key in down and count >= crash_budget else count
        for key, count in restarts_of(pods).items()
    }


def observe(pods: Sequence[Obj]) -> Mapping[Key, Shown]:
    """The containers that are down."""
    return {
        (uid_of(pod), str(status["name"])): shown
        for pod in pods
        for status, _ in container_statuses(pod)
        if (shown := _shown(status)) is not None
    }


def missed_deadline(workload: Obj) -> str:
    """When the progress deadline was missed, as the controller wrote it; "" where it was not."""
    progressing = condition(workload, "Progressing")
    if progressing is None or progressing.get("reason") != "ProgressDeadlineExceeded":
        return ""
    return str(progressing.get("lastUpdateTime") or progressing.get("lastTransitionTime") or "unknown")


def _shown(status: Obj) -> Shown | None:
    state = status.get("state") or {}
    waiting = state.get("waiting")
    if not waiting and not state.get("terminated"):
        return None
    reason = str((waiting or {}).get("reason") or "")
    what = _FAMILIES.get(reason, f"{reason}: {waiting.get('message')}") if waiting else _CRASH
    return Shown(restarts=int(status.get("restartCount") or 0), what=what, backs_off=reason == "ImagePullBackOff")


def _is_news(before: Shown, now: Shown) -> bool:
    """Whether the kubelet has tried again: a back-off after a failure is no news, what comes after a back-off is."""
    return (before.restarts, before.what) != (now.restarts, now.what) or (before.backs_off and not now.backs_off)
