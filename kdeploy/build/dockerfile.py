"""The Dockerfile that is to be built, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kdeploy.build.plan import refuse_changes
from kdeploy.build.source import Source, is_checkout
from kdeploy.config.settings import BuildOptions
from kdeploy.errors import ConfigError

NAME_IT = "name it with --dockerfile, or by build in kdeploy.yaml (where kdeploy init left several lines, choose one)"
"""What helps where there is no Dockerfile at the place that is looked at."""


def read_dockerfile(options: BuildOptions, source: Source, env: Mapping[str, str]) -> bytes:
    """The Dockerfile of what may be built. Raises ConfigError where there is none, BuildError where the source has
    changed files and CI=true.
    """
    if env.get("CI", "").lower() in ("true", "1"):
        refuse_changes(source)
    try:
        return Path(options.dockerfile).read_bytes()
    except OSError as error:
        nothing = _nothing_there(options.context)
        first = (
            "put actions/checkout before this step" if env.get("GITHUB_ACTIONS") else "check the repository out first"
        )
        ways = f"{NAME_IT}, or deploy a built image: --image REPOSITORY:TAG"
        raise ConfigError(
            f"the Dockerfile {options.dockerfile} cannot be read: {error.strerror}{nothing}",
            hint=f"{first}, or {ways}" if nothing else ways,
        ) from error


def _nothing_there(context: str) -> str:
    """What is odd about the folder as a whole: a pipeline without a checkout finds no file of it."""
    try:
        if not any(Path(context).iterdir()):
            return f"; the build context {context} is empty"
    except OSError:
        return ""
    return "" if is_checkout(context) else f"; the build context {context} is no git checkout"
