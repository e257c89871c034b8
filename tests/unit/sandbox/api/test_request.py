"""What a request asks for, and in which form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.sandbox.api import discovery, openapi
from kdeploy.sandbox.api.accept import Form, wanted
from kdeploy.sandbox.api.request import SERVED, Asked, parse
from kdeploy.sandbox.api.status import ApiError


def asked(method: str, path: str, **query: str) -> tuple[str, str, str | None, str, str, str]:
    found = parse(method, path, query)
    return found.verb, found.resource.plural, found.namespace, found.name, found.subresource, found.rest


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/api/v1/pods", ("list", "pods", None, "", "", "")),
        ("GET", "/api/v1/pods/", ("list", "pods", None, "", "", "")),
        ("GET", "/api/v1/namespaces/shop/pods", ("list", "pods", "shop", "", "", "")),
        ("GET", "/api/v1/namespaces/shop/pods/a", ("get", "pods", "shop", "a", "", "")),
        ("HEAD", "/api/v1/namespaces/shop/pods/a", ("get", "pods", "shop", "a", "", "")),
        ("GET", "/api/v1/namespaces/shop/pods/a/log", ("get", "pods", "shop", "a", "log", "")),
        ("POST", "/api/v1/namespaces/shop/pods/a/binding", ("create", "pods", "shop", "a", "binding", "")),
        ("POST", "/api/v1/namespaces/shop/pods/a/exec", ("create", "pods", "shop", "a", "exec", "")),
        ("GET", "/api/v1/namespaces", ("list", "namespaces", None, "", "", "")),
        ("GET", "/api/v1/namespaces/shop", ("get", "namespaces", None, "shop", "", "")),
        ("GET", "/api/v1/namespaces/shop/status", ("get", "namespaces", None, "shop", "status", "")),
        ("DELETE", "/api/v1/namespaces/shop", ("delete", "namespaces", None, "shop", "", "")),
        ("GET", "/api/v1/nodes/n", ("get", "nodes", None, "n", "", "")),
        ("POST", "/apis/apps/v1/namespaces/shop/deployments", ("create", "deployments", "shop", "", "", "")),
        ("PATCH", "/apis/apps/v1/namespaces/s/deployments/a/scale", ("patch", "deployments", "s", "a", "scale", "")),
        ("DELETE", "/apis/apps/v1/namespaces/s/deployments", ("deletecollection", "deployments", "s", "", "", "")),
        ("GET", "/api/v1/namespaces/shop/pods/a:80/proxy", ("proxy", "pods", "shop", "a:80", "proxy", "")),
        ("PUT", "/api/v1/namespaces/shop/pods/a/proxy/", ("proxy", "pods", "shop", "a", "proxy", "/")),
        ("GET", "/api/v1/namespaces/s/services/a/proxy/b//%2F/", ("proxy", "services", "s", "a", "proxy", "/b//%2F/")),
        ("GET", "/api/v1/namespaces/sh%6Fp/pods/a%2Fb", ("get", "pods", "shop", "a/b", "", "")),
    ],
)  # fmt: skip
def test_a_path_is_understood(method: str, path: str, found: tuple[str, ...]) -> None:
    assert asked(method, path) == found


@pytest.mark.parametrize(
    ("value", "verb"),
    [("true", "watch"), ("1", "watch"), ("", "watch"), ("yes", "watch"), ("false", "list"), ("0", "list")],
)
def test_a_watch_is_a_list_with_a_flag(value: str, verb: str) -> None:
    assert asked("GET", "/api/v1/pods", watch=value)[0] == verb


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/v1/namespaces/shop/nodes", 404),
        ("GET", "/api/v1/pods/a", 404),
        ("GET", "/api/v1/nope", 404),
        ("GET", "/api/v2/pods", 404),
        ("GET", "/apis/apps/v1", 404),
        ("GET", "/apis/apps/v1/namespaces/shop/pods", 404),
        ("GET", "/api/v1/namespaces/shop/pods/a/nope", 404),
        ("GET", "/api/v1/namespaces/shop/configmaps/a/proxy/x", 404),
        ("GET", "/api/v1/namespaces/shop/pods/a/log/b", 404),
        ("POST", "/api/v1/pods", 405),
        ("DELETE", "/api/v1/pods", 405),
        ("POST", "/api/v1/namespaces/shop/pods/a", 405),
        ("PUT", "/api/v1/namespaces/shop/pods", 405),
        ("DELETE", "/api/v1/namespaces/shop/pods/a/log", 405),
        ("POST", "/apis/apps/v1/namespaces/shop/deployments/a/scale", 405),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405),
        ("POST", "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices", 405),
        ("TRACE", "/api/v1/pods", 405),
    ],
)
def test_what_is_not_served_is_refused(method: str, path: str, code: int) -> None:
    with pytest.raises(ApiError) as refused:
        parse(method, path, {})
    assert refused.value.code == code


@given(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "X"]), st.text("/apispodnmec1v%2F:", max_size=40))
def test_any_path_is_understood_or_refused(method: str, path: str) -> None:
    try:
        found = parse(method, f"/api/{path}", {})
    except ApiError as refused:
        assert refused.code in (404, 405)  # noqa: PT017  # both ends are fine
        return
    assert found.resource in SERVED


@pytest.mark.parametrize("text", ["x", "1.5", "1e3", "9" * 19, "٣", "--1", " 1"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse("GET", "/api/v1/pods", {"limit": text}).integer("limit")
    assert refused.value.status["message"] == f'strconv.ParseInt: parsing "{text}": invalid syntax'


def test_numbers_are_read() -> None:
    found: Asked = parse("GET", "/api/v1/pods", {"limit": "-12", "empty": ""})
    assert (found.integer("limit"), found.integer("empty"), found.integer("none")) == (-12, None, None)


TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form.OBJECTS),
        ("*/*", Form.OBJECTS),
        ("application/json", Form.OBJECTS),
        ("application/vnd.kubernetes.protobuf,application/json", Form.OBJECTS),
        (f"{TABLE},application/json", Form.TABLE),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Form.OBJECTS),
        ("application/json; as=PartialObjectMetadata; v=v1; g=meta.k8s.io", Form.METADATA),
        ("text/html, application/*;q=0.5", Form.OBJECTS),
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", Form.DISCOVERY),
    ],
)
def test_the_first_form_that_can_be_served_is_taken(accept: str, form: Form) -> None:
    assert wanted(accept) is form


@pytest.mark.parametrize("accept", ["text/html", "application/yaml", "application/json;as=Foo;v=v1;g=meta.k8s.io"])
def test_a_form_that_cannot_be_served_is_refused(accept: str) -> None:
    with pytest.raises(ApiError) as refused:
        wanted(accept)
    assert refused.value.code == 406


def test_every_served_resource_is_discovered() -> None:
    for resource in SERVED:
        path = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
        listed = discovery.document(path, "h", aggregated=False)
        assert listed is not None
        assert resource.plural in {one["name"] for one in listed["resources"]}


def test_every_path_that_the_root_names_is_served() -> None:
    root = discovery.document("/", "h", aggregated=False)
    assert root is not None
    for path in root["paths"]:
        if path.startswith("/api"):
            assert discovery.document(path, "h", aggregated=False) is not None


def test_every_writable_kind_has_a_patch_that_validates_fields_and_a_schema() -> None:
    index = openapi.document("/openapi/v3")
    assert index is not None
    kinds = set()
    for name, place in index["paths"].items():
        document = openapi.document(place["serverRelativeURL"].partition("?")[0])
        assert document is not None, name
        for path in document["paths"].values():
            parameters = {one["name"] for one in path["patch"]["parameters"]}
            assert {"dryRun", "fieldValidation"} <= parameters
            assert "requestBody" not in path["patch"]  # kubectl would merge by schemas that say nothing of keys
            kinds.add(path["patch"]["x-kubernetes-group-version-kind"]["kind"])
        text = repr(document)
        for schema in document["components"]["schemas"]:
            assert schema in text
        assert all(ref in document["components"]["schemas"] for ref in _references(document))
    assert kinds == {resource.kind for resource in SERVED if "patch" in resource.verbs}
    assert openapi.document("/openapi/v2") is None


def _references(node: object) -> set[str]:
    if isinstance(node, dict):
        inside = set().union(*(_references(one) for one in node.values()))
        return inside | ({node["$ref"].rpartition("/")[2]} if "$ref" in node else set())
    return set().union(*(_references(one) for one in node)) if isinstance(node, list) else set()
