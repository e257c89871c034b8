"""A container that was restarted in this rollout must run for a while before it counts as up.

Without a readiness probe a crashing container is ready for an instant after each restart. With one replica the whole
rollout is then complete for that instant, by the controller's count and by kubectl's rule. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kdeploy.model import Culprit, Reason, Snapshot, State, Verdict
from kdeploy.rollout.assess import Expected
from kdeploy.rollout.classify import Restarts, restarts_of
from kdeploy.rollout.objects import name_of, uid_of
from kdeploy.rollout.revisions import new_pods


@dataclass(frozen=True, slots=True, kw_only=True)
class Calm:
    """Since when (on `Clock.now`) the rollout has been complete with these restarts of its own."""

    since: float = 0.0
    restarts: Restarts = field(default_factory=dict)

    def until(self, expected: Expected) -> float | None:
        """When the rollout will have been calm for long enough; None where no container was restarted."""
        return self.since + expected.calm if self.restarts else None


def hold(calm: Calm, verdict: Verdict, snapshot: Snapshot, expected: Expected, now: float) -> tuple[Verdict, Calm]:
    """The verdict, held back as progressing for `expected.calm` seconds after the last restart, and the calm since."""
    if not verdict.passed:
        return verdict, Calm()
    restarts = {
        key: count
        for key, count in restarts_of(new_pods(snapshot)).items()
        if count > expected.restarts_before.get(key, 0)
    }
    if not restarts:
        return verdict, Calm()
    calm = calm if calm.restarts == restarts else Calm(since=now, restarts=restarts)
    if now >= calm.since + expected.calm:
        return verdict, calm
    held = Verdict(
        state=State.PROGRESSING,
        reason=Reason.PROGRESSING,
        message=f"complete, but a container was restarted: it must run for {expected.calm:g}s",
        culprits=_restarted(snapshot, restarts),
        pods=verdict.pods,
    )
    return held, calm


def _restarted(snapshot: Snapshot, restarts: Restarts) -> tuple[Culprit, ...]:
    return tuple(
        Culprit(
            pod=name_of(pod),
            container=container,
            reason=Reason.CRASH_LOOP,
            message="it runs again, but was restarted only just now",
            restarts=count,
        )
        for pod in new_pods(snapshot)
        for (uid, container), count in restarts.items()
        if uid == uid_of(pod)
    )
