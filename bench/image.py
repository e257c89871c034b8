"""The container image: what a registry holds of it, and how soon it is at work after `docker run`."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.audit import received
from bench.numbers import Measure, Of, Row, Target, Unit
from bench.rig import Rig
from bench.workload import Workload
from tests.image.build import Docker, ensure, push
from tests.image.runner import Job

MEGABYTE = 1e6
WHOLE = "the whole image"


def measure_image(workload: Workload, runs: int) -> list[Measure]:
    """Builds the image, pushes it, and starts it `runs` times each way."""
    rig = workload.rig
    docker = Docker(rig.cluster)
    image = ensure(rig.cluster, print)
    parts = push(docker, rig.cluster.registry, image)
    versions = {
        "docker CLI": _version(docker, image, "docker", "--version"),
        "buildx": _version(docker, image, "docker", "buildx", "version"),
        "git": _version(docker, image, "git", "--version"),
    }
    job = _job(rig, image)
    _first_byte(workload, job)  # once for the disk
    told, asked = [], []
    for _ in range(runs):
        started = time.monotonic()
        docker("run", "--rm", image, "--version")
        told.append(time.monotonic() - started)
        asked.append(_first_byte(workload, job))
    return [size_table(parts, versions), start_table(told, asked)]


def size_table(parts: Mapping[str, int], versions: Mapping[str, str]) -> Measure:
    """The page's table of sizes, the largest part first."""
    sizes = {name: size / MEGABYTE for name, size in sorted(parts.items(), key=lambda part: -part[1])}
    rows = [Row(what=name, unit=Unit.MEGABYTES, values=(size,)) for name, size in sizes.items()]
    limit = Target(limit=120, of=Of.MAXIMUM)
    whole = Row(what=WHOLE, unit=Unit.MEGABYTES, values=(sum(sizes.values()),), target=limit)
    inside = ", ".join(f"{name} {version}" for name, version in versions.items())
    return Measure(
        title="Size of the image",
        note="The layers as a registry holds them, compressed by gzip: the sizes that the pushed manifest names. 1 MB "
        f"is 1,000,000 bytes. Inside are {inside}. The base is not python:slim, which cannot be pulled here, but "
        "Debian 12 by debootstrap, without documentation and translations, with Debian's own Python: "
        "[tests/image/base.py](../tests/image/base.py).",
        rows=(*rows, whole),
    )


def start_table(told: Sequence[float], asked: Sequence[float]) -> Measure:
    """The page's table of starts."""
    return Measure(
        title="Start of the image",
        note="The image is on the machine. The first API request is that of the action, run as GitHub's runner runs it "
        "([tests/image/runner.py](../tests/image/runner.py)): from just before the start of `docker run` to the moment "
        "at which the API server, by its audit log, has received the first request.",
        rows=(
            Row(what="`docker run IMAGE --version`, to its end", unit=Unit.SECONDS, values=tuple(told)),
            Row(
                what="`docker run` to the first API request",
                unit=Unit.SECONDS,
                values=tuple(asked),
                target=Target(limit=2.0),
            ),
        ),
    )


def _job(rig: Rig, image: str) -> Job:
    folder = rig.folder / "runner"
    (folder / "workspace").mkdir(parents=True)
    socket = Path(rig.cluster.docker_host.removeprefix("unix://"))
    workspace = folder / "workspace"
    return Job(
        folder=folder, workspace=workspace, image=image, docker_host=rig.cluster.docker_host, docker_socket=socket
    )


def _first_byte(workload: Workload, job: Job) -> float:
    """Seconds until the API server has the action's first request."""
    cluster = workload.rig.cluster
    inputs = {
        "kubeconfig": cluster.kubeconfig.read_text(),
        "target": "deployment/web",
        "namespace": workload.name,
        "image": workload.rig.sleeping(),
        "dry_run": "true",
    }
    started = time.time()
    ended = job.run(**inputs)
    if ended.code:
        raise RuntimeError(f"the action failed:\n{ended.log}")
    return min(map(received, cluster.requests("kdeploy", since=started))) - started


def _version(docker: Docker, image: str, *words: str) -> str:
    told = docker("run", "--rm", "--entrypoint", "", image, *words)
    found = re.search(r"\d+(?:\.\d+)+", told)
    return found[0] if found else "of a version that it does not tell"
