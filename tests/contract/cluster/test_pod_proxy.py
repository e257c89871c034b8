from __future__ import annotations

import pytest

from kdeploy.cluster.client import KubernetesCluster
from kdeploy.cluster.proxy import ProxyAnswer
from kdeploy.errors import ConfigError
from kdeploy.model import Target
from tests.contract.api_server import ApiServer, Reply, failed, status_body


@pytest.fixture
def looked(cluster: KubernetesCluster, target: Target) -> KubernetesCluster:
    cluster.preflight(target, 1e12)
    return cluster


def ask(cluster: KubernetesCluster, path: str = "/health", **headers: str) -> ProxyAnswer:
    return cluster.pod_proxy("web-1-a", 8080, "http", path, headers, 1.0)


@pytest.mark.parametrize("status", [200, 204, 302, 404, 500, 502, 503])
def test_the_apps_own_status_is_the_apps(looked: KubernetesCluster, server: ApiServer, status: int) -> None:
    server.answer("PROXY pods", Reply(status=status, body="hello" if status != 204 else ""))
    assert ask(looked).status == status
    server.answer("PROXY pods", Reply(status=status, body="hello" if status != 204 else ""))
    assert not ask(looked).is_proxy_error


def test_a_request_reaches_the_port_and_path_that_were_asked(looked: KubernetesCluster, server: ApiServer) -> None:
    server.always("PROXY pods", Reply(body="ok"))
    ask(looked, "/a b/ü?q=1&r=%20#x", Accept="text/plain", Authorization="mine", Host="x")
    looked.pod_proxy("web-1-a", 8443, "https", "health", {}, 1.0)
    first, second = server.of("PROXY pods")
    assert first.path == "/api/v1/namespaces/shop/pods/web-1-a:8080/proxy/a%20b/%C3%BC?q=1&r=%20%23x"
    assert first.headers["accept"] == "text/plain"
    assert "authorization" not in first.headers
    assert second.path == "/api/v1/namespaces/shop/pods/https:web-1-a:8443/proxy/health"


@pytest.mark.parametrize("path", ["/../../../secrets", "/%2e%2e/x", "/a/%252e%252E/x", "/..%2f..%2fx", "/a\\..\\x"])
def test_a_path_cannot_leave_the_proxy(looked: KubernetesCluster, server: ApiServer, path: str) -> None:
    with pytest.raises(ConfigError):
        ask(looked, path)
    assert server.of("PROXY pods") == []


@pytest.mark.parametrize(
    "reply",
    [
        failed(503, "ServiceUnavailable", "error trying to reach service: dial tcp 10.0.0.1:80: i/o timeout"),
        failed(404, "NotFound", 'pods "web-1-a" not found'),
        failed(403, "Forbidden", "may not proxy"),
        failed(500, "InternalError", "boom"),
        Reply(status=429, body="Too many requests, please try again later."),
        Reply(status=401, body="Unauthorized"),
        Reply(status=403, body="<html>blocked</html>"),
    ],
)
def test_an_answer_of_the_proxy_says_nothing_about_the_app(
    looked: KubernetesCluster, server: ApiServer, reply: Reply
) -> None:
    server.answer("PROXY pods", reply, reply)
    assert ask(looked).is_proxy_error


@pytest.mark.parametrize("status", [500, 503])
def test_a_connection_that_the_pod_refuses_is_the_apps_failure(
    looked: KubernetesCluster, server: ApiServer, status: int
) -> None:
    message = "error trying to reach service: dial tcp 10.0.0.1:80: connect: connection refused"
    server.answer("PROXY pods", failed(status, "ServiceUnavailable", message))
    assert ask(looked) == ProxyAnswer(status=None, body_excerpt="connection refused", is_proxy_error=False)


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "Status", "status": "down"},
        {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 500, "metadata": {}},
        {**status_body(503, "X", "connection refused"), "metadata": None},
        {"message": "connection refused"},
    ],
    ids=["another kind of status", "another code", "no metadata", "no kind"],
)
def test_an_app_that_talks_like_kubernetes_is_still_the_app(
    looked: KubernetesCluster, server: ApiServer, body: object
) -> None:
    server.answer("PROXY pods", Reply(status=503, body=body))
    answer = ask(looked)
    assert (answer.status, answer.is_proxy_error) == (503, False)


def test_a_server_that_does_not_answer_is_no_answer_of_the_app(looked: KubernetesCluster, server: ApiServer) -> None:
    server.answer("PROXY pods", Reply(hang=True))
    silent = looked.pod_proxy("web-1-a", 8080, "http", "/health", {}, 0.1)
    server.stop()
    for answer in (silent, ask(looked)):
        assert (answer.status, answer.is_proxy_error) == (None, True)


def test_probes_are_not_counted_as_the_storys(looked: KubernetesCluster, server: ApiServer) -> None:
    server.always("PROXY pods", Reply(body="ok"))
    ask(looked)
    assert looked.requests == 0


def test_an_app_that_says_401_does_not_make_us_log_in_again(looked: KubernetesCluster, server: ApiServer) -> None:
    server.always("PROXY pods", Reply(status=401, body="who are you?"))
    ask(looked)
    assert len(server.of("PROXY pods")) == 1


def test_the_excerpt_is_short_and_clean(looked: KubernetesCluster, server: ApiServer) -> None:
    server.answer("PROXY pods", Reply(status=500, body="\x1b[31mbad" + "x" * 10_000))
    excerpt = ask(looked).body_excerpt
    assert excerpt.startswith("badx")
    assert len(excerpt) <= 2048
