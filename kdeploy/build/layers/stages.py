"""The stages of a Dockerfile, and which of them an image is made of. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kdeploy.build.layers.draft import Draft
from kdeploy.build.layers.instructions import Arg, Instruction, Refused
from kdeploy.build.layers.lines import Line, read_lines
from kdeploy.build.layers.parse import flags_of, parse_instruction
from kdeploy.build.layers.platforms import Platform
from kdeploy.build.layers.problems import DockerfileError
from kdeploy.build.layers.words import WordError, expand
from kdeploy.config.nearest import did_you_mean
from kdeploy.errors import BuildError
from kdeploy.text import one_line

SCRATCH = "scratch"
_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What begins with a FROM. `base` is unexpanded, as is `platform`; `name` is in lower case, "" for none."""

    line: Line
    base: str
    platform: str = ""
    name: str = ""
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A whole Dockerfile; `arguments` are those before the first FROM."""

    escape: str
    arguments: tuple[Arg, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What the wanted image is made of: the base ("scratch" for none) and its platform, then the stages in their order.

    `platform` is what the first FROM asks for, else the build's own. `shared` are the global arguments.
    """

    base: str
    platform: Platform | str
    stages: tuple[Stage, ...]
    shared: Mapping[str, str]
    escape: str

    @property
    def line(self) -> Line:
        """The FROM that names the base."""
        return self.stages[0].line

    def draft(self, config: Mapping[str, Any], triggers: Sequence[str], given: Mapping[str, str]) -> Draft:
        """Applies the instructions to a base image's configuration; `triggers` are its ONBUILD instructions.

        Raises DockerfileError, and UnsupportedError for what takes an engine.
        """
        draft = Draft(config=dict(config), given=given, shared=self.shared, escape=self.escape)
        for trigger in _triggered(triggers, self.line):
            trigger.apply(draft)
        for stage in self.stages:
            draft.has_cmd = False
            for instruction in stage.instructions:
                instruction.apply(draft)
        return draft


def read_dockerfile(content: bytes) -> Dockerfile:
    """Raises DockerfileError for what no builder would take."""
    text = read_lines(content)
    arguments: list[Arg] = []
    stages: list[Stage] = []
    for line in text.lines:
        if line.keyword == "FROM":
            stages.append(_stage(line))
            continue
        instruction = parse_instruction(line, text.escape)
        if stages:
            stages[-1] = replace(stages[-1], instructions=(*stages[-1].instructions, instruction))
        elif isinstance(instruction, Arg):
            arguments.append(instruction)
        else:
            raise DockerfileError(line.number, f"{line.keyword} stands before the first FROM")
    if not stages:
        raise DockerfileError(1, "there is no FROM")
    return Dockerfile(escape=text.escape, arguments=tuple(arguments), stages=tuple(stages))


def choose(
    dockerfile: Dockerfile, target: str, given: Mapping[str, str], *, platform: Platform, machine: Platform
) -> Recipe:
    """The recipe of the stage `target`, a name or a number; "" is the last one.

    `given` are the build arguments, `platform` what is built for and `machine` what is built on. Raises BuildError.
    """
    at: int | None = _target(dockerfile.stages, target)
    shared = _shared(dockerfile, {**_platform_arguments(platform, machine), "TARGETSTAGE": target or "default"}, given)
    chain: list[Stage] = []
    base = ""
    while at is not None:
        stage = dockerfile.stages[at]
        chain.insert(0, stage)
        base = _expand(stage.base, shared, stage.line, dockerfile.escape)
        if not base:
            raise DockerfileError(stage.line.number, f"{stage.line} names no image: a variable in it is empty")
        at = _before(dockerfile.stages, at, base)
    _refuse_early(chain)
    first = chain[0]
    asked = _expand(first.platform, shared, first.line, dockerfile.escape)
    return Recipe(base=base, platform=asked or platform, stages=tuple(chain), shared=shared, escape=dockerfile.escape)


def _refuse_early(stages: Sequence[Stage]) -> None:
    """What takes an engine in any case is said before anything is asked of a registry."""
    for stage in stages:
        for instruction in stage.instructions:
            if isinstance(instruction, Refused):
                raise instruction.error


def _stage(line: Line) -> Stage:
    platform = flags_of(line, {"--platform": True}).get("--platform", "")
    words = line.rest.split()
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
        raise DockerfileError(line.number, f"{line} is neither FROM IMAGE nor FROM IMAGE AS NAME")
    name = words[2].lower() if len(words) == 3 else ""
    if name and not _STAGE_NAME.fullmatch(name):
        raise DockerfileError(line.number, f"{line}: {name} is no name for a stage")
    return Stage(line=line, base=words[0], platform=platform, name=name)


def _target(stages: Sequence[Stage], target: str) -> int:
    if not target:
        return len(stages) - 1
    named = _before(stages, len(stages), target.lower())
    if named is not None:
        return named
    if target.isascii() and target.isdigit() and int(target) < len(stages):
        return int(target)
    raise BuildError(
        f'the Dockerfile has no stage "{one_line(target, 60)}"',
        hint=did_you_mean(target, [stage.name for stage in stages if stage.name]),
    )


def _before(stages: Sequence[Stage], at: int, name: str) -> int | None:
    """The last stage before `at` that has this name; None where the name means an image."""
    return next((index for index in range(at - 1, -1, -1) if stages[index].name == name != ""), None)


def _shared(dockerfile: Dockerfile, known: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The global arguments: each sees those before it."""
    shared = {name: given.get(name, value) for name, value in known.items()}
    for argument in dockerfile.arguments:
        for name, default in argument.pairs:
            if name in given:
                shared[name] = given[name]
            elif default is not None:
                shared[name] = _expand(default, shared, argument.line, dockerfile.escape)
    return shared


def _platform_arguments(platform: Platform, machine: Platform) -> dict[str, str]:
    """https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope."""
    return {
        f"{prefix}{name}": value
        for prefix, of in (("TARGET", platform), ("BUILD", machine))
        for name, value in (
            ("PLATFORM", str(of)),
            ("OS", of.os),
            ("ARCH", of.architecture),
            ("VARIANT", of.variant),
        )
    }


def _expand(text: str, variables: Mapping[str, str], line: Line, escape: str) -> str:
    try:
        return expand(text, variables, escape)
    except WordError as error:
        raise DockerfileError(line.number, f"{line}: {error}") from None


def _triggered(triggers: Sequence[str], line: Line) -> list[Instruction]:
    """A base image's ONBUILD instructions, as if they stood in the line of FROM."""
    found: list[Instruction] = []
    for trigger in triggers:
        text = read_lines(trigger.encode())
        found += [parse_instruction(replace(each, number=line.number), text.escape) for each in text.lines]
    return found
