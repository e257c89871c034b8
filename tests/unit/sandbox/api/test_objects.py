"""The verbs on a store: what no recorded answer of a real server shows."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from kdeploy.model import Obj
from kdeploy.sandbox.api.objects import Answer, Objects
from kdeploy.sandbox.api.patch import JSON, MERGE
from kdeploy.sandbox.api.request import parse
from kdeploy.sandbox.api.status import ApiError, of_store
from kdeploy.sandbox.core import resources
from kdeploy.sandbox.core.errors import StoreError
from kdeploy.sandbox.core.resources import CONFIG_MAPS, ENDPOINTS, NAMESPACES, SERVICES
from kdeploy.sandbox.core.store import Store

NOW = 1795480422.0
CORE = "/api/v1/namespaces/shop"
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"


class Api:
    """The verbs, asked as a client would ask, without HTTP. `writes` counts what the controllers are told of."""

    def __init__(self) -> None:
        numbers = count(1)
        self.store = Store(new_uid=lambda: f"uid-{next(numbers)}")
        self.store.create(NAMESPACES, {"metadata": {"name": "shop"}}, NOW)
        self.writes = 0
        self._objects = Objects(self.store, lambda: NOW, self._wrote)

    def _wrote(self) -> None:
        self.writes += 1

    def __call__(self, method: str, path: str, body: Any = None, media_type: str = "application/json") -> Answer:
        path, _, query = path.partition("?")
        asked = parse(method, path, dict(part.split("=", 1) for part in query.split("&") if part))
        return self._objects.answer(asked, media_type, body)


@pytest.fixture
def api() -> Api:
    return Api()


def deployment(name: str = "web", **labels: str) -> dict[str, Any]:
    selector = {"app": name}
    template = {"metadata": {"labels": selector}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    spec = {"selector": {"matchLabels": selector}, "template": template}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


def pod(name: str = "a", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "web", "image": "web:1"}], **spec}}


def code(api: Api, *arguments: Any) -> int:
    with pytest.raises((ApiError, StoreError)) as refused:
        api(*arguments)
    error = of_store(refused.value) if isinstance(refused.value, StoreError) else refused.value
    assert isinstance(error, ApiError)
    return error.code


def test_a_change_of_nothing_is_no_event(api: Api) -> None:
    stored = api("POST", DEPLOYMENTS, deployment()).body
    version = api.store.version
    assert api("PATCH", f"{DEPLOYMENTS}/web", {"spec": {"replicas": 1}}, MERGE).body is stored
    assert api("PUT", f"{DEPLOYMENTS}/web", deployment()).body is stored
    assert api.store.version == version


def test_a_dry_run_shows_what_would_be_and_stores_nothing(api: Api) -> None:
    named = {"metadata": {"generateName": "web-"}, "spec": deployment()["spec"]}
    made = api("POST", f"{DEPLOYMENTS}?dryRun=All", named).body
    assert made["metadata"]["name"].startswith("web-")
    assert "resourceVersion" not in made["metadata"]
    api("POST", DEPLOYMENTS, deployment())
    before, writes = api.store.version, api.writes
    changed = api("PATCH", f"{DEPLOYMENTS}/web?dryRun=All", {"spec": {"replicas": 5}}, MERGE).body
    assert (changed["spec"]["replicas"], changed["metadata"]["generation"]) == (5, 2)
    assert api("DELETE", f"{DEPLOYMENTS}/web?dryRun=All").body["status"] == "Success"
    assert api("DELETE", f"{DEPLOYMENTS}?dryRun=All").body["items"]
    assert code(api, "POST", f"{DEPLOYMENTS}?dryRun=All", deployment()) == 409
    assert (api.store.version, api.writes) == (before, writes)


@pytest.mark.parametrize("query", ["", "?dryRun=All"])
@pytest.mark.parametrize(("method", "media_type"), [("PUT", "application/json"), ("PATCH", MERGE)])
@pytest.mark.parametrize("replicas", [3, -1])
def test_what_was_read_before_another_change_is_a_conflict_whatever_it_says(
    api: Api, method: str, media_type: str, query: str, replicas: int
) -> None:
    stale = api("POST", DEPLOYMENTS, deployment()).body
    api("PATCH", f"{DEPLOYMENTS}/web", {"metadata": {"labels": {"a": "b"}}}, MERGE)
    sent = {**stale, "spec": {**stale["spec"], "replicas": replicas}}
    assert code(api, method, f"{DEPLOYMENTS}/web{query}", sent, media_type) == 409


@pytest.mark.parametrize("query", ["", "?dryRun=All"])
def test_what_is_put_in_the_place_of_another_object_of_its_name_is_a_conflict(api: Api, query: str) -> None:
    stored = api("POST", DEPLOYMENTS, deployment()).body
    other = {**stored, "metadata": {"name": "web", "uid": "other"}}
    assert code(api, "PUT", f"{DEPLOYMENTS}/web{query}", other) == 409


def test_all_that_a_selector_finds_is_deleted(api: Api) -> None:
    for name, tier in (("a", "front"), ("b", "front"), ("c", "back")):
        api("POST", DEPLOYMENTS, deployment(name, tier=tier))
    gone = api("DELETE", f"{DEPLOYMENTS}?labelSelector=tier=front").body
    assert [item["metadata"]["name"] for item in gone["items"]] == ["a", "b"]
    assert [one["metadata"]["name"] for one in api.store.list(resources.DEPLOYMENTS)] == ["c"]


def test_a_pod_on_a_node_is_deleted_with_its_grace(api: Api) -> None:
    api("POST", f"{CORE}/pods", pod(nodeName="n"))
    marked = api("DELETE", f"{CORE}/pods/a").body
    assert (marked["kind"], marked["metadata"]["deletionGracePeriodSeconds"]) == ("Pod", 30)
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 5}
    assert api("DELETE", f"{CORE}/pods/a", options).body["metadata"]["deletionGracePeriodSeconds"] == 5
    assert api("DELETE", f"{CORE}/pods/a?gracePeriodSeconds=0").body["metadata"]["name"] == "a"
    assert code(api, "DELETE", f"{CORE}/pods/a") == 404


def test_a_pod_may_change_its_image_and_little_else(api: Api) -> None:
    api("POST", f"{CORE}/pods", pod())
    image = [{"op": "replace", "path": "/spec/containers/0/image", "value": "web:2"}]
    assert api("PATCH", f"{CORE}/pods/a", image, JSON).body["spec"]["containers"][0]["image"] == "web:2"
    refused: list[Obj] = [{"hostNetwork": True}, {"tolerations": []}, {"nodeName": "n"}]
    for patch in (*refused, {"initContainers": [{"name": "i", "image": "i:1"}]}):
        assert code(api, "PATCH", f"{CORE}/pods/a", {"spec": patch}, MERGE) == 422


def test_a_binding_puts_a_pod_on_a_node_once(api: Api) -> None:
    api("POST", f"{CORE}/pods", pod())
    binding = {"kind": "Binding", "target": {"name": "n"}}
    assert api("POST", f"{CORE}/pods/a/binding", binding).status == 201
    assert api("GET", f"{CORE}/pods/a").body["spec"]["nodeName"] == "n"
    assert code(api, "POST", f"{CORE}/pods/a/binding", binding) == 409
    assert code(api, "POST", f"{CORE}/pods/a/binding", {"target": {}}) == 400


def test_a_service_keeps_its_address_when_it_is_put_without_one(api: Api) -> None:
    service = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    stored = api("POST", f"{CORE}/services", service).body
    address = {"clusterIP": "127.16.0.9", "clusterIPs": ["127.16.0.9"]}
    api.store.replace(SERVICES, {**stored, "spec": {**stored["spec"], **address}}, NOW)
    put = api("PUT", f"{CORE}/services/web", {**service, "spec": {"ports": [{"port": 81}]}}).body
    assert (put["spec"]["clusterIP"], put["spec"]["ports"][0]["port"]) == ("127.16.0.9", 81)


def test_what_is_immutable_stays(api: Api) -> None:
    fixed = {"metadata": {"name": "c"}, "data": {"a": "1"}, "immutable": True}
    api("POST", f"{CORE}/configmaps", fixed)
    assert code(api, "PUT", f"{CORE}/configmaps/c", {**fixed, "data": {"a": "2"}}) == 422
    assert code(api, "PUT", f"{CORE}/configmaps/c", {**fixed, "immutable": False}) == 422
    api("POST", f"{CORE}/secrets", {"metadata": {"name": "s"}})
    assert code(api, "PUT", f"{CORE}/secrets/s", {"metadata": {"name": "s"}, "type": "other"}) == 422


def test_what_only_the_server_may_say_is_not_taken_from_a_client(api: Api) -> None:
    own: Obj = {"name": "web", "uid": "mine", "generation": 9, "creationTimestamp": "2020-01-01T00:00:00Z"}
    more = {"managedFields": [{"manager": "x"}], "selfLink": "/x", "deletionTimestamp": "2020-01-01T00:00:00Z"}
    sent = {**deployment(), "metadata": {**own, **more}, "status": {"replicas": 9}}
    stored = api("POST", DEPLOYMENTS, sent).body
    assert stored["metadata"]["uid"].startswith("uid-")
    assert (stored["metadata"]["generation"], stored["status"]) == (1, {})
    assert not {"managedFields", "selfLink", "deletionTimestamp"} & set(stored["metadata"])


def test_a_status_is_written_apart_from_the_rest(api: Api) -> None:
    api("POST", DEPLOYMENTS, deployment())
    patch = {"spec": {"replicas": 7}, "status": {"replicas": 3}}
    assert api("PATCH", f"{DEPLOYMENTS}/web/status", patch, MERGE).body["spec"]["replicas"] == 1
    stored = api("PATCH", f"{DEPLOYMENTS}/web", patch, MERGE).body
    assert (stored["spec"]["replicas"], stored["status"]["replicas"]) == (7, 3)


def test_endpoints_are_seen_as_slices(api: Api) -> None:
    subset = {
        "addresses": [{"ip": "127.16.0.1", "targetRef": {"kind": "Pod", "name": "a"}}],
        "notReadyAddresses": [{"ip": "127.16.0.2"}],
        "ports": [{"port": 80, "protocol": "TCP"}],
    }
    metadata = {"name": "web", "namespace": "shop"}
    api.store.create(ENDPOINTS, {"metadata": metadata, "subsets": [subset]}, NOW)
    api.store.create(ENDPOINTS, {"metadata": {**metadata, "name": "empty"}}, NOW)
    slice_ = api("GET", "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/web-0").body
    assert slice_["metadata"]["labels"] == {"kubernetes.io/service-name": "web"}
    assert [one["conditions"]["ready"] for one in slice_["endpoints"]] == [True, False]
    assert slice_["ports"] == [{"name": "", "protocol": "TCP", "port": 80}]
    assert code(api, "GET", "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/nope-0") == 404


def test_a_resource_is_written_where_it_has_no_namespace(api: Api) -> None:
    made = api("POST", "/api/v1/namespaces", {"metadata": {"name": "other"}}).body
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "other"}
    assert api("DELETE", "/api/v1/namespaces/other").body["kind"] == "Namespace"
    assert api.store.list(CONFIG_MAPS) == []
