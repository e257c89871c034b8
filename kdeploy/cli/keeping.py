"""What a kdeploy.yaml that `kdeploy init` keeps says to the files that are made beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from kdeploy.config.blocks import find_blocks
from kdeploy.config.file import Config, read_config
from kdeploy.config.flags import Flags
from kdeploy.config.settings import Settings, resolve
from kdeploy.errors import ConfigError
from kdeploy.init.guess import SAID, Found, Guess, Value
from kdeploy.text import one_line

_PRODUCTION = ("prod", "production")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What it says of the service that is meant; `settings`: None where it cannot be read, and `problem` says why.

    `service` and `environment`: what a deploy is told beside the file, and why; None where the file alone tells it.
    """

    settings: Settings | None = None
    problem: str = ""
    service: Value | None = None
    environment: Value | None = None

    def fill(self, found: Found, name: str) -> Found:
        """What was found, with what the file called `name` says in the place of guesses."""
        own, why = self.settings, f"from {name}"
        if own is None:
            return replace(found, target=found.target if found.target and "/" in found.target else None)
        if found.target is None or "/" not in found.target:
            found = replace(found, target=str(own.workload), target_why=why)
        if own.image:  # what a pipeline builds and pushes, whatever this run was given
            found = replace(found, image=str(own.image), image_why=why)
        return replace(found, pushed=own.build.push_repository or "")

    def correct(self, guess: Guess, name: str) -> Guess:
        """The guess, with what a deploy is told and which Dockerfile it builds."""
        guess = replace(guess, service=self.service, environment=self.environment)
        if self.settings is None:
            return guess
        built = Value(text=self.settings.build.dockerfile, why=f"from {name}")
        nothing = Value(text="none", why=f"the image in {name} is built elsewhere")
        return replace(guess, dockerfile=built if self.settings.builds else nothing)


def read_kept(path: Path, target: str | None, env: str | None) -> Kept:
    """Reads it for TARGET and --env. Raises ConfigError where one of them has to be named, or is not in the file."""
    try:
        config = read_config(path)
    except ConfigError as error:
        return Kept(problem=error.message)
    flags = Flags(target=(target,) if target else (), env=env)
    service = find_blocks(config, flags).service
    environment = Value(text=env, why=SAID) if env else _environment(config)
    try:
        settings = resolve(config, replace(flags, env=environment.text if environment else None))
    except ConfigError as error:
        return Kept(problem=error.message)
    told = None if service and len(config.services) == 1 else Value(text=service or str(settings.workload), why=SAID)
    return Kept(settings=settings, service=told, environment=environment)


def _environment(config: Config) -> Value | None:
    """The one that a pipeline deploys to; None where the file has none."""
    names = tuple(config.environments)
    production = [name for name in names if name.lower() in _PRODUCTION]
    if len(production) == 1:
        return Value(text=production[0], why="a guess, please check: it is called so")
    if len(names) == 1:
        return Value(text=names[0], why=f"a guess, please check: the only one of {config.source}")
    if names:
        raise ConfigError(
            f"which environment? {config.source} has {len(names)} of them",
            hint=f"name one with --env: {one_line(', '.join(names))}",
        )
    return None
