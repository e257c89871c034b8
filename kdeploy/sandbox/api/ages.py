"""Times as kubectl shows them: "5m12s". Pure."""

from __future__ import annotations

from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.core.timestamps import to_seconds

_UNKNOWN = "<unknown>"


def age(obj: Obj, now: float) -> str:
    """How long the object has been there."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def since(timestamp: Any, now: float) -> str:
    """How long ago an RFC 3339 time was; "<unknown>" where there is none."""
    if not timestamp:
        return _UNKNOWN
    try:
        return human(now - to_seconds(str(timestamp)))
    except ValueError:
        return _UNKNOWN


def human(seconds: float) -> str:
    """A duration in at most two units: k8s.io/apimachinery/pkg/util/duration, HumanDuration."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    minutes, hours, days, years = whole // 60, whole // 3600, whole // 86400, whole // 31_536_000
    if whole < 120:
        return f"{max(whole, 0)}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(large: int, unit: str, small: int, smaller: str) -> str:
    return f"{large}{unit}{small}{smaller}" if small else f"{large}{unit}"
