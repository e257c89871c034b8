"""Which engine builds: buildx where it works, else the docker SDK where an engine answers, else none is needed."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import docker
import requests
from docker.errors import DockerException

from kdeploy.bounded import bounded
from kdeploy.build.buildx import BuildxBuilder
from kdeploy.build.classic import ClassicBuilder
from kdeploy.build.credentials import docker_folder
from kdeploy.build.engine import Find, Hide, check_name
from kdeploy.errors import BuildError
from kdeploy.ports import Builder
from kdeploy.process import NOT_FOUND, Run, run
from kdeploy.text import one_line

PATIENCE = 10.0
"""Seconds for one answer of the engine."""

_ENGINELESS_DRIVERS = frozenset({"remote", "kubernetes", "cloud"})
_WAYS_OUT = (
    "start Docker, or point DOCKER_HOST at one; without RUN, --builder layers needs none; or deploy a built image:"
    " --image REPOSITORY:TAG or @DIGEST"
)

Connect = Callable[[], docker.APIClient | None]
"""Gives a client of the Docker engine; None (or TimeoutError) where none answers."""


def connect(env: Mapping[str, str] | None = None, timeout: float = PATIENCE) -> docker.APIClient | None:
    """A client for the engine that the docker command would ask: DOCKER_HOST, else the current context's.

    None where it has not answered within `timeout` seconds.
    """

    def open_client() -> docker.APIClient:
        client = docker.from_env(environment=dict(env) if env is not None else None, timeout=math.ceil(timeout)).api
        if env is not None:  # the SDK looks for its logins by this process's environment
            client.reload_config(str(docker_folder(env) / "config.json"))
        client.ping()
        return client

    try:
        return bounded(open_client, timeout)
    except (DockerException, requests.RequestException, OSError, ValueError):
        return None


def engine_info(client: docker.APIClient | None, timeout: float = PATIENCE) -> Mapping[str, Any]:
    """What the engine tells of itself (`docker info`); empty where it does not, within `timeout` seconds."""
    if client is None:
        return {}
    try:
        info: object = bounded(client.info, timeout)
    except (DockerException, requests.RequestException, OSError):
        return {}
    return info if isinstance(info, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An engine: "buildx", "classic" or "layers"; and why each one that goes before it cannot be used.

    `client` speaks to the Docker engine where it was chosen for that.
    """

    engine: str
    problems: Mapping[str, str] = field(default_factory=dict)
    client: docker.APIClient | None = None

    @property
    def no_engine(self) -> str:
        """Why no engine builds; "" where one does, or where none was asked for."""
        return "; ".join(dict.fromkeys(self.problems.values())) if self.engine == "layers" else ""


def choose(name: str, *, connect: Connect, env: Mapping[str, str] | None = None, run: Run = run) -> Choice:
    """The engine that `name` asks for: one of CHOICES; "auto" (also "") takes the first that works.

    "auto" ends at "layers", which needs no engine. Raises ConfigError for another name, BuildError where there is no
    such engine.
    """
    check_name(name)
    if name == "layers":
        return Choice(engine="layers")
    problems = {}
    if name != "classic":
        problem = buildx_problem(env, run)
        if not problem:
            return Choice(engine="buildx")
        if name == "buildx":
            raise BuildError(f"docker buildx cannot be used: {problem}", hint=_WAYS_OUT)
        problems["buildx"] = problem
    try:
        client = connect()
    except TimeoutError:
        client = None
    if client is not None:
        return Choice(engine="classic", problems=problems, client=client)
    if name == "classic":
        raise BuildError("there is no Docker engine to build with", hint=_WAYS_OUT)
    return Choice(engine="layers", problems=problems | {"classic": _no_answer(env)})


def select(
    name: str,
    *,
    connect: Connect,
    find: Find,
    layers: Callable[[str], Builder],
    hide: Hide = str,
    env: Mapping[str, str] | None = None,
    run: Run = run,
) -> Builder:
    """The builder that `choose` chooses. `layers` makes the one that needs no engine, told why there is none.

    Raises ConfigError, BuildError.
    """
    choice = choose(name, connect=connect, env=env, run=run)
    if choice.engine == "buildx":
        return BuildxBuilder(find=find, hide=hide, env=env)
    if choice.client is not None:
        return ClassicBuilder(client=choice.client, find=find, hide=hide)
    return layers(choice.no_engine)


def buildx_problem(env: Mapping[str, str] | None, run: Run) -> str:
    """Why buildx cannot be used; "" where it can. Some of its drivers need no Docker engine on this side."""
    try:
        buildx = run(["docker", "buildx", "version"], env=env, timeout=20)
        if buildx.code:
            return "there is no docker command" if buildx.code == NOT_FOUND else "docker has no buildx plugin"
        if run(["docker", "version", "--format", "{{.Server.Version}}"], env=env, timeout=20).code == 0:
            return ""
        builder = run(["docker", "buildx", "inspect"], env=env, timeout=20)
    except TimeoutError as error:
        return one_line(str(error))
    if builder.code == 0 and _driver(builder.text) in _ENGINELESS_DRIVERS:
        return ""
    return _no_answer(env)


def _no_answer(env: Mapping[str, str] | None) -> str:
    """With the address, where a variable gives it: a wrong one is the likeliest cause."""
    host = (os.environ if env is None else env).get("DOCKER_HOST", "")
    at = f" at {one_line(re.sub(r'//[^/@]*@', '//', host), 100)}, as DOCKER_HOST says" if host else ""
    return f"no Docker engine answers{at}"


def _driver(text: str) -> str:
    lines = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for name, _, value in lines if name == "Driver"), "")
