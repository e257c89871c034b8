"""Workflow and action files as GitHub reads them, as far as the examples go: jobs, steps, expressions. Pure.

Expressions: https://docs.github.com/actions/reference/workflows-and-actions/expressions. Only what the files use is
known, `a.b.c`, `a.b == c.d`, `toJSON(a)`; anything else is an AssertionError, so that none goes beyond what is tested.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
OURS = "OWNER/kdeploy@v1"
COMPOSITE = "OWNER/kdeploy/composite@v1"

_EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")
_JSON = re.compile(r"toJSON\(([a-z_]+)\)")
_PATH = re.compile(r"[a-z_]+(\.[A-Za-z_][\w-]*)+")
MAY_LACK = ("inputs", "outputs", "matrix")
"""Contexts in which a name that is not there is an empty text."""

Contexts = Mapping[str, Any]


def look_up(path: str, contexts: Contexts) -> str:
    """The value of `github.event.number`, or of a whole context as JSON."""
    if whole := _JSON.fullmatch(path):
        return json.dumps(contexts[whole[1]], indent=2)
    assert _PATH.fullmatch(path), f"an expression that the tests do not know: {path}"
    found: Any = contexts
    for name in path.split("."):
        if name not in found and any(one in path.split(".") for one in MAY_LACK):
            return ""
        assert name in found, f"no {name} in {path}"
        found = found[name]
    return str(found)


def fill(text: object, contexts: Contexts) -> str:
    """A value of the YAML file as the runner passes it on: a text, its expressions replaced."""
    plain = str(text).lower() if isinstance(text, bool) else str(text)
    return _EXPRESSION.sub(lambda found: look_up(found[1], contexts), plain)


def holds(condition: str, contexts: Contexts) -> bool:
    """Whether an `if` is so."""
    left, equals, right = condition.partition(" == ")
    assert equals, condition
    return look_up(left, contexts) == look_up(right, contexts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """One file. `jobs` as YAML has them."""

    file: str
    document: Mapping[Any, Any]

    @classmethod
    def read(cls, name: str) -> Workflow:
        """One of examples/workflows."""
        return cls(file=name, document=yaml.safe_load((ROOT / "examples/workflows" / name).read_text()))

    @property
    def jobs(self) -> Mapping[str, Any]:
        jobs: Mapping[str, Any] = self.document["jobs"]
        return jobs

    @property
    def triggers(self) -> Mapping[str, Any]:
        """`on`, which YAML 1.1 takes for a truth value."""
        triggers: Mapping[str, Any] = self.document[True]
        return triggers

    def steps(self) -> list[Mapping[str, Any]]:
        """Those of all jobs."""
        return [step for job in self.jobs.values() for step in job["steps"]]


def read_action(file: str) -> Mapping[str, Any]:
    """action.yml or composite/action.yml."""
    document: Mapping[str, Any] = yaml.safe_load((ROOT / file).read_text())
    return document
