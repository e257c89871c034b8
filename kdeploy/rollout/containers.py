"""The containers of the workload: which of them run this image, and the secrets that they are given in plain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdeploy.errors import RefusedError
from kdeploy.model import Obj, Reason
from kdeploy.reference import same_repository
from kdeploy.rollout.objects import all_containers
from kdeploy.rollout.template import template_of
from kdeploy.secret import Secret, is_secret


def env_secrets(workload: Obj) -> Iterator[Secret]:
    """The secrets that stand in the pod template in plain, as values of variables: a pod's log may show them."""
    template = workload["spec"].get("template")
    for _, container in all_containers(template) if template else ():
        for variable in container.get("env") or ():
            name, value = str(variable.get("name", "")), str(variable.get("value") or "")
            if is_secret(name, value):
                yield Secret(value)


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


def _title(workload: Obj) -> str:
    return f"{str(workload['kind']).lower()}/{workload['metadata']['name']}"
