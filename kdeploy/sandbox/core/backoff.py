"""The kubelet's back-off: 10 seconds, doubling to 5 minutes, forgotten after 10 minutes of calm. Pure.

k8s.io/client-go/util/flowcontrol/backoff.go, as pkg/kubelet/kuberuntime/kuberuntime_manager.go (doBackOff) and
pkg/kubelet/images/image_manager.go use it.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 10.0
LONGEST = 300.0
CALM = 600.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after a failure: `delay` seconds (0: not yet), which were set at `updated` (Unix seconds)."""

    delay: float = 0.0
    updated: float = 0.0

    def until(self, failed: float) -> float:
        """When what failed at that time may be tried again; the first time at once."""
        return failed if self._is_over(failed) else failed + self.delay

    def after(self, failed: float, now: float) -> Backoff:
        """The back-off from a new try on, which is made now."""
        return Backoff(FIRST if self._is_over(failed) else min(self.delay * 2, LONGEST), now)

    def _is_over(self, failed: float) -> bool:
        return not self.delay or failed - self.updated > CALM


def go_duration(seconds: float) -> str:
    """Whole seconds as Go prints them: "10s", "1m20s", "5m0s"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
