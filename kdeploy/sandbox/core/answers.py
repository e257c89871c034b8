"""What simulated pods say to whoever asks: the pod proxy, and `kubectl logs`. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kdeploy.model import Obj
from kdeploy.rollout.objects import name_of
from kdeploy.sandbox.core.behaviour import HANGS, REFUSED, Serves
from kdeploy.sandbox.core.container import Container, Stage
from kdeploy.sandbox.core.simulated import Run
from kdeploy.sandbox.core.timestamps import to_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoReply:
    """Why there is none, in Go's words. `hangs`: it is known only after whatever time the asker has."""

    why: str
    hangs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a log. `time` in Unix seconds."""

    time: float
    text: str


def answer(run: Run, pod: Obj, port: int, path: str, now: float, serves: Serves) -> Reply | NoReply:
    """What a request to a port of the pod gets now. `serves`: see behaviour.py."""
    container = _listening(run, port)
    refused = NoReply(why=f"dial tcp {run.ip}:{port}: connect: connection refused")
    if container is None or container.stage is not Stage.RUN:
        return refused
    what = container.behaviour.answer(path.partition("?")[0], now - container.started_at, serves)
    if what == REFUSED:
        return refused
    if what == HANGS:
        return NoReply(why=f"dial tcp {run.ip}:{port}: i/o timeout", hangs=True)
    return Reply(status=int(what), body=f"simulated pod {name_of(pod)}, container {container.name}: {what}\n")


def log(run: Run, container: str, *, previous: bool = False) -> list[Line] | None:
    """The lines of a container's latest run, or of the one before; None where there was no such run."""
    found = next((each for each in run.containers if each.name == container), None)
    if found is None or not found.runs:
        return None
    started = found.started_at
    if previous:
        if found.last is None:
            return None
        started = to_seconds(found.last["terminated"]["startedAt"])
    if not started:
        return []
    first = f"simulated container {found.name}, image {found.spec['image']}"
    return [Line(time=started, text=text) for text in (first, *found.behaviour.logs)]


def _listening(run: Run, port: int) -> Container | None:
    """The container that has the port, or else the only one."""
    for each in run.containers:
        if any(own.get("containerPort") == port for own in each.spec.get("ports") or ()):
            return each
    return run.main[0] if len(run.main) == 1 else None
