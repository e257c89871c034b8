"""A simulated container's runs: created, started, probed, ended, started again. No clock, no I/O.

pkg/kubelet/kuberuntime: kuberuntime_container.go (startContainer), kuberuntime_manager.go (doBackOff).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kdeploy.sandbox.core.backoff import go_duration
from kdeploy.sandbox.core.container import NOTICE, RESYNC, Container, Place, Stage, grace_of
from kdeploy.sandbox.core.needs import missing_in
from kdeploy.sandbox.core.podstatus import restarts
from kdeploy.sandbox.core.probe import Kind
from kdeploy.sandbox.core.probing import Asked, Sent, begin, postponed, send
from kdeploy.sandbox.core.pulling import pull, pull_failed, pulled
from kdeploy.sandbox.core.timestamps import to_text

_KILLED = 137
_NOT_STARTED = 128
_CANNOT_START = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: "
)


def advance(c: Container, place: Place, now: float) -> None:
    """Does all that is due."""
    if c.stage is Stage.NEW:
        c.stage, c.due = Stage.PULL, now
    while c.due is not None and c.due <= now:
        c.due = None
        _STEPS[c.stage](c, place, now)


def _create(c: Container, place: Place, now: float) -> None:
    missing = missing_in(c.spec, place.pod["metadata"]["namespace"], place.get)
    if missing is not None:
        c.state = {"waiting": {"reason": "CreateContainerConfigError", "message": missing}}
        place.tell("Failed", f"Error: {missing}", "Warning")
        c.due = now + RESYNC
        return
    if c.behaviour.start and not c.runs:
        c.state = {"waiting": {"reason": "ContainerCreating"}}
    c.stage, c.due = Stage.START, now + c.behaviour.start


def _start(c: Container, place: Place, now: float) -> None:
    c.runs += 1
    if c.terminated is not None:
        c.last = {"terminated": c.terminated}
    place.tell("Created", "Container created")
    if c.behaviour.start_error is not None:
        _fail_to_start(c, place, f"{_CANNOT_START}{c.behaviour.start_error}", now)
        return
    place.tell("Started", "Container started (simulated)")
    c.state, c.started_at, c.probes = {"running": {"startedAt": to_text(now)}}, now, begin(c.spec)
    c.started = not any(each.probe.kind is Kind.STARTUP for each in c.probes)
    c.stage, c.due = Stage.RUN, now


def _fail_to_start(c: Container, place: Place, message: str, now: float) -> None:
    place.tell("Failed", f"Error: {message}", "Warning")
    c.started_at = 0.0
    _note_end(c, place, _NOT_STARTED, "StartError", now, message)
    c.state, c.last = {"waiting": {"reason": "RunContainerError", "message": message}}, {"terminated": c.terminated}


def _run(c: Container, place: Place, now: float) -> None:
    """Ends when the time has come; or else sends the probes that are due, and does as they say."""
    exits = c.exits_at()
    if exits is not None and c.started_at + exits <= now:
        killed = c.behaviour.out_of_memory
        _note_end(c, place, c.behaviour.exit_code or 0, "OOMKilled" if killed else "", now, c.behaviour.message)
        c.state = {"terminated": c.terminated}
        return
    seconds = now - c.started_at
    _probe(c, place, seconds)
    states = {each.probe.kind: each.record.state for each in c.probes}
    failed = next((kind for kind in (Kind.STARTUP, Kind.LIVENESS) if states.get(kind) is False), None)
    if failed is not None:
        place.tell("Killing", f"Container {c.name} failed {failed.lower()} probe, will be restarted")
        c.stage, c.due = Stage.STOP, now + min(c.stop_seconds(), grace_of(place.pod))
        return
    answers = states.get(Kind.READINESS, seconds >= c.behaviour.ready_after)
    c.ready = c.started and bool(answers) and not c.is_step
    turns = [each.next for each in c.probes if _is_on(c, each)] + ([] if exits is None else [exits])
    if Kind.READINESS not in states and not answers:
        turns.append(c.behaviour.ready_after)
    soonest = min(turns, default=math.inf)
    c.due = c.started_at + soonest if soonest < math.inf else None


def _probe(c: Container, place: Place, seconds: float) -> None:
    """Startup probes first: with their success the others begin."""

    def tell(words: str) -> None:
        place.tell("Unhealthy", words, "Warning")

    asked = Asked(c.spec, c.behaviour, place.serves)

    def sent(each: Sent) -> Sent:
        due = each.next <= seconds and _is_on(c, each)
        return send(each, asked, place.ip, seconds, tell) if due else each

    if not c.started:
        c.probes = tuple(map(sent, c.probes))
        if not any(each.probe.kind is Kind.STARTUP and each.record.state for each in c.probes):
            return
        c.started = True
        c.probes = tuple(p if p.probe.kind is Kind.STARTUP else postponed(p, seconds) for p in c.probes)
    c.probes = tuple(map(sent, c.probes))


def _is_on(c: Container, each: Sent) -> bool:
    """Whether a probe is sent at all now."""
    return c.started != (each.probe.kind is Kind.STARTUP)


def _stop(c: Container, place: Place, now: float) -> None:
    """It was asked to end, and did; or it was killed at the end of its time."""
    code = _KILLED if c.stop_seconds() > grace_of(place.pod) else 0
    _note_end(c, place, code, "", now, c.behaviour.message)
    c.state = {"terminated": c.terminated}


def _note_end(c: Container, place: Place, code: int, reason: str, now: float, message: str) -> None:
    """The end of a run, after which it is started again or not."""
    ended: dict[str, Any] = {
        "exitCode": code,
        "reason": reason or ("Error" if code else "Completed"),
        "startedAt": to_text(c.started_at),
        "finishedAt": to_text(now),
        "containerID": c.id(place.pod["metadata"]["uid"]),
    }
    c.terminated, c.ended_at = {**ended, "message": message} if message else ended, now
    done = c.is_step and code == 0
    c.ready, c.started, c.probes = done, False, ()
    again = not done and restarts(place.pod, c.spec, code)
    c.stage, c.due = (Stage.ENDED, now + NOTICE) if again else (Stage.DONE, None)


def _ended(c: Container, place: Place, now: float) -> None:
    """The kubelet has seen the end: it starts it again, the first time at once, later after its back-off."""
    c.stage, c.due = Stage.AGAIN, c.crashes.until(c.ended_at)
    if c.due <= now:
        return
    metadata = place.pod["metadata"]
    pod = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
    place.tell("BackOff", f"Back-off restarting failed container {c.name} in pod {pod}", "Warning")
    message = f"back-off {go_duration(c.crashes.delay)} restarting failed container={c.name} pod={pod}"
    c.state = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
    c.last = {"terminated": c.terminated}


def _again(c: Container, _: Place, now: float) -> None:
    c.crashes = c.crashes.after(c.ended_at, now)
    c.stage, c.due = Stage.PULL, now


_STEPS: dict[Stage, Callable[[Container, Place, float], None]] = {
    Stage.PULL: pull,
    Stage.PULLED: pulled,
    Stage.PULL_FAILED: pull_failed,
    Stage.CREATE: _create,
    Stage.START: _start,
    Stage.RUN: _run,
    Stage.STOP: _stop,
    Stage.ENDED: _ended,
    Stage.AGAIN: _again,
}
