"""What happens during a run, as it happens. Renderers (human, jsonl) are pure functions of these; the story emits them.

On the wire (`-o jsonl`) each is {"v": 1, "at": RFC 3339 time, "type": TYPE, ...its fields}.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from kdeploy.model import CheckResult, Image, PodCounts, Verdict


class Phase(StrEnum):
    """The steps of a run, in their order."""

    PREFLIGHT = "preflight"
    BUILD = "build"
    PUSH = "push"
    BASELINE = "baseline"
    ROLLOUT = "rollout"
    VERIFY = "verify"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStarted:
    """A step begins; `detail` says on what, e.g. the image's name."""

    type: ClassVar[str] = "phase-started"
    phase: Phase
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEnded:
    """A step is over, after `seconds`; `detail` says with what. `failed`: an error ended it, there is no verdict."""

    type: ClassVar[str] = "phase-ended"
    phase: Phase
    seconds: float
    detail: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOutput:
    """One line of the builder's or the pusher's own output (hostile text)."""

    type: ClassVar[str] = "build-output"
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReady:
    """The image is in the registry."""

    type: ClassVar[str] = "image-ready"
    image: Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something a person should know; it also stands in the report's `warnings`."""

    type: ClassVar[str] = "warning"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A plain line of news, e.g. "reconnected to the API server"."""

    type: ClassVar[str] = "note"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Patched:
    """The workload was patched: from here on production is touched. `restore` is true for a rollback's patch."""

    type: ClassVar[str] = "patched"
    generation: int
    image: str
    restore: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """The rollout moved: another sentence or other counts than before."""

    type: ClassVar[str] = "progress"
    phase: Phase
    message: str
    pods: PodCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Nothing changed for a while; `seconds` since the phase began."""

    type: ClassVar[str] = "heartbeat"
    phase: Phase
    message: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict that ends a wait."""

    type: ClassVar[str] = "verdict"
    phase: Phase
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckEnded:
    """A health check passed or failed."""

    type: ClassVar[str] = "check"
    result: CheckResult


Event = (
    PhaseStarted
    | PhaseEnded
    | BuildOutput
    | ImageReady
    | Warned
    | Noted
    | Patched
    | Progressed
    | Heartbeat
    | Judged
    | CheckEnded
)

Emit = Callable[[Event], None]
