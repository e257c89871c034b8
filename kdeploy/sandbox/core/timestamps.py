"""RFC 3339 as Kubernetes writes it, to and from Unix seconds. Pure: the clock is somebody else's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def to_text(seconds: float) -> str:
    """A metav1.Time: "2026-11-24T00:33:42Z". What is below a second is cut off, as Kubernetes does."""
    return f"{_moment(seconds // 1):%Y-%m-%dT%H:%M:%S}Z"


@lru_cache(maxsize=64)
def to_micro_text(seconds: float) -> str:
    """A metav1.MicroTime: "2026-11-24T00:33:42.000000Z"."""
    return f"{_moment(seconds):%Y-%m-%dT%H:%M:%S.%f}Z"


@lru_cache(maxsize=4096)
def to_seconds(text: str) -> float:
    """The Unix seconds of an RFC 3339 text, whatever its zone and fraction. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return (moment - _EPOCH).total_seconds()


def _moment(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
