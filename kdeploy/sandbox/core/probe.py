"""What the probes of a container say: how results add up to a state. Pure.

The rules are those of pkg/kubelet/prober/worker.go: a state changes after a row of results as long as its threshold;
until there was one, readiness has failed, liveness is good, and startup is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kdeploy.model import Obj


class Kind(StrEnum):
    """The three probes; the value is how events begin."""

    STARTUP = "Startup"
    LIVENESS = "Liveness"
    READINESS = "Readiness"

    @property
    def field(self) -> str:
        """The container's field that holds it."""
        return _FIELDS[self]


_FIELDS = {kind: f"{kind.value.lower()}Probe" for kind in Kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One probe of a container. Times in seconds; `action` is its "httpGet", "tcpSocket", "exec" or "grpc"."""

    kind: Kind
    action: str
    how: Obj
    delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    successes: int = 1
    failures: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a probe's results have come to. `state`: None while nothing is known. `row` results like `last`."""

    state: bool | None
    last: bool | None = None
    row: int = 0


def probe_of(container: Obj, kind: Kind) -> Probe | None:
    """The container's probe of that kind, with Kubernetes' defaults."""
    found = container.get(kind.field)
    if not found:
        return None
    action = next((name for name in ("httpGet", "tcpSocket", "exec", "grpc") if found.get(name) is not None), "")
    return Probe(
        kind=kind,
        action=action,
        how=found.get(action) or {},
        delay=float(found.get("initialDelaySeconds") or 0),
        period=float(found.get("periodSeconds") or 10),
        timeout=float(found.get("timeoutSeconds") or 1),
        successes=int(found.get("successThreshold") or 1),
        failures=int(found.get("failureThreshold") or 3),
    )


def first_record(kind: Kind) -> Record:
    """What is so before the first result."""
    return Record(state={Kind.READINESS: False, Kind.LIVENESS: True, Kind.STARTUP: None}[kind])


def after(record: Record, probe: Probe, good: bool) -> Record:
    """The record with one more result."""
    row = record.row + 1 if record.last is good else 1
    threshold = probe.successes if good else probe.failures
    return Record(state=good if row >= threshold else record.state, last=good, row=row)


def port_number(port: int | str, container: Obj) -> int:
    """The number of a probe's port, which may be the name of one of the container's own. Raises ValueError."""
    if isinstance(port, int):
        return port
    named = {one.get("name"): int(one["containerPort"]) for one in container.get("ports") or ()}
    if port in named:
        return named[port]
    if port.isdecimal():
        return int(port)
    raise ValueError(f"couldn't find port: {port!r}")
