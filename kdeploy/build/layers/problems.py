"""What is wrong with a Dockerfile, by line: errors for every builder, and what only this one cannot do."""

from __future__ import annotations

from kdeploy.errors import BuildError
from kdeploy.text import one_line

WAY_OUT = "docker buildx does it: --builder buildx, with a Docker engine"


class DockerfileError(BuildError):
    """A Dockerfile that no builder could follow. `line` is 1-based, where the instruction begins."""

    def __init__(self, line: int, problem: str, *, hint: str = "mend the Dockerfile") -> None:
        super().__init__(f"Dockerfile line {line}: {one_line(problem)}", hint=hint)
        self.line = line


class UnsupportedError(DockerfileError):
    """An instruction that is right, and that needs an engine. `instead`: how to do without one, "" for no way."""

    def __init__(self, line: int, problem: str, *, instead: str = "") -> None:
        hint = f"{WAY_OUT}; or {instead}" if instead else WAY_OUT
        super().__init__(line, f"the layers builder cannot do {one_line(problem)}", hint=hint)
        self.instead = instead


def explained(error: DockerfileError, no_engine: str) -> BuildError:
    """The error; where it would take an engine and none is there, for `no_engine`, it says both."""
    if not no_engine or not isinstance(error, UnsupportedError):
        return error
    instead = f"{error.instead}; " if error.instead else ""
    return BuildError(
        f"there is no Docker engine to build with ({no_engine}), and without one: {error.message}",
        hint=f"start Docker, or point DOCKER_HOST at one; {instead}or deploy a built image: --image REPOSITORY:TAG",
        location=error.location,
    )
