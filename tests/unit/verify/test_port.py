from __future__ import annotations

from typing import Any

import pytest

from kdeploy.errors import RefusedError
from kdeploy.model import HttpCheck, Obj, Reason
from kdeploy.verify.port import choose_port

CHECK = HttpCheck(name="health", path="/health")


def port(number: int, name: str = "", protocol: str | None = None) -> dict[str, Any]:
    return {"containerPort": number} | ({"name": name} if name else {}) | ({"protocol": protocol} if protocol else {})


def web(*ports: dict[str, Any], probe: dict[str, Any] | None = None, name: str = "web") -> dict[str, Any]:
    return {"name": name, "ports": list(ports)} | ({"readinessProbe": probe} if probe else {})


def template(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = ()) -> Obj:
    return {"spec": {"containers": list(containers), "initContainers": list(init)}}


def chosen(pod: Obj, wanted: int | str | None = None) -> int:
    return choose_port(pod, ("web",), HttpCheck(name="health", path="/health", port=wanted))


def test_the_checks_own_number_goes_first_declared_or_not() -> None:
    assert chosen(template(web(port(8080))), 9000) == 9000


def test_the_checks_own_name_is_looked_up_in_the_whole_pod() -> None:
    sidecar = web(port(15020, "status"), name="proxy")
    assert chosen(template(web(port(8080, "http")), sidecar), "status") == 15020
    assert chosen(template(web(port(8080, "http")), init=(sidecar,)), "status") == 15020


@pytest.mark.parametrize("handler", ["httpGet", "tcpSocket"])
@pytest.mark.parametrize("asked", [8081, "admin", "8081"])
def test_the_readiness_probes_port_goes_before_the_containers(handler: str, asked: int | str) -> None:
    pod = template(web(port(8080, "http"), port(8081, "admin"), probe={handler: {"port": asked}}))
    assert chosen(pod) == 8081


def test_a_probe_that_runs_a_command_leaves_the_only_container_port() -> None:
    assert chosen(template(web(port(8080), probe={"exec": {"command": ["true"]}}))) == 8080


def test_other_containers_and_other_protocols_do_not_count() -> None:
    sidecar = web(port(9090), probe={"httpGet": {"port": 9090}}, name="proxy")
    assert chosen(template(web(port(8080), port(53, "dns", "UDP")), sidecar)) == 8080


def test_the_same_probe_port_in_two_containers_is_no_ambiguity() -> None:
    pod = template(web(probe={"httpGet": {"port": 80}}), web(probe={"httpGet": {"port": 80}}, name="other"))
    assert choose_port(pod, ("web", "other"), CHECK) == 80


@pytest.mark.parametrize(
    ("pod", "wanted", "reason", "said"),
    [
        (template(web(port(80, "http"), port(81))), None, Reason.AMBIGUOUS, "the pod's ports: 80 (http), 81"),
        (template(web()), None, Reason.NOT_FOUND, "the service's containers declare none; the pod's ports: none"),
        (template(web(port(80))), "admin", Reason.NOT_FOUND, "no port of the pod is named 'admin'"),
        ({}, None, Reason.NOT_FOUND, "the pod's ports: none"),
    ],
)
def test_an_unclear_port_is_refused_with_the_candidates(
    pod: Obj, wanted: str | None, reason: Reason, said: str
) -> None:
    with pytest.raises(RefusedError, match="which port to ask is unclear") as caught:
        chosen(pod, wanted)
    assert said in caught.value.message
    assert caught.value.reason is reason
    assert caught.value.hint
