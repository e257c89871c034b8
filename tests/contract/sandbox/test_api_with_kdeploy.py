"""kdeploy's own client on the sandbox's API server, with the sandbox's controllers behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kdeploy.clock import SystemClock
from kdeploy.cluster.client import KubernetesCluster
from kdeploy.cluster.connect import connect
from kdeploy.cluster.kubeconfig import choose_context
from kdeploy.errors import ClusterError, PatchConflictError
from kdeploy.model import Kind, Obj, Snapshot, Target
from kdeploy.ports import Changed
from kdeploy.rollout import marks
from kdeploy.rollout.assess import assess, expect, is_settled_by_status
from kdeploy.rollout.patch import deploy_patch, restore_patch, verified_patch
from kdeploy.rollout.template import template_of
from tests.contract.api_server import eventually
from tests.contract.cluster.conftest import kubeconfig
from tests.contract.sandbox.api_world import TOKEN, World, cluster_world

WEB = Target(kind=Kind.DEPLOYMENT, name="web", namespace="shop")


@pytest.fixture
def served() -> Iterator[World]:
    with cluster_world() as served:
        yield served


Connect = Callable[..., KubernetesCluster]


@pytest.fixture
def connected(served: World, tmp_path: Path) -> Iterator[Connect]:
    clusters: list[KubernetesCluster] = []

    def connecting(token: str = TOKEN) -> KubernetesCluster:
        path = kubeconfig(tmp_path, served.url, user={"token": token})
        context = choose_context(kubeconfig=path, context=None, environ={})
        clusters.append(connect(context, SystemClock(), silence=30.0))
        return clusters[-1]

    yield connecting
    for cluster in clusters:
        cluster.close()
    eventually(lambda: not [one for one in threading.enumerate() if one.name.startswith("kdeploy-")])


@pytest.fixture
def cluster(served: World, connected: Connect) -> KubernetesCluster:
    served.apply(deployment())
    return connected()


def deployment(image: str = "web:1", replicas: int = 2) -> dict[str, Any]:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": "web", "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def soon() -> float:
    return time.monotonic() + 10


def images(snapshot: Snapshot) -> set[str]:
    return {pod["spec"]["containers"][0]["image"] for pod in snapshot.pods}


def _image(revision: Obj) -> str:
    return str(template_of(revision)["spec"]["containers"][0]["image"])


def test_a_target_is_found_and_may_be_patched(cluster: KubernetesCluster) -> None:
    snapshot = cluster.preflight(WEB, soon())
    assert snapshot.workload is not None
    assert is_settled_by_status(snapshot.workload)
    assert (len(snapshot.revisions), len(snapshot.pods)) == (1, 2)
    assert [one["kind"] for one in (*snapshot.revisions, *snapshot.pods)] == ["ReplicaSet", "Pod", "Pod"]


def test_a_deploy_is_watched_to_its_end(cluster: KubernetesCluster) -> None:
    before = cluster.open(WEB, soon())
    assert before.workload is not None
    sent = cluster.patch(deploy_patch(before.workload, ["web"], "web:2", {marks.DEPLOY_ID: "1"}), soon())
    assert sent["metadata"]["generation"] == 2
    assert cluster.next(soon()) == Changed()
    eventually(lambda: images(cluster.snapshot()) == {"web:2"})
    eventually(lambda: is_settled_by_status(cluster.snapshot().workload or {}))
    eventually(lambda: {"web:1", "web:2"} == {_image(one) for one in cluster.snapshot().revisions})
    assert cluster.requests == 7  # three lists, three watches, one patch


def test_the_same_patch_is_refused_a_second_time(cluster: KubernetesCluster) -> None:
    before = cluster.open(WEB, soon())
    assert before.workload is not None
    patch = deploy_patch(before.workload, ["web"], "web:2", {marks.DEPLOY_ID: "1"})
    cluster.patch(patch, soon())
    with pytest.raises(PatchConflictError) as refused:
        cluster.patch(patch, soon())
    assert refused.value.status == 422


def test_a_dry_run_changes_nothing(cluster: KubernetesCluster) -> None:
    before = cluster.open(WEB, soon())
    assert before.workload is not None
    patch = deploy_patch(before.workload, ["web"], "web:2", {marks.DEPLOY_ID: "1"})
    assert template_of(cluster.patch(patch, soon(), dry_run=True))["spec"]["containers"][0]["image"] == "web:2"
    assert images(cluster.refresh(soon())) == {"web:1"}


def test_a_version_is_verified_and_restored_with_its_marks(served: World, cluster: KubernetesCluster) -> None:
    first = cluster.open(WEB, soon()).workload
    assert first is not None
    marked = cluster.patch(verified_patch(first), soon())
    assert marked["metadata"]["generation"] == 2
    eventually(lambda: (cluster.snapshot().workload or {})["status"].get("observedGeneration") == 2)
    latest = cluster.refresh(soon()).workload
    assert latest is not None
    cluster.patch(deploy_patch(latest, ["web"], "web:2", {marks.DEPLOY_ID: "2"}), soon())
    eventually(lambda: images(cluster.snapshot()) == {"web:2"})
    now = cluster.refresh(soon()).workload
    assert now is not None
    cluster.patch(restore_patch(now, template_of(first), {marks.VERIFIED: "x"}), soon())
    eventually(lambda: images(cluster.snapshot()) == {"web:1"})


def test_the_streams_go_on_after_the_server_ended_them(served: World, cluster: KubernetesCluster) -> None:
    cluster.open(WEB, soon())
    served.end_watches()
    served.apply(deployment(image="web:3"))
    eventually(lambda: images(cluster.snapshot()) == {"web:3"})


def test_an_expired_watch_lists_again(connected: Connect, served: World) -> None:
    served.apply(deployment())
    cluster = connected()
    cluster.open(WEB, soon())
    served.forget()
    served.apply(deployment(image="web:3"))
    eventually(lambda: images(cluster.snapshot()) == {"web:3"}, within=10)


def test_a_pod_is_deleted_by_its_uid_and_its_log_and_events_are_read(cluster: KubernetesCluster) -> None:
    pod = cluster.open(WEB, soon()).pods[0]
    name = pod["metadata"]["name"]
    cluster.delete_pod(name, "another", soon())
    assert name in {one["metadata"]["name"] for one in cluster.refresh(soon()).pods}
    assert {event["reason"] for event in cluster.pod_events([name], soon())} >= {"Scheduled", "Started"}
    assert "simulated" in cluster.log_tail(name, "web", previous=False, lines=5, until=soon())
    assert cluster.log_tail(name, "web", previous=True, lines=5, until=soon()) == ""
    cluster.delete_pod(name, pod["metadata"]["uid"], soon())
    eventually(lambda: name not in {one["metadata"]["name"] for one in cluster.snapshot().pods})


def test_a_pod_is_reached_through_the_proxy(cluster: KubernetesCluster) -> None:
    pod = cluster.open(WEB, soon()).pods[0]["metadata"]["name"]
    assert cluster.pod_proxy(pod, 8080, "http", "/health", {}, 5).status == 200
    gone = cluster.pod_proxy("nope", 8080, "http", "/health", {}, 5)
    assert (gone.status, gone.is_proxy_error) == (404, True)


def test_what_is_not_there_and_who_is_not_let_in_is_told_apart(connected: Connect) -> None:
    with pytest.raises(ClusterError, match=r"there is no deployment/web in namespace 'shop'"):
        connected().preflight(WEB, soon())
    with pytest.raises(ClusterError, match="there is no namespace 'nowhere'"):
        connected().preflight(Target(kind=Kind.DEPLOYMENT, name="web", namespace="nowhere"), soon())
    with pytest.raises(ClusterError) as refused:
        connected(token="other").preflight(WEB, soon())
    assert refused.value.status == 401


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_workload_is_judged_complete(served: World, connected: Connect, kind: Kind) -> None:
    spec = {**deployment()["spec"], **({"serviceName": "web"} if kind is Kind.STATEFULSET else {})}
    if kind is Kind.DAEMONSET:
        del spec["replicas"]
    served.apply({**deployment(), "kind": kind.value, "spec": spec})
    cluster, target = connected(), Target(kind=kind, name="web", namespace="shop")
    before = cluster.open(target, soon())
    assert before.workload is not None
    sent = cluster.patch(deploy_patch(before.workload, ["web"], "web:2", {marks.DEPLOY_ID: "1"}), soon())
    expected = expect(sent, crash_budget=0)
    eventually(lambda: assess(cluster.snapshot(), expected).passed, within=10)
    assert images(cluster.refresh(soon())) == {"web:2"}
