"""The system's clock, and moments on it that bound what several steps may take together."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime


class SystemClock:
    """Implements `ports.Clock`."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def wall(self) -> datetime:
        """The UTC time of day."""
        return datetime.now(UTC)


class Deadline:
    """A moment, `seconds` from now, that bounds several steps as one. `now` gives monotonic seconds."""

    def __init__(self, now: Callable[[], float], seconds: float) -> None:
        self._now = now
        self._end = now() + seconds

    def remaining(self, most: float = math.inf) -> float:
        """The seconds left, at most `most`. Raises TimeoutError where there are none."""
        left = self._end - self._now()
        if left <= 0:
            raise TimeoutError("no time is left")
        return min(left, most)
