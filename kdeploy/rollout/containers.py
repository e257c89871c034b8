"""The containers of the workload: which of them run this image, and the secrets that they are given in plain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kdeploy.errors import ConfigError, RefusedError
from kdeploy.model import Obj, Reason
from kdeploy.reference import parse, same_repository
from kdeploy.rollout.objects import all_containers
from kdeploy.rollout.template import template_of
from kdeploy.secret import Secret, is_secret, passwords_in


def env_secrets(obj: Obj) -> Iterator[Secret]:
    """The secrets that stand in a workload's, revision's or pod's variables in plain: a pod's log may show them.

    What is a part of its name, namespace or images is none: outputs must go on naming those.
    """
    spec, metadata = _pod_spec(obj), obj.get("metadata") or {}
    containers = [one for _, one in all_containers({"spec": spec})]
    own = [str(metadata.get("name")), str(metadata.get("namespace")), *(str(one.get("image")) for one in containers)]
    for variable in (variable for container in containers for variable in container.get("env") or ()):
        name, value = str(variable.get("name", "")), str(variable.get("value") or "")
        for secret in (value if is_secret(name, value) else "", *passwords_in(value)):
            if secret and not any(secret in text for text in own):
                yield Secret(secret)


def _pod_spec(obj: Obj) -> Obj:
    """Of a pod, of what has a template of pods, and of a ControllerRevision, which has that in `data`."""
    data = obj.get("data")
    spec: Obj = (data if isinstance(data, Mapping) and "spec" in data else obj).get("spec") or {}
    template = spec.get("template")
    return (template.get("spec") or {}) if template else spec


def choose_containers(workload: Obj, wanted: Sequence[str], repository: str) -> tuple[str, ...]:
    """The names of the containers to point at the image, init containers included.

    Those `wanted`; else all whose image is of `repository`; else the only one there is. Raises RefusedError (NotFound,
    Ambiguous) with the candidates where that names none.
    """
    present = [(str(c["name"]), str(c.get("image", ""))) for _, c in all_containers(template_of(workload))]
    names = [name for name, _ in present]
    if wanted:
        missing = [name for name in wanted if name not in names]
        if missing:
            raise RefusedError(
                f"{_title(workload)} has no container {', '.join(missing)}",
                hint=f"its containers are {', '.join(names)}: name one of them with --container",
                reason=Reason.NOT_FOUND,
            )
        return tuple(name for name in names if name in wanted)
    matching = tuple(name for name, image in present if same_repository(image, repository))
    if matching:
        return matching
    if len(present) == 1:
        return (names[0],)
    candidates = ", ".join(f"{name} ({image})" for name, image in present)
    raise RefusedError(
        f"it is not clear which container of {_title(workload)} runs {repository}",
        hint=f"say it with --container; the candidates are {candidates}",
        reason=Reason.AMBIGUOUS,
    )


def strangers(workload: Obj, chosen: Sequence[str], repository: str) -> dict[str, str]:
    """Those of the chosen containers that run an image of another repository, each with that image: is it a slip?"""
    images = {str(c["name"]): str(c.get("image", "")) for _, c in all_containers(template_of(workload))}
    return {name: images[name] for name in chosen if not _is_of(images[name], repository)}


def _is_of(image: str, repository: str) -> bool:
    """Whether it is of that repository, by its own name or by that of a mirror: another registry, whose path ends with
    the whole path of what it mirrors.
    """
    try:
        one, other = parse(image), parse(repository)
    except ConfigError:
        return False
    if one.domain == other.domain:
        return one.path == other.path
    short, long = sorted((one.path, other.path), key=len)
    return f"/{long}".endswith(f"/{short}")


def _title(workload: Obj) -> str:
    return f"{str(workload['kind']).lower()}/{workload['metadata']['name']}"
