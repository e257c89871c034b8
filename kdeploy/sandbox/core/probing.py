"""The probes of a simulated container: when each is sent, what it finds, what comes of it. Pure.

pkg/kubelet/prober/worker.go. A probe that can find nothing new until the behaviour changes is not sent until then, so
that a quiet pod costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from kdeploy.model import Obj
from kdeploy.sandbox.core.behaviour import HANGS, REFUSED, Behaviour, Serves
from kdeploy.sandbox.core.probe import Kind, Probe, Record, after, first_record, port_number, probe_of

_TOLD = 25
"""How many failures in a row are told; after that one in 5 minutes (client-go's EventSourceObjectSpamFilter)."""

_RARELY = 300.0


@dataclass(frozen=True, slots=True)
class Sent:
    """One probe of one run of a container: its record so far, and when it is sent next (seconds from the start)."""

    probe: Probe
    record: Record
    next: float


@dataclass(frozen=True, slots=True)
class Asked:
    """The container that a probe is sent to, by its spec; `serves` is what its behaviour may depend on."""

    spec: Obj
    behaviour: Behaviour
    serves: Serves


def begin(container: Obj) -> tuple[Sent, ...]:
    """The probes of a container that starts. The startup probe comes first: the others wait until it succeeds."""
    probes = [probe for kind in Kind if (probe := probe_of(container, kind)) is not None]
    return tuple(Sent(probe, first_record(probe.kind), probe.delay) for probe in probes)


def send(sent: Sent, asked: Asked, ip: str, seconds: float, tell: Callable[[str], None]) -> Sent:
    """The probe sent at `seconds` from the start; `tell` gets the kubelet's sentence about a failure."""
    probe, failure = sent.probe, _failure(sent.probe, asked, ip, seconds)
    record = after(sent.record, probe, failure is None)
    if failure is not None:
        tell(f"{probe.kind} probe failed: {failure}")
    return Sent(probe, record, _next(sent, record, asked.behaviour, seconds))


def postponed(sent: Sent, seconds: float) -> Sent:
    """The probe at its first turn from `seconds` on, which is when its container's startup probe has succeeded."""
    return replace(sent, next=_turn(sent.probe, seconds))


def _failure(probe: Probe, asked: Asked, ip: str, seconds: float) -> str | None:
    """The probe's own words about what it found; None for success."""
    behaviour, port = asked.behaviour, _port(probe, asked.spec)
    unready = probe.kind is Kind.READINESS and seconds < behaviour.ready_after
    if probe.action == "httpGet":
        path = str(probe.how.get("path") or "/")
        url = f"{str(probe.how.get('scheme') or 'HTTP').lower()}://{ip}:{port}{path}"
        what = "503" if unready and seconds < behaviour.hangs_after else behaviour.answer(path, seconds, asked.serves)
        if what == HANGS:
            return f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        if what == REFUSED:
            return f'Get "{url}": dial tcp {ip}:{port}: connect: connection refused'
        return None if 200 <= int(what) < 400 else f"HTTP probe failed with statuscode: {what}"
    if seconds >= behaviour.hangs_after:
        return f"dial tcp {ip}:{port}: i/o timeout" if probe.action == "tcpSocket" else "command timed out"
    if unready:
        return f"dial tcp {ip}:{port}: connect: connection refused" if probe.action == "tcpSocket" else ""
    return None


def _port(probe: Probe, container: Obj) -> int:
    try:
        return port_number(probe.how.get("port", 0), container)
    except ValueError:
        return 0


def _next(sent: Sent, record: Record, behaviour: Behaviour, seconds: float) -> float:
    probe = sent.probe
    if record.state is not None and record.state is record.last:  # settled: no more of the same changes anything
        if probe.kind is Kind.STARTUP or (probe.kind is Kind.LIVENESS and not record.last):
            return math.inf
        if behaviour.needs_others:
            return seconds + probe.period
        change = behaviour.next_change(seconds)
        later = math.inf if change is None else _turn(probe, change)
        if record.last:
            return later
        return min(later, seconds + (probe.period if record.row < _TOLD else _RARELY))
    return seconds + probe.period


def _turn(probe: Probe, seconds: float) -> float:
    """The first of the probe's turns at or after a time."""
    turns = max(math.ceil((seconds - probe.delay) / probe.period), 0)
    return probe.delay + turns * probe.period
