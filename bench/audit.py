"""Which requests a deploy has made, by the API server's own audit log. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Requests by what they are for."""

    preflight: int
    story: int
    silence: int
    discovery: int


def count(events: Sequence[Mapping[str, Any]], namespace: str) -> Counted:
    """Sorts one deploy's requests, in the order in which they were received.

    The preflight ends where the workload is listed to be watched. From there on the only GET of it that belongs to the
    story is the last, the fresh read that confirms success: all before it looked whether silent streams are alive.
    """
    ordered = sorted(events, key=received)
    own = [event for event in ordered if (event.get("objectRef") or {}).get("namespace") == namespace]
    opened = next((i for i, e in enumerate(own) if _is(e, "list", "deployments")), len(own))
    gets = sum(_is(event, "get", "deployments") for event in own[opened:])
    silence = max(0, gets - 1)
    return Counted(
        preflight=opened,
        story=len(own) - opened - silence,
        silence=silence,
        discovery=sum(is_discovery(str(event.get("requestURI"))) for event in ordered),
    )


def received(event: Mapping[str, Any]) -> float:
    """When the API server got the request, as `time.time()`."""
    return datetime.fromisoformat(str(event["requestReceivedTimestamp"])).timestamp()


def is_discovery(uri: str) -> bool:
    """Whether a request asks what the API server has: /api, /apis/GROUP/VERSION, /openapi and /version."""
    parts = uri.partition("?")[0].strip("/").split("/")
    return (
        parts[0] in ("openapi", "version")
        or (parts[0] == "api" and len(parts) <= 2)
        or (parts[0] == "apis" and len(parts) <= 3)
    )


def _is(event: Mapping[str, Any], verb: str, resource: str) -> bool:
    return event.get("verb") == verb and (event.get("objectRef") or {}).get("resource") == resource
