"""What makes a new generation of a Deployment: pkg/registry/apps/deployment/strategy.go."""

from __future__ import annotations

from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.core.resources import DEPLOYMENTS, STATEFUL_SETS, Resource
from kdeploy.sandbox.core.store import Store

NOW = 1795480422.0


def stored(resource: Resource = DEPLOYMENTS) -> tuple[Store, Obj]:
    store = Store(new_uid=lambda: "1")
    metadata = {"name": "web", "namespace": "shop", "annotations": {"a": "1"}}
    return store, store.create(resource, {"metadata": metadata, "spec": {"replicas": 1}}, NOW)


def annotated(obj: Obj, **annotations: str) -> dict[str, Any]:
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}


def test_a_deployments_annotation_counts_as_a_change_of_its_spec() -> None:
    store, web = stored()
    assert store.replace(DEPLOYMENTS, annotated(web, a="2"), NOW)["metadata"]["generation"] == 2


def test_another_workloads_annotation_does_not() -> None:
    store, web = stored(STATEFUL_SETS)
    assert store.replace(STATEFUL_SETS, annotated(web, a="2"), NOW)["metadata"]["generation"] == 1


def test_a_deployments_label_does_not() -> None:
    store, web = stored()
    labelled = {**web, "metadata": {**web["metadata"], "labels": {"a": "b"}}}
    assert store.replace(DEPLOYMENTS, labelled, NOW)["metadata"]["generation"] == 1


def test_annotations_that_come_with_a_status_are_taken_and_do_not_count() -> None:
    store, web = stored()
    changed = {**annotated(web, a="2"), "spec": {"replicas": 9}, "status": {"replicas": 3}}
    new = store.replace(DEPLOYMENTS, changed, NOW, subresource="status")
    assert new["metadata"]["annotations"] == {"a": "2"}
    assert (new["metadata"]["generation"], new["spec"], new["status"]) == (1, {"replicas": 1}, {"replicas": 3})


def test_a_status_without_annotations_leaves_them() -> None:
    store, web = stored()
    bare = {"metadata": {"name": "web", "namespace": "shop"}, "status": {"replicas": 3}}
    assert store.replace(DEPLOYMENTS, bare, NOW, subresource="status")["metadata"]["annotations"] == {"a": "1"}
    assert web["metadata"]["annotations"] == {"a": "1"}
