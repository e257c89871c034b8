"""GET .../pods/NAME/log: which container, whether it has a log, and which of its lines. No HTTP.

pkg/registry/core/pod/strategy.go (LogLocation) and, for the containers' states, pkg/kubelet/kubelet_pods.go
(validateContainerLogStatus).
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

from kdeploy.model import Obj
from kdeploy.sandbox.api import status
from kdeploy.sandbox.api.pod_access import LogLine, PodLog
from kdeploy.sandbox.api.request import Asked
from kdeploy.sandbox.core.errors import Cause
from kdeploy.sandbox.core.field_errors import invalid
from kdeploy.sandbox.core.timestamps import to_seconds

_WAITING = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What of a log is wanted. `since` in Unix seconds, None for all; `tail` lines, `limit` bytes."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    since: float | None = None
    tail: int | None = None
    limit: int | None = None


def options(asked: Asked, now: float) -> LogOptions:
    """From the query. Raises ApiError 400, 422."""
    tail, limit, seconds = (asked.integer(name) for name in ("tailLines", "limitBytes", "sinceSeconds"))
    since, causes = None if seconds is None else now - seconds, list[Cause]()
    if tail is not None and tail < 0:
        causes.append(invalid("tailLines", tail, "must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        causes.append(invalid("limitBytes", limit, "must be greater than 0"))
    if seconds is not None and seconds < 1:
        causes.append(invalid("sinceSeconds", seconds, "must be greater than 0"))
    if causes:
        raise status.invalid("", "PodLogOptions", asked.name, causes)
    if "sinceTime" in asked.query:
        try:
            since = to_seconds(asked.query["sinceTime"])
        except ValueError:
            raise status.bad_request(f"sinceTime is not a time: {asked.query['sinceTime']}") from None
    return LogOptions(
        follow=asked.flag("follow"),
        previous=asked.flag("previous"),
        timestamps=asked.flag("timestamps"),
        since=since,
        tail=tail,
        limit=limit,
    )


def container_of(pod: Obj, wanted: str) -> str:
    """The container whose log is meant. Raises ApiError 400."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    containers = [one["name"] for one in spec.get("containers") or ()]
    names = [one["name"] for one in spec.get("initContainers") or ()] + containers
    if wanted in names:
        return wanted
    if wanted:
        raise status.bad_request(f"container {wanted} is not valid for pod {name}")
    default = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    if len(containers) == 1 or default in containers:
        return str(containers[0] if len(containers) == 1 else default)
    said = f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
    raise status.bad_request(said)


def check_has_log(pod: Obj, container: str, *, previous: bool) -> None:
    """Raises ApiError 400 where the container has no run whose log could be read."""
    found, named = _status_of(pod, container), f'container "{container}" in pod "{pod["metadata"]["name"]}"'
    if found is None:
        raise status.bad_request(f"{named} is waiting to start: ContainerCreating")
    state, last = found.get("state") or {}, (found.get("lastState") or {}).get("terminated")
    if previous:
        if last is None:
            raise status.bad_request(f"previous terminated {named} not found")
        return
    if state.get("running") is None and state.get("terminated") is None and last is None:
        reason = (state.get("waiting") or {}).get("reason") or "ContainerCreating"
        raise status.bad_request(f"{named} is waiting to start: {_WAITING.get(reason, reason)}")


def _status_of(pod: Obj, container: str) -> Obj | None:
    statuses = pod.get("status") or {}
    every = [*(statuses.get("containerStatuses") or ()), *(statuses.get("initContainerStatuses") or ())]
    return next((one for one in every if one.get("name") == container), None)


async def text_of(log: PodLog, wanted: LogOptions) -> AsyncIterator[bytes]:
    """The log's bytes, as they come."""
    left = sys.maxsize if wanted.limit is None else wanted.limit
    async for piece in _pieces(log, wanted):
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


async def _pieces(log: PodLog, wanted: LogOptions) -> AsyncIterator[bytes]:
    for piece in _joined(_kept(log.lines, wanted), wanted):
        yield piece
    starts = True
    if log.more is not None:
        async for line in log.more:
            yield _shown(line, wanted, starts=starts)
            starts = line.whole


def _kept(lines: Iterable[LogLine], wanted: LogOptions) -> Iterable[LogLine]:
    """The lines since the time, and of these the last ones; parts of a line count as one."""
    recent = (line for line in lines if wanted.since is None or to_seconds(line.time) >= wanted.since)
    if wanted.tail is None:
        return recent
    kept: deque[list[LogLine]] = deque(maxlen=wanted.tail)
    group: list[LogLine] = []
    for line in recent:
        group.append(line)
        if line.whole:
            kept.append(group)
            group = []
    if group:
        kept.append(group)
    return [line for one in kept for line in one]


def _joined(lines: Iterable[LogLine], wanted: LogOptions) -> Iterator[bytes]:
    """The text, many lines at a time."""
    buffer, starts = bytearray(), True
    for line in lines:
        buffer += _shown(line, wanted, starts=starts)
        starts = line.whole
        if len(buffer) > 64 * 1024:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)


def _shown(line: LogLine, wanted: LogOptions, *, starts: bool) -> bytes:
    stamp = f"{line.time} ".encode() if wanted.timestamps and starts else b""
    return stamp + line.text + (b"\n" if line.whole else b"")
