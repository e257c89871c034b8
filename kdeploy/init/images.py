"""Which image a repository's remote means. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from kdeploy.errors import ConfigError
from kdeploy.model import Obj
from kdeploy.reference import DOCKER_HUB, Reference, check_repository, derive_repository, parse, same_repository
from kdeploy.rollout.objects import all_containers
from kdeploy.rollout.template import template_of

_REGISTRIES = {"github.com": "ghcr.io", "gitlab.com": "registry.gitlab.com"}
PLACEHOLDER = "registry.example.com/team"


def of_remote(remote: str) -> str:
    """The repository in the host's own registry: "ghcr.io/acme/web" for https://github.com/Acme/Web; "" for none."""
    parts = urlsplit(remote)
    registry = _REGISTRIES.get((parts.hostname or "").removeprefix("www."))
    path = parts.path.strip("/")
    return _valid(derive_repository(f"{registry}/{path}")) if registry and "/" in path else ""


def is_gitlabs(image: str, remote: str) -> bool:
    """Whether `image` lies in the registry of the GitLab that has the repository: the one its job's token is for.

    A self-managed one has it at registry.HOST or at HOST:PORT:
    https://docs.gitlab.com/administration/packages/container_registry/
    """
    domain, host = parse(image).domain, (urlsplit(remote).hostname or "").removeprefix("www.")
    if host in ("", *_REGISTRIES):  # one of github.com has its pipeline in a mirror
        return domain == _REGISTRIES["gitlab.com"]
    name, _, port = domain.partition(":")
    return name == f"registry.{host}" or (name == host and port != "")


def placeholder(name: str) -> str:
    """A name for the person to replace."""
    return _valid(derive_repository(f"{PLACEHOLDER}/{name}")) or f"{PLACEHOLDER}/app"


def container_images(workload: Obj) -> tuple[tuple[str, Reference], ...]:
    """Each container with its image, as far as that is one."""
    found = []
    for _, container in all_containers(template_of(workload)):
        try:
            found.append((str(container["name"]), parse(str(container.get("image", "")))))
        except ConfigError:
            continue
    return tuple(found)


def is_own(image: Reference) -> bool:
    """Whether it may be a team's own image: not one of Docker's official ones."""
    return not (image.domain == DOCKER_HUB and image.path.startswith("library/"))


def runs(workload: Obj, repository: str) -> bool:
    """Whether one of the workload's containers runs an image of that repository."""
    return any(same_repository(str(image), repository) for _, image in container_images(workload))


def runs_named(workload: Obj, names: Sequence[str]) -> bool:
    """Whether one of its images is called so, in whatever registry."""
    return any(is_own(image) and image.path.rpartition("/")[2] in names for _, image in container_images(workload))


def _valid(name: str) -> str:
    try:
        return check_repository(name)
    except ConfigError:
        return ""
