"""Which engine builds: buildx where it works, else the docker SDK where an engine answers, else none is needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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
    """The engine that `name` asks for: "buildx", "classic", or "auto" (also ""), which takes the first that works.

    `layers` makes the builder that needs none, told why there is none; "auto" ends there. Raises ConfigError for
    another name, BuildError where there is no such engine.
    """
    check_name(name)
    problem = ""
    if name != "classic":
        problem = buildx_problem(env, run)
        if not problem:
            return BuildxBuilder(find=find, hide=hide, env=env)
        if name == "buildx":
            raise BuildError(f"docker buildx cannot be used: {problem}", hint=_WAYS_OUT)
    try:
        client = connect()
    except TimeoutError:
        client = None
    if client is None and name == "classic":
        raise BuildError("there is no Docker engine to build with", hint=_WAYS_OUT)
    if client is None:
        return layers(problem)
    return ClassicBuilder(client=client, find=find, hide=hide)


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
    return "no Docker engine answers"


def _driver(text: str) -> str:
    lines = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for name, _, value in lines if name == "Driver"), "")
