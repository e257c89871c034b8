from __future__ import annotations

import pytest

from kdeploy.errors import RefusedError
from kdeploy.model import Obj, Reason
from kdeploy.rollout.containers import choose_containers, strangers


def workload(*containers: str, init: tuple[str, ...] = ()) -> Obj:
    """A Deployment of containers written as "name=image"."""

    def listed(texts: tuple[str, ...]) -> list[dict[str, str]]:
        return [{"name": text.partition("=")[0], "image": text.partition("=")[2]} for text in texts]

    spec = {"containers": listed(containers), "initContainers": listed(init)}
    return {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": spec}}}


@pytest.mark.parametrize(
    ("target", "wanted", "repository", "chosen"),
    [
        (workload("web=ghcr.io/acme/web:1", "log=fluentd"), (), "ghcr.io/acme/web", ("web",)),
        (workload("web=ghcr.io/acme/web@sha256:" + "1" * 64, "log=fluentd"), (), "ghcr.io/acme/web", ("web",)),
        (workload("web=nginx:1", "log=fluentd"), (), "docker.io/library/nginx", ("web",)),
        (workload("web=acme/web:1", init=("up=acme/web:1", "wait=busybox")), (), "acme/web", ("up", "web")),
        (workload("web=placeholder"), (), "ghcr.io/acme/web", ("web",)),
        (workload("web=x", "log=fluentd"), ("log",), "ghcr.io/acme/web", ("log",)),
        (workload("web=ghcr.io/acme/web", "log=y"), ("log", "web"), "ghcr.io/acme/web", ("web", "log")),
        (workload("web=acme/web-extra", "other=acme/web"), (), "acme/web", ("other",)),
    ],
)
def test_the_containers_are_those_named_else_those_of_the_repository_else_the_only_one(
    target: Obj, wanted: tuple[str, ...], repository: str, chosen: tuple[str, ...]
) -> None:
    assert choose_containers(target, wanted, repository) == chosen


def test_a_container_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(RefusedError, match="deployment/web has no container nginx") as refused:
        choose_containers(workload("web=x", init=("up=x",)), ("nginx", "web"), "x")
    assert refused.value.reason is Reason.NOT_FOUND
    assert "up, web" in refused.value.hint


def test_where_it_is_not_clear_the_candidates_are_listed() -> None:
    with pytest.raises(RefusedError, match="not clear which container") as refused:
        choose_containers(workload("web=x:1", "log=y:2"), (), "ghcr.io/acme/web")
    assert refused.value.reason is Reason.AMBIGUOUS
    assert "web (x:1), log (y:2)" in refused.value.hint


@pytest.mark.parametrize(
    ("image", "strange"),
    [
        ("ghcr.io/acme/web:1", False),
        ("ghcr.io/acme/web@sha256:" + "1" * 64, False),
        ("ghcr.io/other/web:1", True),
        ("ghcr.io/acme/web-extra:1", True),
        ("nginx:1.27", True),
        ("", True),
        # mirrors: the whole path, on another registry
        ("registry.example/acme/web:1", False),
        ("registry.example/ghcr.io/acme/web:1", False),
        ("registry.example/big-acme/web:1", True),
        ("ghcr.io/copies/acme/web:1", True),
    ],
)
def test_a_container_with_the_image_of_another_repository_is_a_stranger_and_a_mirror_none(
    image: str, strange: bool
) -> None:
    found = strangers(workload(f"web={image}", "log=fluentd"), ("web",), "ghcr.io/acme/web")
    assert found == ({"web": image} if strange else {})
