"""What the API server asks of a kubelet: a pod's log, and a request to one of its ports.

Only words and shapes here: whoever runs the pods, real and simulated ones, implements `PodAccess`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kdeploy.model import Obj


class LogLine(Protocol):
    """A line of a log, or a part of a long one. `time` is RFC 3339, `text` has no line's end."""

    @property
    def time(self) -> str: ...

    @property
    def text(self) -> bytes: ...

    @property
    def whole(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLog:
    """A container's log: the lines that are kept now, and those that come after them.

    `more` ends when the container has ended; None where nothing is to come, or was not asked for.
    """

    lines: Iterable[LogLine]
    more: AsyncIterator[LogLine] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyRequest:
    """A request for a pod. `path` begins with "/", and has the query; both are escaped. No header is hop by hop."""

    method: str
    scheme: str
    path: str
    headers: Sequence[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyResponse:
    """What a pod answered: the body piece by piece, as it comes."""

    status: int
    headers: Sequence[tuple[str, str]] | Mapping[str, str]
    body: AsyncIterator[bytes]


class UnreachableError(Exception):
    """A pod gave no answer; the text is Go's: "dial tcp 127.16.0.9:8080: connect: connection refused"."""


class PodAccess(Protocol):
    """The way to the pods that run here."""

    async def log(self, pod: Obj, container: str, *, previous: bool, follow: bool) -> PodLog:
        """The log of the container's run, or with `previous` of the one before it. There is such a run."""
        ...

    async def proxy(self, pod: Obj, port: int, request: ProxyRequest) -> ProxyResponse:
        """Sends a request to a pod's port; redirects are not followed. Raises UnreachableError."""
        ...
