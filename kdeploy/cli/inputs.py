"""The inputs of the GitHub action become the command line of `kdeploy deploy` or `kdeploy rollback`. Pure.

The runner passes each as INPUT_ and its name in capitals, dashes kept; one that is not given is empty or absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from kdeploy.cli.files import REPORT
from kdeploy.cli.login import USERNAME
from kdeploy.config.flags import FILES, Flags
from kdeploy.config.nearest import did_you_mean
from kdeploy.errors import ConfigError
from kdeploy.model import Outcome
from kdeploy.reference import parse
from kdeploy.report.value import Report
from kdeploy.secret import GITHUB_TOKEN, REGISTRY_PASSWORD
from kdeploy.text import one_line

PREFIX = "INPUT_"


class Shape(Enum):
    """What the value of an input may be."""

    TEXT = "a text of one line"
    LINES = "several, one a line"
    SWITCH = "true or false"
    SECRET = "a secret"  # noqa: S105


FLAGS: Mapping[str, Shape] = {
    "target": Shape.TEXT,
    "to": Shape.TEXT,
    "config": Shape.TEXT,
    "env": Shape.TEXT,
    "namespace": Shape.TEXT,
    "context": Shape.TEXT,
    "commit": Shape.TEXT,
    "image": Shape.TEXT,
    "push-image": Shape.TEXT,
    "container": Shape.LINES,
    "build-context": Shape.TEXT,
    "dockerfile": Shape.TEXT,
    "build-arg": Shape.LINES,
    "platform": Shape.LINES,
    "builder": Shape.TEXT,
    "tag": Shape.TEXT,
    "timeout": Shape.TEXT,
    "build-timeout": Shape.TEXT,
    "rollback-timeout": Shape.TEXT,
    "crash-budget": Shape.TEXT,
    "verify-http": Shape.LINES,
    "rollback": Shape.SWITCH,
    "on-interrupt": Shape.TEXT,
    "force": Shape.SWITCH,
    "dry-run": Shape.SWITCH,
    "report": Shape.TEXT,
    "junit": Shape.TEXT,
    "dotenv": Shape.TEXT,
    "trace": Shape.TEXT,
    "verbose": Shape.SWITCH,
    "quiet": Shape.SWITCH,
}
"""Inputs that are flags of a command, by their names there."""

COMMAND = "command"
KUBECONFIG = "kubeconfig"
VARIABLES: Mapping[str, tuple[Shape, str, str]] = {
    "registry-username": (
        Shape.TEXT,
        USERNAME,
        "The user of the registry that is pushed to [who started the run].",
    ),
    "registry-password": (
        Shape.SECRET,
        REGISTRY_PASSWORD,
        "That user's password or token; for ghcr.io github.token, with the permission packages: write.",
    ),
    "github-token": (
        Shape.SECRET,
        GITHUB_TOKEN,
        "Shows the deploy among the repository's deployments; takes the permission deployments: write.",
    ),
}
"""Inputs that become variables of the command: shape, variable, description."""

INPUTS: Mapping[str, Shape] = {
    COMMAND: Shape.TEXT,
    **FLAGS,
    KUBECONFIG: Shape.SECRET,
    **{name: shape for name, (shape, _, _) in VARIABLES.items()},
}
"""Every input. `kubeconfig` is the file's content, where the flag names a file."""

SECRETS = tuple(name for name, shape in INPUTS.items() if shape is Shape.SECRET)
_ROLLBACK = frozenset(
    {
        *("target", "config", "env", "namespace", "context", "container", "to", "rollback-timeout", "crash-budget"),
        *("verify-http", "report", "junit", "dotenv", "trace", "verbose", "quiet"),
    }
)
COMMANDS: Mapping[str, frozenset[str]] = {"deploy": frozenset(FLAGS) - {"to"}, "rollback": _ROLLBACK}
"""What the action does, and the flags that each of its commands takes."""

_FLAG = re.compile(r"--(?:no-)?([a-z]+(?:-[a-z]+)*)(?![\w=-])")
"""One of kdeploy's flags in a sentence; those of kubectl's commands have their value after "="."""
_BUILD = ("build-context", "dockerfile", "build-arg", "platform", "builder", "tag", "push-image")
_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The inputs that were given, by name, none of them empty; white space at their ends is gone."""

    given: Mapping[str, str]

    @property
    def command(self) -> str:
        """What is to be done: one of `COMMANDS`."""
        return self.given.get(COMMAND, "deploy")

    @property
    def variables(self) -> dict[str, str]:
        """The variables that the command gets besides its arguments."""
        return {VARIABLES[name][1]: text for name, text in self.given.items() if name in VARIABLES}

    def arguments(self, kubeconfig: str = "") -> list[str]:
        """The command line, the program's name left out. `kubeconfig`: the file that holds it, "" for none."""
        given = {"report": REPORT, **self.given}
        flags = [word for name, text in given.items() if name in FLAGS for word in _flag(name, text)]
        target = [self.given["target"]] if "target" in self.given else []
        return [self.command, *flags, *([f"--kubeconfig={kubeconfig}"] if kubeconfig else []), "--", *target]


def read_inputs(env: Mapping[str, str], secrets: Mapping[str, str] | None = None, *, has_config: bool) -> Inputs:
    """What `env` gives, and `secrets`, by name. `has_config`: whether a kdeploy.yaml is there, which may name target
    and image.

    Raises ConfigError for an unknown input, a value of the wrong shape, a contradiction, or a missing one.
    """
    named = {key.removeprefix(PREFIX).lower(): text for key, text in env.items() if key.startswith(PREFIX)}
    for name in named:
        if name not in INPUTS:
            raise ConfigError(f'there is no input "{one_line(name, 80)}"', hint=did_you_mean(name, INPUTS))
    named |= secrets or {}
    given = {name: named[name].strip() for name in INPUTS if named.get(name, "").strip()}
    for name, text in given.items():
        _check(name, text)
    inputs = Inputs(given=given)
    _refuse_foreign(inputs)
    _refuse_contradictions(given)
    if not has_config and "config" not in given:
        _refuse_missing(inputs)
    return inputs


def files(env: Mapping[str, str]) -> Flags:
    """The files that are to be written, for a run that ends before its inputs are understood."""
    given = {name: env.get(f"{PREFIX}{name.upper()}", "").strip() for name in FILES}
    named: dict[str, Any] = {name: text for name, text in given.items() if len(text.splitlines()) == 1}
    return replace(Flags(report=REPORT), **named)


def as_inputs(report: Report, kubeconfig: str = "") -> Report:
    """`report` for somebody who gave inputs: its hint says which of them a flag is. `kubeconfig`: the file that holds
    that input, "" for none.
    """
    what = "the input kubeconfig"
    message, hint = (
        text.replace(f"the kubeconfig {kubeconfig}", what).replace(kubeconfig, what) if kubeconfig else text
        for text in (report.message, report.hint)
    )
    told = f"{message} {hint}" if report.outcome is Outcome.USAGE else hint  # a build's own message has others' flags
    names = [name for name in dict.fromkeys(_FLAG.findall(told)) if name in INPUTS]
    if names:
        hint = f"{hint} (in the action: the input{'s' * (len(names) > 1)} {' and '.join(names)})".strip()
    return replace(report, message=message, hint=hint)


def _check(name: str, text: str) -> None:
    shape = INPUTS[name]
    if shape in (Shape.TEXT, Shape.SWITCH) and len(text.splitlines()) > 1:
        raise ConfigError(f"the input {name} has several lines", hint=f"{name} takes {shape.value}")
    if shape is Shape.SWITCH and text.lower() not in _TRUTHS:
        raise ConfigError(f'the input {name} is "{one_line(text, 40)}"', hint=f"{name} takes {shape.value}")


def _flag(name: str, text: str) -> list[str]:
    if name == "target":
        return []
    if FLAGS[name] is Shape.LINES:
        return [f"--{name}={line.strip()}" for line in text.splitlines() if line.strip()]
    if FLAGS[name] is Shape.TEXT:
        return [f"--{name}={text}"]
    if _TRUTHS[text.lower()]:
        return [f"--{name}"]
    return ["--no-rollback"] if name == "rollback" else []


def _refuse_foreign(inputs: Inputs) -> None:
    command = inputs.command
    if command not in COMMANDS:
        raise ConfigError(f'there is no command "{one_line(command, 40)}"', hint=f"it is {' or '.join(COMMANDS)}")
    for name in inputs.given:
        if name in FLAGS and name not in COMMANDS[command]:
            raise ConfigError(f"the command {command} has no input {name}", hint="leave it out")


def _refuse_contradictions(given: Mapping[str, str]) -> None:
    if "image" not in given:
        return
    image = parse(given["image"], what="the input image")
    building = [name for name in _BUILD if name in given]
    if building and (image.tag or image.digest):
        raise ConfigError(
            f"the input image names a finished image, {image}, and {', '.join(building)} how to build one",
            hint="leave those out, or give image without tag and digest",
        )


def _refuse_missing(inputs: Inputs) -> None:
    for name, example in (("target", "deployment/web"), ("image", "ghcr.io/acme/web")):
        if name in COMMANDS[inputs.command] and name not in inputs.given:
            raise ConfigError(
                f"the input {name} is missing, and there is no kdeploy.yaml in the workspace",
                hint=f"give {name}: {example}; or add kdeploy.yaml, and actions/checkout before this step",
            )
