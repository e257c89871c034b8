"""The files that `kdeploy init` writes, from its guesses: the templates beside this file, filled in."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kdeploy.errors import ConfigError
from kdeploy.init.guess import Guess
from kdeploy.init.quoting import comment, groovy, scalar
from kdeploy.model import HttpCheck, Target
from kdeploy.rollout.permissions import needed
from kdeploy.rollout.rules import rules_of
from kdeploy.text import one_line

TEMPLATES = Path(__file__).parent / "templates"


class Wanted(StrEnum):
    """What may be asked for beside kdeploy.yaml; the value is the template's name."""

    GITHUB = "github.yml"
    GITLAB = "gitlab.yml"
    JENKINS = "Jenkinsfile"
    RBAC = "rbac.yaml"


PLACES = {
    Wanted.GITHUB: ".github/workflows/deploy.yml",
    Wanted.GITLAB: ".gitlab-ci.yml",
    Wanted.JENKINS: "Jenkinsfile",
}
"""Where each pipeline's CI looks for it, from the top of the checkout."""

_EVALUATED = {Wanted.GITHUB: "${{", Wanted.GITLAB: "$[["}
"""What begins an expression to a CI, in YAML's quotes too:
https://docs.github.com/en/actions/learn-github-actions/expressions, https://docs.gitlab.com/ci/inputs/
"""

RBAC_PLACE = "deploy/kdeploy-rbac.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the files go. `config`: the name of kdeploy.yaml in the current folder, which is `below` the top of the
    checkout ("" for the top itself, else "services/web"). `branch` is what the pipelines deploy.
    """

    config: str = "kdeploy.yaml"
    below: str = ""
    branch: str = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One file. `path` is from the top of the checkout."""

    path: str
    text: str


def make_files(guess: Guess, wanted: Collection[Wanted], places: Places) -> tuple[Written, ...]:
    """kdeploy.yaml, then what else is wanted. Raises ConfigError for a place that its CI would evaluate."""
    _refuse_evaluated(wanted, guess, places)
    below = f"{places.below}/" if places.below else ""
    found = [Written(path=f"{below}{places.config}", text=_fill("kdeploy.yaml", guess, places))]
    for one in Wanted:
        if one in wanted:
            path = PLACES.get(one) or f"{below}{RBAC_PLACE}"
            found.append(Written(path=path, text=_fill(one.value, guess, places)))
    return tuple(found)


def _refuse_evaluated(wanted: Collection[Wanted], guess: Guess, places: Places) -> None:
    named = [("folder", places.below), ("branch", places.branch)]
    named += [(what, one.text) for what, one in (("service", guess.service), ("environment", guess.environment)) if one]
    for one, begin in _EVALUATED.items():
        for what, text in named:
            if one in wanted and begin in text:
                raise ConfigError(
                    f"the {what} {one_line(text)!r} has {begin} in its name, which {PLACES[one]} would evaluate",
                    hint=f"rename the {what}, or leave out --{one.name.lower()}; nothing was written",
                )


def _fill(template: str, guess: Guess, places: Places) -> str:
    """The delimiters are << >> and <% %>, since GitHub's own expressions have the usual ones."""
    environment = ImmutableSandboxedEnvironment(  # no HTML: what is filled in is quoted by the filters
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"scalar": scalar, "comment": comment, "groovy": groovy}
    target = Target(kind=guess.kind, name=guess.name, namespace=guess.namespace.text)
    config = f"{places.below}/{places.config}" if places.below else ""
    return environment.get_template(template).render(
        guess=guess,
        branch=places.branch,
        config=config,
        command=f"kdeploy deploy{guess.arguments}{f' --config {shlex.quote(config)}' if config else ''}",
        environment=guess.environment.text if guess.environment else "production",
        rules=rules_of(needed(target, [HttpCheck(name="any", path="/")])),
        role=f"kdeploy-{guess.kind.plural}",
    )
