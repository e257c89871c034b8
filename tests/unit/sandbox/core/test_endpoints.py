"""Endpoints: who is behind a Service, by selector and readiness."""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy.model import Kind, Obj
from kdeploy.rollout.objects import labels_of, name_of, status_of
from kdeploy.sandbox.core.resources import ENDPOINTS, PODS, SERVICES
from tests.unit.sandbox.core.world import NAMESPACE, World

PORTS = {"ports": [{"containerPort": 8080, "name": "http"}]}


def service(w: World, **spec: Any) -> Obj:
    shape = {
        "clusterIP": "127.88.0.1",
        "ports": [{"port": 80, "targetPort": "http"}],
        "selector": {"app": "web"},
        **spec,
    }
    return w.create(SERVICES, {"metadata": {"name": "web", "labels": {"team": "a"}}, "spec": shape})


def subsets(w: World) -> list[Obj]:
    found: list[Obj] = w.get(ENDPOINTS, "web")["subsets"]
    return found


def addresses(w: World, kind: str = "addresses") -> list[str]:
    return [each["targetRef"]["name"] for subset in subsets(w) for each in subset.get(kind, [])]


def test_ready_pods_are_addresses_and_others_are_not_ready_ones() -> None:
    w = World(good="ready-after=3s")
    service(w)
    assert subsets(w) == []
    w.workload(replicas=2, container=PORTS)
    names = [name_of(pod) for pod in w.pods()]
    assert (addresses(w), sorted(addresses(w, "notReadyAddresses"))) == ([], sorted(names))
    w.run(3)
    assert (sorted(addresses(w)), addresses(w, "notReadyAddresses")) == (sorted(names), [])
    assert subsets(w)[0]["ports"] == [{"port": 8080, "protocol": "TCP"}]
    assert labels_of(w.get(ENDPOINTS, "web")) == {
        "team": "a",
        "endpoints.kubernetes.io/managed-by": "endpoint-controller",
    }


def test_a_pod_that_is_to_be_deleted_is_left_out_at_once() -> None:
    w = World(good="stop-after=10s")
    service(w)
    w.workload(replicas=2, container=PORTS)
    gone = name_of(w.pods()[0])
    w.store.delete(PODS, NAMESPACE, gone, w.now)
    w.settle()
    assert gone in [name_of(pod) for pod in w.pods()]
    assert gone not in addresses(w)
    assert len(addresses(w)) == 2


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({"port": 80}, {"port": 80, "protocol": "TCP"}),
        ({"port": 80, "targetPort": 9000, "name": "x"}, {"name": "x", "port": 9000, "protocol": "TCP"}),
        ({"port": 80, "targetPort": "http"}, {"port": 8080, "protocol": "TCP"}),
    ],
)
def test_ports_are_found_by_number_or_name(port: Obj, expected: Obj) -> None:
    w = World(good="")
    service(w, ports=[port])
    w.workload(container=PORTS)
    assert subsets(w)[0]["ports"] == [expected]


def test_a_pod_without_the_named_port_is_no_endpoint() -> None:
    w = World(good="")
    service(w, ports=[{"port": 80, "targetPort": "absent"}])
    w.workload(container=PORTS)
    assert subsets(w) == []


def test_unready_addresses_may_be_published() -> None:
    w = World(good="never-ready")
    service(w, publishNotReadyAddresses=True)
    w.workload(container=PORTS)
    assert len(addresses(w)) == 1


def test_a_headless_service_has_hostnames_and_says_what_it_is() -> None:
    w = World(good="")
    service(w, clusterIP="None", ports=[])
    w.workload(Kind.STATEFULSET, replicas=2)
    assert sorted(each["hostname"] for each in subsets(w)[0]["addresses"]) == ["web-0", "web-1"]
    assert "service.kubernetes.io/headless" in labels_of(w.get(ENDPOINTS, "web"))
    assert "ports" not in subsets(w)[0]


def test_a_service_without_a_selector_keeps_what_somebody_wrote() -> None:
    w = World(good="")
    service(w, selector=None)
    mine = w.create(ENDPOINTS, {"metadata": {"name": "web"}, "subsets": [{"addresses": [{"ip": "127.0.0.9"}]}]})
    w.workload(container=PORTS)
    assert w.get(ENDPOINTS, "web") is mine


def test_endpoints_go_with_their_service_and_come_back_when_deleted() -> None:
    w = World(good="")
    service(w)
    w.workload(container=PORTS)
    w.store.delete(ENDPOINTS, NAMESPACE, "web", w.now)
    w.settle()
    assert len(addresses(w)) == 1
    w.store.delete(SERVICES, NAMESPACE, "web", w.now)
    w.settle()
    assert w.store.get(ENDPOINTS, NAMESPACE, "web") is None


def test_a_changed_label_moves_a_pod_out() -> None:
    w = World(good="")
    service(w)
    w.workload(container=PORTS)
    pod = w.pods()[0]
    w.store.replace(PODS, {**pod, "metadata": {**pod["metadata"], "labels": {"app": "debug"}}}, w.now)
    w.settle()
    assert name_of(pod) not in addresses(w)
    assert status_of(w.get(PODS, name_of(pod)))["phase"] == "Running"


def test_a_crash_takes_the_pod_out_and_its_restart_puts_it_back() -> None:
    w = World(good="exit=1 exit-after=5s exits=1")
    service(w)
    w.workload(container=PORTS)
    w.run(5.5)
    assert addresses(w) == []
    w.run(2)
    assert len(addresses(w)) == 1
