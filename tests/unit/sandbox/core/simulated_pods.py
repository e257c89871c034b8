"""A pod on virtual time, and what became of it."""

from __future__ import annotations

from typing import Any

from kdeploy.model import Obj
from kdeploy.rollout.objects import status_of
from kdeploy.sandbox.core.resources import PODS
from tests.unit.sandbox.core.world import World


def start(w: World, image: str = "good", name: str = "a", **spec: Any) -> Obj:
    container = {"name": "web", "image": f"registry/app:{image}", **spec.pop("container", {})}
    return w.create(PODS, {"metadata": {"name": name}, "spec": {"containers": [container], **spec}})


def pod(w: World, name: str = "a") -> Obj:
    return w.get(PODS, name)


def status(w: World, kind: str = "containerStatuses", index: int = 0) -> Obj:
    found: Obj = status_of(pod(w))[kind][index]
    return found


def state(w: World) -> str:
    """ "running", "Completed", "CrashLoopBackOff": one word for the first container."""
    found = status(w)["state"]
    return "running" if "running" in found else str(next(iter(found.values()))["reason"])


def timeline(w: World, seconds: float) -> list[tuple[float, str]]:
    """When the first container's state changed, in seconds from now on."""
    begun, seen = w.now, list[tuple[float, str]]()
    end = begun + seconds
    while True:
        if not seen or seen[-1][1] != state(w):
            seen.append((round(w.now - begun, 3), state(w)))
        if w.wake is None or w.wake > end:
            w.now = end
            return seen
        w.now = w.wake
        w.settle()


def told(w: World) -> list[str]:
    """The reasons of all events about pods, in order."""
    return [
        str(e.obj["reason"]) for e in w.events if e.obj["kind"] == "Event" and e.obj["involvedObject"]["kind"] == "Pod"
    ]
