"""The API over HTTP: who is let in, what is no request, discovery, tables, and the way to the pods."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from kdeploy.sandbox.core.resources import ENDPOINTS, PODS, SERVICES
from tests.contract.sandbox.api_world import TOKEN, Line, World, world
from tests.contract.sandbox.serving import Client, Reply

AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
PATH = "/apis/apps/v1/namespaces/shop/deployments"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture
def served() -> Iterator[World]:
    with world() as served:
        yield served


def ask(served: World, method: str, path: str, body: Any = None, **headers: str) -> Reply:
    """One request of the user with the token; header names are written with underscores."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {**AUTHORIZED, **({"Content-Type": "application/json"} if body is not None else {}), **named}
    return Client(port=served.port)(method, path, data, sent)


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}, "template": template, **spec}}


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer other", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"])
def test_nobody_is_let_in_without_the_token(served: World, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for path in (PATH, "/api", "/apis", "/openapi/v3", "/nope"):
        reply = Client(port=served.port)("GET", path, headers=headers)
        assert (reply.status, reply.json["message"], reply.json["reason"]) == (401, "Unauthorized", "Unauthorized")


def test_a_token_that_is_no_text_lets_nobody_in(served: World) -> None:
    with socket.create_connection(("127.0.0.1", served.port), 5) as client:
        client.sendall(b"GET /api HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\nConnection: close\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_anybody_may_ask_whether_it_lives_and_which_version_it_is(served: World) -> None:
    for path in ("/healthz", "/readyz", "/livez", "/readyz/ping"):
        reply = Client(port=served.port)("GET", path)
        assert (reply.status, reply.body) == (200, b"ok")
    version = Client(port=served.port)("GET", "/version").json
    assert (version["major"], version["minor"]) == ("1", "35")


@pytest.mark.parametrize(
    ("body", "media_type", "code", "reason"),
    [
        (b"{nope", "application/json", 400, "BadRequest"),
        (b"", "application/json", 400, "BadRequest"),
        (b"[]", "application/json", 400, "BadRequest"),
        (b"\xff\xfe", "application/json", 400, "BadRequest"),
        (b"[" * 100_000, "application/json", 400, "BadRequest"),
        (b'{"a":NaN}', "application/json", 400, "BadRequest"),
        (b"a: b", "application/yaml", 415, "UnsupportedMediaType"),
        (b"k8s\x00\x0a\xff", "application/vnd.kubernetes.protobuf", 400, "BadRequest"),
        (b"{}", "application/vnd.kubernetes.protobuf", 400, "BadRequest"),
        (b'{"metadata":{"name":"' + b"x" * 4_000_000 + b'"}}', "application/json", 413, "RequestEntityTooLarge"),
    ],
    ids=["broken", "empty", "a list", "no text", "deep", "no number", "yaml", "half", "no protobuf", "large"],
)
def test_a_body_that_is_none_is_refused(served: World, body: bytes, media_type: str, code: int, reason: str) -> None:
    for method, path in (("POST", PATH), ("PUT", f"{PATH}/web")):
        reply = ask(served, method, path, body, Content_Type=media_type)
        assert (reply.status, reply.json["reason"], reply.json["code"]) == (code, reason, code)
    assert ask(served, "GET", PATH).json["items"] == []


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize("depth", [200, 500, 900, 980])
def test_an_object_that_is_nested_too_deeply_is_refused_and_no_later_list_breaks(served: World, depth: int) -> None:
    path = "/apis/apps/v1/namespaces/shop/controllerrevisions"
    revision = b'{"metadata":{"name":"a"},"revision":1,"data":%b}'
    reply = ask(served, "POST", path, revision % nested(depth))
    assert (reply.status, reply.json["reason"]) == (400, "BadRequest")
    assert ask(served, "POST", path, revision % nested(199)).status == 201
    assert len(ask(served, "GET", path).json["items"]) == 1
    merge = "application/merge-patch+json"
    assert ask(served, "PATCH", f"{path}/a", b'{"revision":2}', Content_Type=merge).status == 200


@pytest.mark.parametrize("depth", [300, 500, 900])
@pytest.mark.parametrize(
    ("media_type", "patch"),
    [
        ("merge-patch", b'{"spec":{"x":%b}}'),
        ("strategic-merge-patch", b'{"spec":{"template":{"spec":{"x":%b}}}}'),
        ("json-patch", b'[{"op":"add","path":"/spec/x","value":%b}]'),
    ],
    ids=["merge", "strategic", "json"],
)
def test_a_patch_that_is_nested_too_deeply_is_refused(served: World, media_type: str, patch: bytes, depth: int) -> None:
    ask(served, "POST", PATH, deployment())
    for query in ("", "?fieldValidation=Strict"):
        body, type_ = patch % nested(depth), f"application/{media_type}+json"
        reply = ask(served, "PATCH", f"{PATH}/web{query}", body, Content_Type=type_)
        assert (reply.status, reply.json["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/apis/apps/v1/deployments/web", 404),
        ("GET", "/api/v1/namespaces/shop/nodes", 404),
        ("GET", "/api/v1/namespaces/shop/pods/a/b/c", 404),
        ("GET", "/apis/nope.io/v1/things", 404),
        ("GET", "/apis/nope.io", 404),
        ("GET", "/api/v2", 404),
        ("GET", "/api/v1/namespaces/shop/pods/%2e%2e/log", 404),
        ("GET", "/api/v1/namespaces/../../x", 404),
        ("DELETE", "/api", 405),
        ("PUT", "/api/v1/namespaces/shop/pods", 405),
        ("OPTIONS", PATH, 405),
        ("POST", "/api/v1/namespaces/shop/pods/a/exec", 405),
    ],
)
def test_what_is_not_served_is_said_so(served: World, method: str, path: str, code: int) -> None:
    assert ask(served, method, path).status == code


def test_each_write_is_told_of_and_no_refused_or_dry_one_is(served: World) -> None:
    assert ask(served, "POST", PATH, deployment()).status == 201
    assert len(served.writes) == 1
    ask(served, "POST", PATH, deployment())
    ask(served, "POST", f"{PATH}?dryRun=All", deployment("other"))
    ask(served, "GET", PATH)
    assert len(served.writes) == 1
    ask(served, "DELETE", f"{PATH}/web")
    assert len(served.writes) == 2


def test_an_unknown_field_is_a_warning(served: World) -> None:
    reply = ask(served, "POST", PATH, deployment(replcas=3))
    assert (reply.status, reply.headers["Warning"]) == (201, '299 - "unknown field \\"spec.replcas\\""')
    assert ask(served, "POST", f"{PATH}?fieldValidation=Ignore", deployment("b", x=3)).headers["Warning"] is None


def test_discovery_tells_every_resource_in_both_forms(served: World) -> None:
    form = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    reply = ask(served, "GET", "/apis", Accept=form)
    assert reply.headers["Content-Type"].endswith("as=APIGroupDiscoveryList")
    aggregated = {
        (group["metadata"]["name"], one["resource"]): sorted(sub["subresource"] for sub in one.get("subresources", ()))
        for group in reply.json["items"]
        for one in group["versions"][0]["resources"]
    }
    for group in ask(served, "GET", "/apis").json["groups"]:
        listed = ask(served, "GET", f"/apis/{group['name']}/v1").json["resources"]
        for name in [one["name"] for one in listed if "/" not in one["name"]]:
            subresources = [one["name"] for one in listed if one["name"].startswith(f"{name}/")]
            assert aggregated[group["name"], name] == sorted(one.split("/")[1] for one in subresources)
    assert aggregated["apps", "deployments"] == ["scale", "status"]
    core = ask(served, "GET", "/api/v1").json["resources"]
    assert {"name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": ["get"]} in core


def test_a_table_is_printed_when_it_is_asked_for(served: World) -> None:
    ask(served, "POST", PATH, deployment(replicas=3))
    table = ask(served, "GET", PATH, Accept=TABLE).json
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    shown = [one["name"] for one in table["columnDefinitions"] if not one["priority"]]
    assert shown == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    assert table["rows"][0]["cells"][:4] == ["web", "0/3", 0, 0]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    whole = ask(served, "GET", f"{PATH}/web?includeObject=Object", Accept=TABLE).json
    assert whole["rows"][0]["object"]["spec"]["replicas"] == 3
    partial = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    assert set(ask(served, "GET", PATH, Accept=partial).json["items"][0]) == {"kind", "apiVersion", "metadata"}


def running(served: World, name: str = "a", **status: Any) -> None:
    """A pod that runs, with a named port, behind a service of its name."""
    ports = [{"containerPort": 8080, "name": "http"}]
    containers: list[Any] = [{"name": "web", "image": "web:1", "ports": ports}, {"name": "side", "image": "side:1"}]
    metadata = {"name": name, "namespace": "shop"}
    served.call(
        served.store.create, PODS, {"metadata": metadata, "spec": {"nodeName": "n", "containers": containers}}, 0
    )
    states = [{"name": one["name"], "state": {"running": {}}} for one in containers]
    found = {"phase": "Running", "podIP": "127.16.0.9", "containerStatuses": states, **status}
    served.call(served.store.replace, PODS, {"metadata": metadata, "status": found}, 0, subresource="status")
    service = {"metadata": metadata, "spec": {"ports": [{"port": 80, "targetPort": "http", "name": "web"}]}}
    served.call(served.store.create, SERVICES, service, 0)
    address = {"ip": "127.16.0.9", "targetRef": {"kind": "Pod", "name": name}}
    subsets = [{"addresses": [address], "ports": [{"port": 8080, "name": "web"}]}]
    served.call(served.store.create, ENDPOINTS, {"metadata": metadata, "subsets": subsets}, 0)


def test_the_proxy_passes_a_request_on_and_its_answer_back(served: World) -> None:
    running(served)
    path = "/api/v1/namespaces/shop/pods/a/proxy/health/%2Fdeep?x=%20y"
    reply = ask(served, "POST", path, b"body", Connection="close, X-Mine", X_Mine="1", X_App="2", Content_Type="x/y")
    assert (reply.status, reply.body, reply.headers["X-App"]) == (200, b"hello there", "yes")
    (name, port, request) = served.pods.asked[0]
    assert (name, port, request.method, request.path) == ("a", 8080, "POST", "/health/%2Fdeep?x=%20y")
    assert request.body == b"body"
    sent = {name.lower(): value for name, value in request.headers}
    assert (sent["x-app"], sent["content-type"], sent["x-forwarded-proto"]) == ("2", "x/y", "http")
    assert not {"authorization", "connection", "x-mine", "host", "content-length"} & set(sent)


@pytest.mark.parametrize(
    ("path", "port", "scheme"),
    [
        ("pods/a:9090/proxy/", 9090, "http"),
        ("pods/https:a:9443/proxy/", 9443, "https"),
        ("pods/http:a:/proxy/", 8080, "http"),
        ("services/a/proxy/", 8080, "http"),
        ("services/a:80/proxy/", 8080, "http"),
        ("services/a:web/proxy/", 8080, "http"),
        ("services/https:a:web/proxy/", 8080, "https"),
    ],
)
def test_the_proxy_finds_the_port(served: World, path: str, port: int, scheme: str) -> None:
    running(served)
    assert ask(served, "GET", f"/api/v1/namespaces/shop/{path}").status == 200
    assert [(asked[1], asked[2].scheme, asked[2].path) for asked in served.pods.asked] == [(port, scheme, "/")]


def test_a_redirect_is_handed_on_and_a_path_without_its_slash_gets_one(served: World) -> None:
    running(served)
    base = "/api/v1/namespaces/shop/pods/a/proxy"
    reply = ask(served, "GET", f"{base}/redirect")
    assert (reply.status, reply.headers["Location"]) == (302, "/elsewhere")
    assert ask(served, "GET", f"{base}?a=b").headers["Location"] == f"{base}/?a=b"


def test_a_pod_that_refuses_the_connection_is_told_as_kubernetes_tells_it(served: World) -> None:
    running(served)
    served.pods.unreachable = "dial tcp 127.16.0.9:8080: connect: connection refused"
    reply = ask(served, "GET", "/api/v1/namespaces/shop/pods/a/proxy/")
    assert reply.status == 503
    assert reply.json == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "error trying to reach service: dial tcp 127.16.0.9:8080: connect: connection refused",
        "reason": "ServiceUnavailable",
        "code": 503,
    }


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("pods/b/proxy/", 404, 'pods "b" not found'),
        ("services/b/proxy/", 404, 'services "b" not found'),
        ("services/a:81/proxy/", 503, 'no service port 81 found for service "a"'),
        ("pods/a:nope/proxy/", 503, "error trying to reach service: dial tcp: lookup tcp/nope: unknown port"),
        ("pods/a:0/proxy/", 503, "error trying to reach service: dial tcp: address 0: invalid port"),
        ("pods/x:y:z:1/proxy/", 400, 'invalid pod request "x:y:z:1"'),
    ],
)
def test_what_the_proxy_cannot_reach_is_said_so(served: World, path: str, code: int, words: str) -> None:
    running(served)
    reply = ask(served, "GET", f"/api/v1/namespaces/shop/{path}")
    assert (reply.status, reply.json["message"]) == (code, words)


def test_a_pod_without_an_address_is_not_asked(served: World) -> None:
    running(served, podIP="")
    reply = ask(served, "GET", "/api/v1/namespaces/shop/pods/a/proxy/")
    assert (reply.status, reply.json["message"]) == (400, "address not allowed")


def log(served: World, query: str = "", **headers: str) -> Reply:
    return ask(served, "GET", f"/api/v1/namespaces/shop/pods/a/log?container=web{query}", **headers)


def test_a_log_is_sent_in_the_lines_that_are_wanted(served: World) -> None:
    running(served)
    served.pods.lines = [Line(text=f"line {n}".encode(), time=f"2026-11-25T10:00:0{n}Z") for n in range(4)]
    assert log(served).body == b"line 0\nline 1\nline 2\nline 3\n"
    assert log(served, "&tailLines=2").body == b"line 2\nline 3\n"
    assert log(served, "&tailLines=0").body == b""
    assert log(served, "&limitBytes=9").body == b"line 0\nli"
    assert log(served, "&sinceTime=2026-11-25T10:00:03Z").body == b"line 3\n"
    assert log(served, "&timestamps=true&tailLines=1").body == b"2026-11-25T10:00:03Z line 3\n"
    assert log(served, "&sinceSeconds=1").body == b""


def test_parts_of_a_line_are_one_line(served: World) -> None:
    running(served)
    served.pods.lines = [Line(text=b"one"), Line(text=b"two, ", whole=False), Line(text=b"still two")]
    assert log(served, "&tailLines=1&timestamps=1").body == b"2026-11-25T10:00:00Z two, still two\n"


def test_a_log_is_followed_to_its_end(served: World) -> None:
    running(served)
    served.pods.lines, served.pods.more = [Line(text=b"before")], [Line(text=b"a"), Line(text=b"b")]
    assert log(served, "&follow=true").body == b"before\na\nb\n"


@pytest.mark.parametrize(
    ("state", "query", "words"),
    [
        ({"waiting": {"reason": "ContainerCreating"}}, "", "is waiting to start: ContainerCreating"),
        ({"waiting": {"reason": "ErrImagePull"}}, "", "is waiting to start: image can't be pulled"),
        ({"waiting": {"reason": "ImagePullBackOff"}}, "", "is waiting to start: trying and failing to pull image"),
        ({"running": {}}, "&previous=true", "not found"),
    ],
)
def test_a_container_that_has_not_run_has_no_log(served: World, state: Any, query: str, words: str) -> None:
    running(served, containerStatuses=[{"name": "web", "state": state}])
    reply = log(served, query)
    assert reply.status == 400
    assert reply.json["message"].endswith(f'container "web" in pod "a" {words}')


def test_a_container_has_to_be_named_where_there_are_more(served: World) -> None:
    running(served)
    reply = ask(served, "GET", "/api/v1/namespaces/shop/pods/a/log")
    said = "a container name must be specified for pod a, choose one of: [web side]"
    assert (reply.status, reply.json["message"]) == (400, said)


def test_a_bug_is_a_status_and_its_details_stay_in_the_log(served: World, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("s3cret")

    served.pods.log = broken  # type: ignore[method-assign]  # a bug in whoever runs the pods
    running(served)
    reply = log(served)
    assert (reply.status, reply.json["reason"]) == (500, "InternalError")
    assert b"s3cret" not in reply.body
    assert "s3cret" in caplog.text
    assert ask(served, "GET", PATH).status == 200
