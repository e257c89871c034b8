"""What a simulated container does, read from a label of its image. Pure. docs/sandbox.md has the grammar.

The text is words, separated as in a shell: a name, or NAME=VALUE. Durations are Go's ("250ms", "1m30s"). All times run
from the container's start.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from kdeploy.config.duration import parse_duration
from kdeploy.text import one_line

REFUSED = "refused"
HANGS = "hangs"
"""What an answer may be besides an HTTP status: no connection, or none in time."""

_NEEDS = "needs:"
_SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")

Serves = Callable[[str], bool]
"""Whether a Service of the pod's namespace has a ready pod behind it."""


class BehaviourError(ValueError):
    """The text is no behaviour; the message says why in one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer: a status code's text, REFUSED or HANGS, from `after` seconds on. An empty path means all.

    "needs:NAME" is 200 while that Service has a ready pod, and 500 while it has none.
    """

    path: str
    what: str
    after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a container does. Seconds; `ready_after` and `hangs_after` are infinite where that never is."""

    pull: float = 0.0
    start: float = 0.0
    start_error: str | None = None
    ready_after: float = 0.0
    exit_code: int | None = None
    exit_after: float = 0.0
    exits: float = math.inf
    out_of_memory: bool = False
    hangs_after: float = math.inf
    stop_after: float = 0.0
    message: str = ""
    answers: tuple[Answer, ...] = ()
    logs: tuple[str, ...] = ()

    def exits_at(self, run: int) -> float | None:
        """When the `run`th run (from 0) ends by itself, seconds after its start; None where it goes on."""
        return self.exit_after if self.exit_code is not None and run < self.exits else None

    @property
    def needs_others(self) -> bool:
        """Whether one of its answers depends on a Service, and so may change at any time."""
        return any(each.what.startswith(_NEEDS) for each in self.answers)

    def answer(self, path: str, seconds: float, serves: Serves) -> str:
        """What a request gets so many seconds after the start: a status code's text, REFUSED or HANGS.

        Of the answers for the path, or else for all paths, the last one whose time has come.
        """
        if seconds >= self.hangs_after:
            return HANGS
        if not self.answers:
            return "200"
        come = [each for each in self.answers if seconds >= each.after]
        own = [each for each in come if each.path == path] or [each for each in come if not each.path]
        what = sorted(own, key=lambda each: each.after)[-1].what if own else "200"
        if what.startswith(_NEEDS):
            return "200" if serves(what.removeprefix(_NEEDS)) else "500"
        return what

    def next_change(self, seconds: float) -> float | None:
        """When after that time (seconds from the start) a probe may get another answer."""
        times = (self.ready_after, self.hangs_after, *(each.after for each in self.answers))
        return min((time for time in times if seconds < time < math.inf), default=None)


def parse(text: str) -> Behaviour:
    """The behaviour that a label's text means. Raises BehaviourError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BehaviourError(f'the behaviour "{one_line(text, 100)}" cannot be split into words: {error}') from None
    behaviour = Behaviour()
    for word in words:
        name, has_value, value = word.partition("=")
        try:
            behaviour = _with_word(behaviour, name, value if has_value else None)
        except ValueError as error:
            raise BehaviourError(f'behaviour "{one_line(word, 100)}": {error}') from None
    ends = behaviour.exit_code is not None
    return behaviour if ends or not behaviour.exit_after else replace(behaviour, exit_code=1)


@lru_cache(maxsize=1024)
def of_label(text: str) -> Behaviour:
    """The behaviour of a label's text; one that means none becomes a container that says so and does not start."""
    try:
        return parse(text)
    except BehaviourError as error:
        return Behaviour(start_error=str(error))


def _with_word(behaviour: Behaviour, name: str, value: str | None) -> Behaviour:
    if name == "http" or name.startswith("http:"):
        answer = _answer(name.partition(":")[2], value)
        return replace(behaviour, answers=(*behaviour.answers, answer))
    if name == "log" and value is not None:
        return replace(behaviour, logs=(*behaviour.logs, value))
    read = _WORDS.get(name)
    if read is None:
        raise ValueError(f"there is no such word; there are {', '.join(sorted([*_WORDS, 'http', 'log']))}")
    return replace(behaviour, **read(value))


def _answer(path: str, value: str | None) -> Answer:
    what, at, after = (value or "").partition("@")
    status = what.isascii() and what.isdecimal() and 200 <= int(what) <= 599
    needs = what.startswith(_NEEDS) and _SERVICE.fullmatch(what.removeprefix(_NEEDS))
    if not status and not needs and what not in (REFUSED, HANGS):
        raise ValueError(f"the answer must be a status from 200 to 599, {REFUSED}, {HANGS} or {_NEEDS}SERVICE")
    if path and not path.startswith("/"):
        raise ValueError("the path must begin with /")
    return Answer(path=path, what=what, after=_duration(after) if at else 0.0)


def _duration(value: str | None) -> float:
    if value is None:
        raise ValueError("it needs a duration, as in 2s")
    return parse_duration(value)


def _code(value: str | None) -> int:
    if value is None or not (value.isascii() and value.isdecimal() and int(value) <= 255):
        raise ValueError("it needs an exit code from 0 to 255")
    return int(value)


def _count(value: str | None) -> int:
    if value is None or not (value.isascii() and value.isdecimal() and 0 < int(value) < 1_000_000):
        raise ValueError("it needs a number of runs, 1 or more")
    return int(value)


def _text(value: str | None) -> str:
    if not value:
        raise ValueError("it needs a text")
    return value


def _timed(name: str) -> Callable[[str | None], dict[str, Any]]:
    return lambda value: {name: _duration(value)}


def _alone(**fields: Any) -> Callable[[str | None], dict[str, Any]]:
    def read(value: str | None) -> dict[str, Any]:
        if value is not None:
            raise ValueError("it takes no value")
        return fields

    return read


_CANNOT_START = 'exec: "/app": stat /app: no such file or directory: unknown'

_WORDS: Mapping[str, Callable[[str | None], dict[str, Any]]] = {
    "pull": _timed("pull"),
    "start": _timed("start"),
    "start-error": lambda value: {"start_error": _CANNOT_START if value is None else _text(value)},
    "ready-after": _timed("ready_after"),
    "never-ready": _alone(ready_after=math.inf),
    "exit": lambda value: {"exit_code": _code(value)},
    "exit-after": _timed("exit_after"),
    "exits": lambda value: {"exits": _count(value)},
    "oom": _alone(exit_code=137, out_of_memory=True),
    "hangs-after": _timed("hangs_after"),
    "stop-after": _timed("stop_after"),
    "message": lambda value: {"message": _text(value)},
}
