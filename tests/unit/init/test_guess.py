from __future__ import annotations

from typing import Any

import pytest

from kdeploy.errors import ConfigError
from kdeploy.init.dockerfile import Dockerfile, read_hints
from kdeploy.init.guess import Found, Guess, guess
from kdeploy.init.images import of_remote
from kdeploy.model import Kind, Obj

REMOTE = "https://github.com/Acme/Web_Shop"


def workload(name: str, *images: str, kind: str = "Deployment", **container: Any) -> Obj:
    containers = [
        {"name": f"c{number}" if number else name, "image": image, **container} for number, image in enumerate(images)
    ]
    return {"kind": kind, "metadata": {"name": name}, "spec": {"template": {"spec": {"containers": containers}}}}


def guessed(**found: Any) -> Guess:
    usual: dict[str, Any] = {"name": "Web_Shop", "remote": REMOTE, "namespace": "shop", "namespace_why": "as you said"}
    return guess(Found(**usual | found))


@pytest.mark.parametrize(
    ("remote", "image"),
    [
        ("https://github.com/Acme/Web", "ghcr.io/acme/web"),
        ("https://gitlab.com/Group/Sub/Proj.x", "registry.gitlab.com/group/sub/proj.x"),
        ("https://github.com/acme/we%20b--", "ghcr.io/acme/we-20b"),
        ("https://git.acme.example/team/web", ""),
        ("https://github.com.evil.example/acme/web", ""),
        ("https://github.com/acme", ""),
        ("", ""),
    ],
)
def test_the_hosts_own_registry_is_known_for_two_hosts(remote: str, image: str) -> None:
    assert of_remote(remote) == image


MATCHING = workload("shop", "ghcr.io/acme/web_shop:1")
NAMED_IMAGE = workload("front", "other.example/team/web_shop:1")
NAMED = workload("web-shop", "nginx")
OTHER = workload("db", "postgres", kind="StatefulSet")


@pytest.mark.parametrize(
    ("workloads", "target", "why"),
    [
        ((OTHER, NAMED, NAMED_IMAGE, MATCHING), "deployment/shop", "runs this repository's image"),
        ((OTHER, NAMED, NAMED_IMAGE), "deployment/front", "image is named like"),
        ((OTHER, NAMED), "deployment/web-shop", "it is named like the repository"),
        ((OTHER,), "statefulset/db", "please check: it is the only one in namespace shop"),
        (
            (OTHER, workload("a", "nginx")),
            "deployment/web-shop",
            "a placeholder: there are statefulset/db, deployment/a",
        ),
        ((), "deployment/web-shop", "namespace shop has no workload"),
    ],
)
def test_the_workload_is_the_one_that_fits_best(workloads: tuple[Obj, ...], target: str, why: str) -> None:
    found = guessed(workloads=workloads)
    assert found.target.text == target
    assert why in found.target.why
    assert found.target.sure is ("placeholder" not in why and "no workload" not in why)


def test_what_the_person_says_goes_before_all() -> None:
    found = guessed(workloads=(MATCHING, OTHER), target="sts/db", image="reg.example/db")
    assert (found.target.text, found.kind, found.image.text) == ("statefulset/db", Kind.STATEFULSET, "reg.example/db")
    assert "not in namespace shop yet" in guessed(target="deploy/new").target.why
    assert guessed(target="deploy/new", blind="no cluster").target.why == "as you said"


@pytest.mark.parametrize("given", [{"target": "pod/web"}, {"target": "web"}, {"image": "UPPER"}])
def test_what_cannot_be_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        guessed(**given)


def test_without_a_known_remote_the_workloads_own_image_counts_and_else_a_placeholder() -> None:
    elsewhere = {"remote": "https://git.acme.example/web_shop"}
    assert guessed(**elsewhere, workloads=(NAMED_IMAGE,)).image.text == "other.example/team/web_shop"
    official = guessed(**elsewhere, workloads=(NAMED,)).image
    assert (official.text, official.sure) == ("registry.example.com/team/web_shop", False)
    assert "a placeholder" in official.why


@pytest.mark.parametrize("name", ["", "!!!", "Ünï cödé", "a" * 400, "$(rm -rf)\n", "-x-", "x/y"])
def test_every_name_of_a_repository_gives_a_target_and_an_image_that_are_valid(name: str) -> None:
    found = guessed(name=name, remote="")
    assert guessed(target=found.target.text, image=found.image.text).image.text == found.image.text


PROBE: dict[str, Any] = {"readinessProbe": {"httpGet": {"path": "/ready", "port": "http", "scheme": "HTTPS"}}}


def test_the_readiness_probe_becomes_the_check() -> None:
    check = guessed(workloads=(workload("web-shop", "ghcr.io/acme/web_shop", **PROBE),)).check
    assert (check.path, check.port, check.scheme) == ("/ready", "http", "https")


@pytest.mark.parametrize("path", ["/a b", "/x\ny", "/../../secrets", '/"', "/\x1b[31m"])
def test_a_probes_path_that_is_odd_is_passed_over(path: str) -> None:
    probe: dict[str, Any] = {"readinessProbe": {"httpGet": {"path": path, "port": 80}}}
    assert guessed(workloads=(workload("web-shop", "x", **probe),)).check.path == ""


def test_the_dockerfile_is_asked_where_no_probe_tells() -> None:
    dockerfile = read_hints(
        "Dockerfile",
        "FROM a\nEXPOSE 1\nFROM b\nEXPOSE 8080/tcp 9000/udp $PORT 99999\n# HEALTHCHECK no\n"
        "HEALTHCHECK --interval=5s \\\n"
        "  CMD curl -f http://localhost:8080/healthz || exit 1\n",
    )
    assert dockerfile == Dockerfile(path="Dockerfile", ports=(8080,), health="/healthz", health_port=8080)
    check = guessed(dockerfiles=(dockerfile,)).check
    assert (check.path, check.port) == ("/healthz", 8080)


@pytest.mark.parametrize(
    "text",
    [
        "HEALTHCHECK NONE",
        "HEALTHCHECK CMD curl https://example.com/x",
        "HEALTHCHECK CMD curl localhost/$X",
        "HEALTHCHECK CMD wget http://localhost:$PORT/health",
        "EXPOSE",
        "\x00\xff",
        "",
    ],
)
def test_what_a_dockerfile_does_not_tell_is_not_made_up(text: str) -> None:
    assert read_hints("Dockerfile", text) == Dockerfile(path="Dockerfile")


@pytest.mark.parametrize(
    ("path", "build"),
    [
        ("Dockerfile", None),
        ("web/Dockerfile", ("web", "Dockerfile")),
        ("docker/Dockerfile", (".", "docker/Dockerfile")),
        ("web/docker/Dockerfile.prod", ("web", "docker/Dockerfile.prod")),
        ("Dockerfile.prod", (".", "Dockerfile.prod")),
    ],
)
def test_the_context_is_the_folder_that_the_dockerfile_is_for(path: str, build: tuple[str, str] | None) -> None:
    found = guessed(dockerfiles=(Dockerfile(path=path), Dockerfile(path="a/deep/one/Dockerfile")))
    assert (found.build and (found.build.context, found.build.dockerfile)) == build
    assert "the others are a/deep/one/Dockerfile" in found.dockerfile.why


@pytest.mark.parametrize(
    ("target", "paths", "chosen", "why"),
    [
        ("deployment/web", ("api/Dockerfile", "web/Dockerfile"), "web/Dockerfile", "named like the target"),
        ("deployment/db", ("api/Dockerfile", "Web_Shop/Dockerfile"), "Web_Shop/Dockerfile", "named like the target or"),
        ("deployment/web", ("api.Dockerfile", "web.Dockerfile"), "web.Dockerfile", "named like the target"),
        ("deployment/web", ("api/Dockerfile", "services/web/Dockerfile"), "services/web/Dockerfile", "named like"),
        ("deployment/web", ("web/Dockerfile", "web/Dockerfile.dev", "a/Dockerfile"), "web/Dockerfile", "named like"),
        ("deployment/web", ("Dockerfile", "web/Dockerfile"), "Dockerfile", "the one at the top; the others are web/"),
        ("deployment/x", ("api/Dockerfile", "tests/e2e/Dockerfile"), "api/Dockerfile", "a guess, please check"),
        ("deployment/x", ("docker/Dockerfile", "api/Dockerfile"), "docker/Dockerfile", "a guess, please check"),
    ],
)
def test_of_several_dockerfiles_the_one_that_is_named_like_the_target_goes_before_the_nearest(
    target: str, paths: tuple[str, ...], chosen: str, why: str
) -> None:
    found = guessed(target=target, dockerfiles=tuple(Dockerfile(path=path) for path in paths))
    assert (found.dockerfile.text, found.dockerfile.sure, found.choices) == (chosen, True, ())
    assert why in found.dockerfile.why
    assert found.build is None or found.build.why.startswith(found.dockerfile.why.split(";")[0])


@pytest.mark.parametrize(
    ("target", "paths"),
    [
        ("deployment/x", ("api/Dockerfile", "web/Dockerfile")),
        ("deployment/x", ("api/Dockerfile", "web/Dockerfile.prod")),
        ("deployment/x", ("Dockerfile.dev", "Dockerfile.prod")),
        ("deployment/web", ("web/Dockerfile.a", "web/Dockerfile.b")),
        ("deployment/web", ("web/Dockerfile", "web_shop/Dockerfile")),
    ],
)
def test_of_several_that_are_equally_near_none_is_taken(target: str, paths: tuple[str, ...]) -> None:
    dockerfiles = tuple(Dockerfile(path=path, health="/h", ports=(80,)) for path in paths)
    found = guessed(target=target, dockerfiles=dockerfiles)
    assert (found.build, found.dockerfile.text, found.dockerfile.sure) == (None, "none chosen", False)
    assert found.dockerfile.why == f"a placeholder: nothing tells which of {', '.join(paths)} builds it"
    assert len(found.choices) == len(paths)
    assert (found.check.path, found.check.port) == ("", None)


def test_a_container_is_named_only_where_the_image_tells_none_of_several() -> None:
    assert guessed(workloads=(workload("web-shop", "nginx", "envoy"),)).containers == ("web-shop",)
    assert guessed(workloads=(workload("web-shop", "nginx"),)).containers == ()
    assert guessed(workloads=(workload("web-shop", "ghcr.io/acme/web_shop", "envoy"),)).containers == ()


def test_every_guess_is_told_on_a_line_of_its_own() -> None:
    lines = guessed(workloads=(workload("web-shop", "nginx\n::error::x", "envoy"),)).lines()
    assert [line.partition(":")[0] for line in lines] == [
        "target", "namespace", "image", "dockerfile", "containers", "check",
    ]  # fmt: skip
    assert not any("\n" in line for line in lines)


def test_why_no_cluster_was_looked_at_is_not_written_down() -> None:
    found = guessed(blind="the plugin said s3cr3t")
    assert found.target.why == "a placeholder: no cluster was looked at"
    assert "s3cr3t" not in "".join(found.lines())
