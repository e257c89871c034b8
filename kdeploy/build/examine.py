"""Looks at what a build would need, and builds nothing."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path

from kdeploy.build.buildx import hidden_args
from kdeploy.build.layers.making import read_recipe
from kdeploy.build.layers.platforms import machine_platform
from kdeploy.build.layers.problems import DockerfileError, UnsupportedError, explained
from kdeploy.build.select import PATIENCE, Choice, choose, connect
from kdeploy.clock import Deadline
from kdeploy.config.settings import BuildOptions
from kdeploy.errors import BuildError
from kdeploy.process import within


def choose_engine(name: str, env: Mapping[str, str], deadline: Deadline) -> Choice:
    """See `select.choose`; all that it asks ends by `deadline`."""
    return choose(name, connect=lambda: connect(env, deadline.remaining(PATIENCE)), env=env, run=within(deadline))


def refuse_unbuildable(options: BuildOptions, engine: str, env: Mapping[str, str], no_engine: str = "") -> None:
    """Raises BuildError for what the builder without an engine cannot follow, by the line of the Dockerfile, and
    ConfigError for an argument that buildx cannot be given in secret.

    `no_engine`: why none is there, where that is why this builder was chosen.
    """
    if engine == "buildx":
        hidden_args(dict(options.args), options.secrets, env)
    if engine == "layers":
        _follow(options, no_engine)


def needs_engine(options: BuildOptions) -> str:
    """Why no builder but an engine's can build this; "" where none is needed, and where there is no Dockerfile."""
    if not Path(options.dockerfile).is_file():
        return ""
    try:
        _follow(options)
    except UnsupportedError as error:
        return f"{options.dockerfile} line {error.line} takes one"
    except BuildError as error:
        return error.message
    return ""


def _follow(options: BuildOptions, no_engine: str = "") -> None:
    try:
        read_recipe(
            options.dockerfile,
            target=options.target,
            args=dict(options.args),
            secrets=options.secrets,
            platforms=options.platforms,
            machine=machine_platform(platform.machine()),
        )
    except DockerfileError as error:
        raise explained(error, no_engine) from error
