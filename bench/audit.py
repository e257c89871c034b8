"""Which requests a deploy has made, by the API server's own audit log. Pure."""

from __future__ import annotations

import math
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
    """Sorts one deploy's requests.

    The preflight reads the workload, its revisions and its pods once each: the first of each is its own. All GETs of
    the workload but that one and the last, the fresh read that confirms success, looked whether silent streams live.
    """
    ordered = sorted(events, key=received)
    own = [event for event in ordered if (event.get("objectRef") or {}).get("namespace") == namespace]
    gets = sum(_is(event, "get", "deployments") for event in own)
    lists = (any(_is(event, "list", resource) for event in own) for resource in ("replicasets", "pods"))
    preflight, silence = min(gets, 1) + sum(lists), max(0, gets - 2)
    return Counted(
        preflight=preflight,
        story=len(own) - preflight - silence,
        silence=silence,
        discovery=sum(is_discovery(str(event.get("requestURI"))) for event in ordered),
    )


def watching_since(events: Sequence[Mapping[str, Any]], namespace: str) -> float:
    """When, as `time.time()`, the first of these requests that watches something there was received; inf for none."""
    there = [event for event in events if (event.get("objectRef") or {}).get("namespace") == namespace]
    return min((received(event) for event in there if event.get("verb") == "watch"), default=math.inf)


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
