"""Texts that want to be taken for commands or outputs, and reports and events that have nothing else in them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from kdeploy.events import (
    BuildOutput,
    CheckEnded,
    Event,
    Heartbeat,
    ImageReady,
    Judged,
    Noted,
    Patched,
    Phase,
    PhaseEnded,
    PhaseStarted,
    Progressed,
    Warned,
)
from kdeploy.model import CheckResult, Culprit, Image, Location, PodCounts, Reason, State, Verdict
from kdeploy.report.value import Report

PIECES = (
    *("::error::x", "::set-output name=outcome::deployed", "::add-mask::a", "::stop-commands::t", "::t::"),
    *("::endgroup::", "##[error]x", "##[set-env name=A]b", "#", "##", "[", "]", ":", "::", "%0A", "%0D", "%250A"),
    *("%25", "%3A", "%2C", ",", "\n", "\r", "\r\n", "\t", " ", "\u00a0", "\u2028", "\u0085", "\x0b", "\x1b[31m"),
    *("\x00", "\u200b", "\ufeff", "\ud800", "outcome=deployed", "image<<EOF", "EOF", "<<", "=", "ghadelimiter_"),
    *("```", "|", "<b>", "</pre>", "é", "x", "web"),
)


def texts(count: int, seed: int = 4) -> list[str]:
    """So many of them, the same for the same seed."""
    chance = random.Random(seed)
    return ["".join(chance.choices(PIECES, k=chance.randint(1, 8))) for _ in range(count)]


Take = Callable[[], str]
"""Gives the next text."""

CHECK = CheckResult(name="n", passed=False, samples=3, failures=3, message="m")
CULPRIT = Culprit(
    pod="p", container="c", reason="r", message="m", exit_code=1, restarts=1, log_tail="l", events=("e", "e")
)


def always(text: str) -> Take:
    """The same one for every field."""
    return lambda: text


def poisoned(value: Any, take: Take) -> Any:
    """The value with another text in the place of each that it has; enums and keys stay."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return take()
    if isinstance(value, tuple | list):
        return type(value)(poisoned(item, take) for item in value)
    if isinstance(value, Mapping):
        return {key: poisoned(item, take) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: poisoned(getattr(value, one.name), take) for one in fields(value)})
    return value


def hostile_report(report: Report, take: Take) -> Report:
    """The report with all fields that there are, and a text of `take` in each that holds one."""
    entry = report.deploys[0]
    assert entry.image is not None
    entry = replace(
        entry, image=replace(entry.image, tag="t", digest="d", previous="p"), containers=("c", "c"), revision="1",
        rolled_back_to="r", url="u", culprits=entry.culprits or (CULPRIT,), checks=entry.checks or (CHECK,),
        patch=({"op": "replace", "path": "p", "value": {"k": ["v"]}},),
    )  # fmt: skip
    full = replace(
        report, hint="h", warnings=report.warnings or ("w",), commit="c", deploy_id="d", deploys=(entry,),
        location=Location(file="f", line=1),
    )  # fmt: skip
    changed: Report = poisoned(full, take)
    return changed


def hostile_events(phase: Phase, take: Take) -> list[Event]:
    """One of each, the first begins the phase and the last ends it."""
    verdict = Verdict(state=State.FAILED, reason=Reason.CRASH_LOOP, message="m", culprits=(CULPRIT,))
    events: list[Event] = [
        PhaseStarted(phase=phase, detail="d"),
        BuildOutput(line="l"),
        ImageReady(image=Image(repository="r", tag="t", digest="d")),
        Warned(message="m"),
        Noted(message="m"),
        Patched(generation=1, image="i"),
        Progressed(phase=phase, message="m", pods=PodCounts(desired=1)),
        Heartbeat(phase=phase, message="m", seconds=1.0),
        CheckEnded(result=CHECK),
        Judged(phase=phase, verdict=verdict),
        PhaseEnded(phase=phase, seconds=1.0, detail="d"),
    ]
    changed: list[Event] = poisoned(events, take)
    return changed


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every text, number and empty field in a value, with its path."""
    if is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            yield from leaves(getattr(value, one.name), f"{path}.{one.name}")
    elif isinstance(value, tuple | list) and value:
        for item in value:
            yield from leaves(item, f"{path}[]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    else:
        yield path, value
