"""Which health check a workload's readiness probe, or a Dockerfile, suggests. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kdeploy.init.dockerfile import Dockerfile
from kdeploy.model import Obj
from kdeploy.reference import same_repository
from kdeploy.rollout.template import template_of

_PATH = re.compile(r"/[\w./~%?&=+:@,;!$'()*-]*")
_LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckGuess:
    """An http check; `path` is "" where nothing suggests one, `port` None where kdeploy finds it by itself."""

    path: str = ""
    port: int | str | None = None
    scheme: str = "http"
    why: str

    @property
    def shown(self) -> str:
        """For a person."""
        if not self.path:
            return "none"
        return f"{self.scheme} {f':{self.port}' if self.port else ''}{self.path}"


def guess_check(workload: Obj | None, dockerfile: Dockerfile | None, image: str) -> CheckGuess:
    """The readiness probe's path and port, else those of HEALTHCHECK."""
    for container in _own(workload, image) if workload else ():
        probe = (container.get("readinessProbe") or {}).get("httpGet") or {}
        path = f"/{str(probe.get('path') or '/').lstrip('/')}"
        if probe and _PATH.fullmatch(path) and ".." not in path:
            scheme = "https" if probe.get("scheme") == "HTTPS" else "http"
            why = f"the readiness probe of container {container.get('name')}"
            return CheckGuess(path=path, port=_port(probe.get("port")), scheme=scheme, why=why)
    port = dockerfile.ports[0] if dockerfile and len(dockerfile.ports) == 1 and not workload else None
    if dockerfile and dockerfile.health:
        return CheckGuess(
            path=dockerfile.health, port=dockerfile.health_port or port, why="the Dockerfile's HEALTHCHECK"
        )
    asked = "neither a readiness probe nor HEALTHCHECK" if workload else "no HEALTHCHECK"
    return CheckGuess(port=port, why=f"{asked} tells a path; without a check, verified means complete and available")


def _own(workload: Obj, image: str) -> list[Obj]:
    """The containers, those that run the image first."""
    containers = template_of(workload)["spec"].get("containers") or ()
    return sorted(containers, key=lambda one: not same_repository(str(one.get("image", "")), image))


def _port(port: object) -> int | str | None:
    if isinstance(port, int) and not isinstance(port, bool) and 0 < port <= _LARGEST_PORT:
        return port
    return port if isinstance(port, str) and re.fullmatch(r"[a-z0-9-]{1,15}", port) else None
