"""Parts of a CI's log that a person may fold, one a phase. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kdeploy.events import Phase
from kdeploy.report.github.commands import ENDGROUP, group


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`number` tells the parts of a run apart; `at` is when this line of it is written, in Unix seconds."""

    number: int
    phase: Phase
    title: str
    at: int

    @property
    def name(self) -> str:
        """One word of its own."""
        return f"kdeploy_{self.number}_{self.phase.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """How a CI marks them: the line that begins a part, with its title, and the one that ends it."""

    begin: Callable[[Part], str]
    end: Callable[[Part], str]


def _section(part: Part) -> str:
    folded = "[collapsed=true]" if part.phase is Phase.BUILD else ""  # the longest one
    return f"\x1b[0Ksection_start:{part.at}:{part.name}{folded}\r\x1b[0K{part.title}"


GITHUB = Folding(begin=lambda part: group(part.title), end=lambda _: ENDGROUP)
"""Groups, see `github.commands`."""

GITLAB = Folding(begin=_section, end=lambda part: f"\x1b[0Ksection_end:{part.at}:{part.name}\r\x1b[0K")
"""Sections: https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections. The escape sequences and carriage
returns are a part of the mark: text from outside has neither, see `kdeploy.text`.
"""
