"""How long a container that ended waits to be restarted, as a kubelet counts it. Pure.

The rules are client-go's util/flowcontrol/backoff.go and doBackOff of pkg/kubelet/kuberuntime/kuberuntime_manager.go:
the first restart comes at once, the next one 10 s after the end of the container, then 20, 40, up to 300 s. Who ran for
twice the longest wait begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 10.0
LONGEST = 300.0


@dataclass(frozen=True, slots=True)
class BackOff:
    """What is remembered of a container's restarts: the present wait, and when it was last lengthened."""

    wait: float = 0.0
    since: float = 0.0

    def restart_at(self, finished: float) -> float:
        """When a container that ended at `finished` may be restarted."""
        return finished if self._is_over(finished) else finished + self.wait

    def restarted(self, finished: float, now: float) -> BackOff:
        """What is remembered after the restart at `now` of a container that ended at `finished`."""
        wait = FIRST if self._is_over(finished) else min(2 * self.wait, LONGEST)
        return BackOff(wait, now)

    def _is_over(self, finished: float) -> bool:
        return not self.wait or finished - self.since > 2 * LONGEST
