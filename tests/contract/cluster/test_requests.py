"""Reads of a real HTTP server that speaks as an API server does: how many, how long, and what is made of answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from kdeploy.cluster import transport
from kdeploy.cluster.client import KubernetesCluster
from kdeploy.errors import ClusterError, UnreachableError
from kdeploy.model import Kind, Reason, Target
from tests.contract.api_server import ApiServer, Reply, eventually, failed
from tests.contract.cluster.conftest import soon

TEST_UID = {"op": "test", "path": "/metadata/uid", "value": "uid-deployments-web"}
SET_IMAGE = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:2"}
MARK = {"op": "add", "path": "/metadata/annotations/kdeploy.dev~1verified", "value": "x"}


def shows(cluster: KubernetesCluster, phase: str) -> bool:
    return phase in [pod.get("phase") for pod in cluster.snapshot().pods]


def test_a_good_deploy_costs_eleven_requests(cluster: KubernetesCluster, server: ApiServer, target: Target) -> None:
    cluster.preflight(target, soon())
    assert cluster.requests == 0
    cluster.open(target, soon())
    cluster.patch([TEST_UID, SET_IMAGE], soon())
    for phase in ("Pending", "Running"):
        server.put("pods", {"metadata": {"name": "web-2-a", "labels": {"app": "web"}}, "phase": phase})
        eventually(partial(shows, cluster, phase))
    cluster.pod_proxy("web-2-a", 80, "http", "/health", {}, 2.0)
    cluster.refresh(soon())
    cluster.patch([TEST_UID, MARK], soon())
    eventually(lambda: server.watching() == 3)
    assert cluster.requests == 11
    assert cluster.silence_probes == 0


def test_the_fresh_read_and_the_mark_at_the_end_open_no_connection_and_start_no_thread(
    cluster: KubernetesCluster, server: ApiServer, target: Target
) -> None:
    cluster.preflight(target, soon())
    with server.lists_together(3):
        cluster.open(target, soon())
    cluster.patch([TEST_UID, SET_IMAGE], soon())
    eventually(lambda: server.watching() == 3)
    connections, threads = server.connections, set(threading.enumerate())
    for _ in range(3):
        cluster.refresh(soon())
    cluster.patch([TEST_UID, MARK], soon())
    assert server.connections == connections
    assert set(threading.enumerate()) <= threads


def test_a_workload_replaced_since_preflight_is_seen_by_its_own_selector(
    cluster: KubernetesCluster, server: ApiServer, target: Target
) -> None:
    cluster.preflight(target, soon())
    selector = {"matchLabels": {"app": "another"}}
    server.put("deployments", {"metadata": {"name": "web", "uid": "another"}, "spec": {"selector": selector}})
    cluster.open(target, soon())
    eventually(lambda: server.watching() == 3)
    assert server.of("LIST pods")[-1].query == {"labelSelector": "app=another"}
    assert server.of("WATCH pods")[0].query["labelSelector"] == "app=another"
    assert cluster.requests == 8


@pytest.mark.parametrize("how", ["stopped", "silent"])
@pytest.mark.parametrize("asked", ["patch", "refresh", "preflight"])
def test_a_dead_server_keeps_nobody_beyond_the_time_allowed(
    opened: KubernetesCluster, server: ApiServer, target: Target, how: str, asked: str
) -> None:
    if how == "stopped":
        server.stop()
    else:
        for name in ("PATCH deployments", "GET deployments", "LIST pods", "LIST replicasets"):
            server.always(name, Reply(hang=True))
    calls: dict[str, Callable[[float], object]] = {
        "patch": lambda until: opened.patch([SET_IMAGE], until),
        "refresh": opened.refresh,
        "preflight": lambda until: opened.preflight(target, until),
    }
    began = time.monotonic()
    with pytest.raises(UnreachableError) as caught:
        calls[asked](began + 0.2)
    assert time.monotonic() - began < 0.7
    assert caught.value.hint


def test_a_read_is_repeated_as_the_server_asks(opened: KubernetesCluster, server: ApiServer) -> None:
    server.answer("LIST pods", failed(429, "TooManyRequests", "busy", Retry_After="0"), failed(503, "X", "starting"))
    assert len(opened.refresh(soon()).pods) == 2
    assert len(server.of("LIST pods")) == 4


def test_a_read_does_not_wait_longer_than_it_may(opened: KubernetesCluster, server: ApiServer) -> None:
    server.always("LIST pods", failed(429, "TooManyRequests", "busy", Retry_After="60"))
    began = time.monotonic()
    with pytest.raises(UnreachableError):
        opened.refresh(began + 0.5)
    assert time.monotonic() - began < 0.7


def test_a_refresh_shows_what_the_streams_have_not_brought(opened: KubernetesCluster, server: ApiServer) -> None:
    server.mute_watches()
    server.put("pods", {"metadata": {"name": "web-1-a", "labels": {"app": "web"}}, "phase": "Running"})
    server.put("pods", {"metadata": {"name": "web-1-c", "labels": {"app": "web"}}})
    server.remove("pods", "web-1-b")
    snapshot = opened.refresh(soon())
    assert {pod["metadata"]["name"]: pod.get("phase") for pod in snapshot.pods} == {
        "web-1-a": "Running",
        "web-1-c": None,
    }
    assert opened.snapshot().pods == snapshot.pods


def test_a_refresh_of_a_deleted_workload_has_none(opened: KubernetesCluster, server: ApiServer) -> None:
    server.mute_watches()
    server.remove("deployments", "web")
    assert opened.refresh(soon()).workload is None


def test_preflight_shows_all_three(cluster: KubernetesCluster, server: ApiServer, target: Target) -> None:
    snapshot = cluster.preflight(target, soon())
    assert snapshot.workload is not None
    assert (len(snapshot.revisions), len(snapshot.pods)) == (1, 2)


@pytest.mark.parametrize("asked", ["preflight", "open"])
def test_a_missing_workload_comes_with_the_command_that_would_create_it(
    cluster: KubernetesCluster, server: ApiServer, asked: str
) -> None:
    with pytest.raises(ClusterError) as caught:
        getattr(cluster, asked)(Target(kind=Kind.DEPLOYMENT, name="wob", namespace="shop"), soon())
    assert caught.value.reason is Reason.NOT_FOUND
    assert "kubectl create deployment wob --image=IMAGE -n shop" in caught.value.hint


@pytest.mark.parametrize("asked", ["preflight", "open"])
def test_a_missing_workload_comes_with_the_one_that_may_be_meant_and_then_the_command(
    cluster: KubernetesCluster, server: ApiServer, asked: str
) -> None:
    server.put("deployments", {"metadata": {"name": "api"}})
    with pytest.raises(ClusterError) as caught:
        getattr(cluster, asked)(Target(kind=Kind.DEPLOYMENT, name="wbe", namespace="shop"), soon())
    assert caught.value.hint.startswith("did you mean deployment/web? ")
    assert "kubectl create deployment wbe --image=IMAGE -n shop" in caught.value.hint
    assert [one.query for one in server.of("LIST deployments")][-1] == {}


@pytest.mark.parametrize("name", ["wbe", "unlike"])
def test_where_nothing_is_near_or_may_be_listed_the_command_stands_alone(
    cluster: KubernetesCluster, server: ApiServer, name: str
) -> None:
    if name == "wbe":
        server.answer("LIST deployments", failed(403, "Forbidden", "no"))
    with pytest.raises(ClusterError) as caught:
        cluster.preflight(Target(kind=Kind.DEPLOYMENT, name=name, namespace="shop"), soon())
    assert caught.value.hint.startswith("kdeploy creates no workloads")
    assert len(server.of("LIST deployments")) == 1


@pytest.mark.parametrize("asked", ["preflight", "open"])
def test_where_another_namespace_than_the_contexts_is_forbidden_both_are_named(
    cluster: KubernetesCluster, server: ApiServer, asked: str
) -> None:
    for request in ("GET deployments", "LIST deployments"):
        server.always(request, failed(403, "Forbidden", "no"))
    with pytest.raises(ClusterError) as caught:
        getattr(cluster, asked)(Target(kind=Kind.DEPLOYMENT, name="web", namespace="shp"), soon())
    assert "in namespace shp" in caught.value.hint
    assert caught.value.hint.endswith("; the context test names the namespace shop")
    with pytest.raises(ClusterError) as caught:
        getattr(cluster, asked)(Target(kind=Kind.DEPLOYMENT, name="web", namespace="shop"), soon())
    assert "the context" not in caught.value.hint


def test_a_missing_namespace_is_said(cluster: KubernetesCluster, server: ApiServer) -> None:
    with pytest.raises(ClusterError, match="no namespace 'shap'") as caught:
        cluster.preflight(Target(kind=Kind.STATEFULSET, name="db", namespace="shap"), soon())
    assert "kubectl create namespace shap" in caught.value.hint
    assert "the context test names the namespace shop" in caught.value.hint


def test_the_revisions_of_a_stateful_set_are_controller_revisions(
    cluster: KubernetesCluster, server: ApiServer
) -> None:
    spec = {"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["db"]}]}}
    server.put("statefulsets", {"metadata": {"name": "db"}, "spec": spec})
    server.put("controllerrevisions", {"metadata": {"name": "db-1"}})
    snapshot = cluster.open(Target(kind=Kind.STATEFULSET, name="db", namespace="shop"), soon())
    assert [one["kind"] for one in snapshot.revisions] == ["ControllerRevision"]
    assert server.of("LIST controllerrevisions")[0].query == {"labelSelector": "app in (db)"}
    cluster.patch_revision("db-1", [{"op": "add", "path": "/metadata/annotations", "value": {}}], soon())
    assert server.of("PATCH controllerrevisions")[0].path.startswith(
        "/apis/apps/v1/namespaces/shop/controllerrevisions/db-1?"
    )


def test_a_pod_is_deleted_only_with_that_uid(opened: KubernetesCluster, server: ApiServer) -> None:
    opened.delete_pod("web-1-a", "another", soon())
    opened.delete_pod("gone", "any", soon())
    assert len(server.of("LIST pods")) == 1
    assert len(opened.refresh(soon()).pods) == 2
    opened.delete_pod("web-1-a", "uid-pods-web-1-a", soon())
    assert len(opened.refresh(soon()).pods) == 1


def test_a_pod_that_may_not_be_deleted_is_an_error(opened: KubernetesCluster, server: ApiServer) -> None:
    server.answer("DELETE pods", failed(403, "Forbidden", "no"))
    with pytest.raises(ClusterError) as caught:
        opened.delete_pod("web-1-a", "uid-pods-web-1-a", soon())
    assert caught.value.hint == "grant: delete pods in namespace shop"


def test_events_are_read_for_three_pods_oldest_first(opened: KubernetesCluster, server: ApiServer) -> None:
    server.put("events", {"metadata": {"name": "late"}, "lastTimestamp": "2026-01-01T00:00:02Z"})
    server.put("events", {"metadata": {"name": "early"}, "lastTimestamp": "2026-01-01T00:00:01Z"})
    events = opened.pod_events(["a", "b", "c", "d"], soon())
    assert [event["metadata"]["name"] for event in events] == ["early"] * 3 + ["late"] * 3
    asked = [one.query["fieldSelector"] for one in server.of("LIST events")]
    assert sorted(asked) == [f"involvedObject.kind=Pod,involvedObject.name={name}" for name in "abc"]


def test_events_and_logs_that_may_not_be_read_are_empty(opened: KubernetesCluster, server: ApiServer) -> None:
    server.answer("LIST events", failed(403, "Forbidden", "no"))
    server.answer("GET pods", failed(400, "BadRequest", "previous terminated container not found"))
    assert opened.pod_events(["web-1-a"], soon()) == ()
    assert opened.log_tail("web-1-a", "web", previous=True, lines=5, until=soon()) == ""


@pytest.mark.parametrize(
    "said",
    [
        "unable to retrieve container logs for containerd://d79228",
        'failed to try resolving symlinks in path "/var/log/pods/a/web/0.log": lstat 0.log: no such file or directory',
    ],
)
def test_a_kubelet_that_has_removed_the_container_has_no_log(
    opened: KubernetesCluster, server: ApiServer, said: str
) -> None:
    server.answer("GET pods", Reply(body=said))
    assert opened.log_tail("web-1-a", "web", previous=True, lines=5, until=soon()) == ""


def test_the_last_lines_of_a_log_are_asked_for_within_bounds(opened: KubernetesCluster, server: ApiServer) -> None:
    assert opened.log_tail("web-1-a", "web", previous=True, lines=5, until=soon()) == "one\ntwo\n"
    asked = server.of("GET pods")[0].query
    assert asked == {"container": "web", "tailLines": "5", "limitBytes": "65536", "previous": "true"}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body="<html>log in</html>"),
        Reply(status=302, headers={"Location": "https://login/"}, body=""),
        Reply(body=[]),
    ],
    ids=["a page", "a redirect", "a list"],
)
def test_what_is_no_api_server_is_said_to_be_none(
    cluster: KubernetesCluster, server: ApiServer, target: Target, reply: Reply
) -> None:
    server.answer("GET deployments", reply)
    with pytest.raises(ClusterError, match="does not look like a Kubernetes API server"):
        cluster.preflight(target, soon())


def test_an_answer_without_end_is_cut_off(
    cluster: KubernetesCluster, server: ApiServer, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_BODY", 1000)
    server.answer("GET deployments", Reply(body="x" * 5000))
    with pytest.raises(ClusterError, match="larger than"):
        cluster.preflight(target, soon())


def test_hostile_text_of_the_server_is_cleaned(opened: KubernetesCluster, server: ApiServer) -> None:
    server.answer("PATCH deployments", failed(404, "NotFound", "gone\x1b[31m\n::error::x" + "y" * 5000))
    with pytest.raises(ClusterError) as caught:
        opened.patch([SET_IMAGE], soon())
    assert "\x1b" not in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 500


def test_a_request_without_time_is_not_sent(opened: KubernetesCluster, server: ApiServer) -> None:
    sent: int = opened.requests
    with pytest.raises(UnreachableError):
        opened.patch([SET_IMAGE], soon(-1))
    assert opened.requests == sent


def test_the_url_and_the_upgrade_credentials_are_the_servers(connected: Any, server: ApiServer) -> None:
    cluster = connected({"token": "s3cret"})
    upgrade = cluster.credentials_for_upgrade()
    assert cluster.url == upgrade.server == server.url
    assert upgrade.headers == (("Authorization", "Bearer s3cret"),)
    assert "s3cret" not in repr(upgrade)
