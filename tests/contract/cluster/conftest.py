"""A deployment in a served cluster, and the adapter that looks at it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdeploy.clock import SystemClock
from kdeploy.cluster.client import KubernetesCluster
from kdeploy.cluster.connect import connect
from kdeploy.cluster.kubeconfig import choose_context
from kdeploy.model import Kind, Target
from tests.contract.api_server import ApiServer, eventually, running


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.fixture
def target() -> Target:
    return Target(kind=Kind.DEPLOYMENT, name="web", namespace="shop")


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running() as server:
        fill(server)
        yield server


def fill(server: ApiServer) -> None:
    """A Deployment with one ReplicaSet and two pods in the namespace "shop"."""
    labels = {"app": "web"}
    server.put("namespaces", {"metadata": {"name": "shop"}})
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    server.put("deployments", {"metadata": {"name": "web", "annotations": {"a": "b"}}, "spec": spec})
    server.put("replicasets", {"metadata": {"name": "web-1", "labels": labels}})
    for name in ("web-1-a", "web-1-b"):
        server.put("pods", {"metadata": {"name": name, "labels": labels}})


def kubeconfig(folder: Path, server: str, *, user: dict[str, Any] | None = None, **cluster: Any) -> str:
    """Writes a kubeconfig with the one context "test"; returns its path."""
    content = {
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "current-context": "test",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return str(path)


Connect = Callable[..., KubernetesCluster]


@pytest.fixture
def connected(tmp_path: Path, server: ApiServer, clock: SystemClock) -> Iterator[Connect]:
    """Connects to `server` as a user with these kubeconfig fields. Waits at the end for every thread to go."""
    clusters: list[KubernetesCluster] = []

    def connecting(user: dict[str, Any] | None = None, *, silence: float = 30.0, url: str = "", **c: Any) -> Any:
        path = kubeconfig(tmp_path, url or server.url, user=user, **c)
        context = choose_context(kubeconfig=path, context=None, environ={})
        clusters.append(connect(context, clock, silence=silence))
        return clusters[-1]

    yield connecting
    for cluster in clusters:
        cluster.close()
    server.stop()
    eventually(lambda: not [one for one in threading.enumerate() if one.name.startswith("kdeploy-")])


@pytest.fixture
def cluster(connected: Connect) -> KubernetesCluster:
    return connected()


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


@pytest.fixture
def opened(cluster: KubernetesCluster, server: ApiServer, target: Target) -> KubernetesCluster:
    cluster.open(target, soon())
    eventually(lambda: server.watching() == 3)
    return cluster
