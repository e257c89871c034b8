from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from kdeploy.cluster import stream
from kdeploy.cluster.client import KubernetesCluster
from kdeploy.model import Snapshot, Target
from kdeploy.ports import Changed, Reconnected
from tests.contract.api_server import DROP, END, ApiServer, Reply, eventually, failed, status_body

WATCHES = ["WATCH deployments", "WATCH pods", "WATCH replicasets"]


@pytest.fixture
def opened(cluster: KubernetesCluster, server: ApiServer, target: Target) -> KubernetesCluster:
    cluster.open(target, time.monotonic() + 5)
    eventually(lambda: server.watching() == 3)
    return cluster


def phases(snapshot: Snapshot) -> dict[str, Any]:
    return {pod["metadata"]["name"]: pod.get("phase") for pod in snapshot.pods}


def change(server: ApiServer, phase: str, name: str = "web-1-a") -> str:
    """Somebody changes a pod; its new resourceVersion."""
    changed = server.put("pods", {"metadata": {"name": name, "labels": {"app": "web"}}, "phase": phase})
    return str(changed["metadata"]["resourceVersion"])


def test_the_lists_come_first_and_each_watch_goes_on_from_its_list(
    opened: KubernetesCluster, server: ApiServer
) -> None:
    assert server.names()[0] == "LIST deployments"
    assert sorted(server.names()[1:3]) == ["LIST pods", "LIST replicasets"]
    assert sorted(server.names()[3:]) == WATCHES
    assert server.of("LIST deployments")[0].query == {"fieldSelector": "metadata.name=web"}
    assert server.of("LIST pods")[0].query == {"labelSelector": "app=web"}
    watch = server.of("WATCH pods")[0].query
    assert watch["labelSelector"] == "app=web"
    assert watch["resourceVersion"] == "105"
    assert watch["allowWatchBookmarks"] == "true"
    assert int(watch["timeoutSeconds"]) >= 600
    assert opened.requests == 6


def test_the_first_snapshot_shows_all_three_with_kind_and_version(opened: KubernetesCluster, server: ApiServer) -> None:
    snapshot = opened.snapshot()
    assert snapshot.workload is not None
    assert (snapshot.workload["kind"], snapshot.workload["apiVersion"]) == ("Deployment", "apps/v1")
    assert [one["kind"] for one in (*snapshot.revisions, *snapshot.pods)] == ["ReplicaSet", "Pod", "Pod"]


def test_a_change_is_a_notice_and_stands_in_the_snapshot(opened: KubernetesCluster, server: ApiServer) -> None:
    before = opened.snapshot()
    change(server, "Running")
    assert opened.next(time.monotonic() + 3) == Changed()
    assert phases(opened.snapshot()) == {"web-1-a": "Running", "web-1-b": None}
    assert phases(before) == {"web-1-a": None, "web-1-b": None}
    server.remove("pods", "web-1-b")
    assert opened.next(time.monotonic() + 3) == Changed()
    assert phases(opened.snapshot()) == {"web-1-a": "Running"}


def test_nothing_new_is_none_when_the_time_has_come(opened: KubernetesCluster) -> None:
    began = time.monotonic()
    assert opened.next(began + 0.05) is None
    assert 0.05 <= time.monotonic() - began < 0.5


def test_an_unchanged_snapshot_hands_out_the_same_tuples(opened: KubernetesCluster) -> None:
    assert opened.snapshot().pods is opened.snapshot().pods


def test_a_watch_that_ends_goes_on_after_its_last_event(opened: KubernetesCluster, server: ApiServer) -> None:
    version = change(server, "Running")
    eventually(lambda: phases(opened.snapshot())["web-1-a"] == "Running")
    server.end_watches()
    change(server, "Failed")
    eventually(lambda: phases(opened.snapshot())["web-1-a"] == "Failed")
    assert server.of("WATCH pods")[1].query["resourceVersion"] == version
    assert len(server.of("LIST pods")) == 1


def test_a_bookmark_moves_where_the_watch_goes_on(opened: KubernetesCluster, server: ApiServer) -> None:
    version = server.bookmark("pods")
    change(server, "Running", "web-1-b")
    server.end_watches()
    eventually(lambda: len(server.of("WATCH pods")) == 2)
    assert int(server.of("WATCH pods")[1].query["resourceVersion"]) >= int(version)
    server.end_watches()


def test_a_bookmark_alone_is_no_notice(opened: KubernetesCluster, server: ApiServer) -> None:
    version = server.bookmark("pods")
    assert opened.next(time.monotonic() + 0.1) is None
    server.end_watches()
    eventually(lambda: len(server.of("WATCH pods")) == 2)
    assert server.of("WATCH pods")[1].query["resourceVersion"] == version


def test_a_connection_lost_in_the_middle_of_a_line_resumes_after_the_last_whole_event(
    opened: KubernetesCluster, server: ApiServer
) -> None:
    version = change(server, "Running")
    eventually(lambda: phases(opened.snapshot())["web-1-a"] == "Running")
    server.end_watches(how=DROP)
    change(server, "Failed")
    eventually(lambda: phases(opened.snapshot())["web-1-a"] == "Failed")
    assert server.of("WATCH pods")[1].query["resourceVersion"] == version
    assert len(server.of("LIST pods")) == 1


@pytest.mark.parametrize(
    "expired",
    [
        failed(410, "Expired", "too old resource version"),
        Reply(stream=({"type": "ERROR", "object": status_body(410, "Expired", "too old resource version")}, END)),
    ],
    ids=["as an answer", "as an event"],
)
def test_an_expired_watch_lists_again(opened: KubernetesCluster, server: ApiServer, expired: Reply) -> None:
    server.answer("WATCH pods", expired)
    server.end_watches()
    eventually(lambda: len(server.of("LIST pods")) == 2 and len(server.of("WATCH pods")) == 3)
    change(server, "Running")
    eventually(lambda: phases(opened.snapshot())["web-1-a"] == "Running")
    assert len(server.of("LIST replicasets")) == 1


def test_an_expired_watch_that_expires_again_does_not_spin(opened: KubernetesCluster, server: ApiServer) -> None:
    server.always("WATCH pods", failed(410, "Expired", "too old resource version"))
    server.end_watches()
    time.sleep(0.3)
    assert len(server.of("LIST pods")) < 6


def test_a_busy_server_is_asked_again_where_the_watch_was(opened: KubernetesCluster, server: ApiServer) -> None:
    server.answer("WATCH pods", failed(429, "TooManyRequests", "busy", Retry_After="0"))
    server.end_watches()
    eventually(lambda: len(server.of("WATCH pods")) == 3)
    assert len(server.of("LIST pods")) == 1
    change(server, "Running")
    eventually(lambda: phases(opened.snapshot())["web-1-a"] == "Running")


def test_a_broken_server_is_listed_again_when_it_is_back(opened: KubernetesCluster, server: ApiServer) -> None:
    server.answer("WATCH pods", failed(500, "InternalError", "boom"), failed(503, "ServiceUnavailable", "not yet"))
    server.end_watches()
    change(server, "Running")
    eventually(lambda: phases(opened.snapshot())["web-1-a"] == "Running")
    assert len(server.of("LIST pods")) >= 2


@pytest.mark.parametrize(
    "line",
    [b"no json at all\n", b"[" * 100_000 + b"\n", b'{"type":"ADDED"}\n', b"\xff\xfe\n", b"7\n"],
    ids=["no JSON", "too deep", "no object", "no UTF-8", "a number"],
)
def test_a_line_that_makes_no_sense_lists_again(opened: KubernetesCluster, server: ApiServer, line: bytes) -> None:
    server.answer("WATCH pods", Reply(stream=(line, END)))
    server.end_watches()
    change(server, "Running")
    eventually(lambda: phases(opened.snapshot())["web-1-a"] == "Running")
    assert len(server.of("LIST pods")) == 2


def test_a_line_without_end_is_cut_off(
    opened: KubernetesCluster, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MAX_LINE", 1000)
    server.answer("WATCH pods", Reply(stream=(*([b"x" * 900] * 3), END)))
    server.end_watches()
    eventually(lambda: len(server.of("LIST pods")) == 2)


def test_a_watch_that_is_forbidden_names_the_permission(opened: KubernetesCluster, server: ApiServer) -> None:
    server.answer("WATCH pods", failed(403, "Forbidden", "pods is forbidden"))
    server.end_watches()
    notice = opened.next(time.monotonic() + 3)
    assert isinstance(notice, Reconnected)
    assert "grant: watch pods in namespace shop" in notice.message


def test_streams_that_are_dead_without_a_word_are_found_by_one_read(
    connected: Any, server: ApiServer, target: Target
) -> None:
    cluster = connected(silence=0.1)
    cluster.open(target, time.monotonic() + 5)
    eventually(lambda: server.watching() == 3)
    server.mute_watches()
    spec = cluster.snapshot().workload["spec"]
    changed = server.put("deployments", {"metadata": {"name": "web"}, "spec": spec, "status": {"now": 1}})
    change(server, "Running")
    assert cluster.next(time.monotonic() + 2) == Changed()
    assert cluster.snapshot().workload["metadata"]["resourceVersion"] == changed["metadata"]["resourceVersion"]
    eventually(lambda: phases(cluster.snapshot())["web-1-a"] == "Running")
    assert cluster.silence_probes >= 1
    assert len(server.of("LIST pods")) == 1


def test_quiet_streams_are_left_alone_and_cost_one_read_each_time(
    connected: Any, server: ApiServer, target: Target
) -> None:
    cluster = connected(silence=0.05)
    cluster.open(target, time.monotonic() + 5)
    assert cluster.next(time.monotonic() + 0.3) is None
    assert cluster.requests == 6
    assert 3 <= cluster.silence_probes <= 7
    assert cluster.silence_probes == len(server.of("GET deployments"))


def test_a_server_that_is_away_is_told_once_and_once_when_it_is_back(
    connected: Any, server: ApiServer, target: Target
) -> None:
    cluster = connected(silence=0.1)
    cluster.open(target, time.monotonic() + 5)
    eventually(lambda: server.watching() == 3)
    server.stop()
    gone = cluster.next(time.monotonic() + 3)
    assert isinstance(gone, Reconnected)
    assert "does not answer" in gone.message
    assert cluster.next(time.monotonic() + 0.4) is None
    change(server, "Running")
    server.start_again()
    told: list[Any] = []
    while Reconnected("the API server answers again") not in told:
        told.append(cluster.next(time.monotonic() + 6))
        assert told[-1] is not None
    assert sum(isinstance(one, Reconnected) for one in told) == 1
    eventually(lambda: phases(cluster.snapshot())["web-1-a"] == "Running")
    assert len(server.of("LIST pods")) >= 2


def test_streams_that_died_without_a_word_while_the_server_was_away_list_again(
    connected: Any, server: ApiServer, target: Target
) -> None:
    cluster = connected(silence=0.05)
    cluster.open(target, time.monotonic() + 5)
    eventually(lambda: server.watching() == 3)
    server.always("GET deployments", failed(503, "ServiceUnavailable", "starting"))
    assert isinstance(cluster.next(time.monotonic() + 3), Reconnected)
    server.mute_watches()
    change(server, "Running")
    server.always("GET deployments", None)
    eventually(lambda: phases(cluster.snapshot())["web-1-a"] == "Running")


def test_closing_waits_for_nothing(opened: KubernetesCluster) -> None:
    began = time.monotonic()
    opened.close()
    assert time.monotonic() - began < 0.05
    eventually(lambda: not [one for one in threading.enumerate() if one.name.startswith("kdeploy-watch")])


def test_another_thread_may_leave_a_notice(opened: KubernetesCluster) -> None:
    threading.Timer(0.02, lambda: opened.post(Reconnected("hello"))).start()
    assert opened.next(time.monotonic() + 3) == Reconnected("hello")
