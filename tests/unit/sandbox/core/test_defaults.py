"""What an API server fills in. The expected values are what Kubernetes 1.35 shows for the same manifests."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kdeploy.sandbox.core.defaults import admitted, with_defaults, with_template_defaults
from kdeploy.sandbox.core.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)

SELECTOR = {"matchLabels": {"app": "web"}}
CONTAINER = {
    "name": "web",
    "image": "web:1",
    "imagePullPolicy": "IfNotPresent",
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
POD_SPEC = {
    "containers": [CONTAINER],
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}


def template(**container: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "web:1", **container}]},
    }


def workload(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web"}, "spec": {"selector": SELECTOR, "template": template(), **spec}}


FULL: dict[Resource, dict[str, Any]] = {
    DEPLOYMENTS: {
        "progressDeadlineSeconds": 600,
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}, "type": "RollingUpdate"},
    },
    REPLICA_SETS: {"replicas": 1},
    STATEFUL_SETS: {
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "podManagementPolicy": "OrderedReady",
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "updateStrategy": {"rollingUpdate": {"partition": 0}, "type": "RollingUpdate"},
    },
    DAEMON_SETS: {
        "revisionHistoryLimit": 10,
        "updateStrategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}, "type": "RollingUpdate"},
    },
}


@pytest.mark.parametrize("resource", FULL, ids=repr)
def test_a_workload_gets_all_that_its_kind_has(resource: Resource) -> None:
    filled = with_defaults(resource, workload())
    expected = {**FULL[resource], "selector": SELECTOR}
    assert filled["spec"] == {**expected, "template": {**template(), "spec": POD_SPEC}}


@pytest.mark.parametrize("resource", [*FULL, PODS, SERVICES, NAMESPACES, SECRETS], ids=repr)
def test_what_is_complete_stays_the_very_same_object_and_nothing_is_changed_in_place(resource: Resource) -> None:
    sent = workload() if resource in FULL else {"metadata": {"name": "x"}, "spec": {}}
    before = copy.deepcopy(sent)
    filled = with_defaults(resource, sent)
    assert sent == before
    assert with_defaults(resource, filled) is filled


def test_what_was_said_is_kept_even_where_it_is_zero() -> None:
    spec = {"replicas": 0, "revisionHistoryLimit": 0, "strategy": {"type": "Recreate"}}
    filled = with_defaults(DEPLOYMENTS, workload(**spec))["spec"]
    assert {key: filled[key] for key in spec} == spec


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("localhost:5000/web", "Always"),
        ("localhost:5000/web:1", "IfNotPresent"),
        ("nginx:1.27", "IfNotPresent"),
        ("nginx@sha256:" + "0" * 64, "IfNotPresent"),
        ("nginx:latest@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
def test_only_an_image_without_tag_or_digest_is_pulled_each_time(image: str, policy: str) -> None:
    filled = with_template_defaults(template(image=image))
    assert filled["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_probes_ports_variables_and_hooks_get_theirs() -> None:
    filled = with_template_defaults(
        template(
            readinessProbe={"httpGet": {"port": 80}, "periodSeconds": 0, "initialDelaySeconds": 3},
            ports=[{"containerPort": 80}],
            env=[{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
            lifecycle={"preStop": {"httpGet": {"port": 80}}},
        )
    )["spec"]["containers"][0]
    http = {"path": "/", "port": 80, "scheme": "HTTP"}
    numbers = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}
    assert filled["readinessProbe"] == {"httpGet": http, "initialDelaySeconds": 3, **numbers}
    assert filled["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert filled["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    assert filled["lifecycle"] == {"preStop": {"httpGet": http}}


def test_volumes_get_their_mode_and_one_without_a_source_is_an_empty_directory() -> None:
    sources: list[dict[str, Any]] = [{}, {"secret": {"secretName": "s"}}, {"hostPath": {"path": "/"}}]
    sent = template()
    sent["spec"]["volumes"] = [{"name": f"v{index}", **source} for index, source in enumerate(sources)]
    assert with_template_defaults(sent)["spec"]["volumes"] == [
        {"name": "v0", "emptyDir": {}},
        {"name": "v1", "secret": {"secretName": "s", "defaultMode": 420}},
        {"name": "v2", "hostPath": {"path": "/", "type": ""}},
    ]


def test_a_pod_asks_for_what_it_is_limited_to() -> None:
    pod = {"metadata": {"name": "a"}, **template(resources={"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}})}
    spec = with_defaults(PODS, pod)["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}
    assert spec["enableServiceLinks"] is True


def test_a_pod_is_admitted_with_its_account_priority_and_tolerations() -> None:
    mine = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
    spec = admitted({"spec": {"tolerations": [mine]}})["spec"]
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert [one["key"].split("/")[1] for one in spec["tolerations"]] == ["not-ready", "unreachable"]
    assert spec["tolerations"][0] == mine
    assert admitted({"spec": {"serviceAccountName": "robot"}})["spec"]["serviceAccount"] == "robot"


def test_a_service_gets_its_types_defaults() -> None:
    plain = with_defaults(SERVICES, {"spec": {"ports": [{"port": 80}]}})["spec"]
    assert plain == {
        "internalTrafficPolicy": "Cluster",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "sessionAffinity": "None",
        "type": "ClusterIP",
    }
    node_port = with_defaults(SERVICES, {"spec": {"type": "NodePort", "sessionAffinity": "ClientIP"}})["spec"]
    assert node_port["externalTrafficPolicy"] == "Cluster"
    assert node_port["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    assert "internalTrafficPolicy" not in with_defaults(SERVICES, {"spec": {"type": "ExternalName"}})["spec"]


def test_a_namespace_carries_its_name_as_a_label() -> None:
    filled = with_defaults(NAMESPACES, {"metadata": {"name": "shop", "labels": {"a": "b"}}})
    assert filled["metadata"]["labels"] == {"a": "b", "kubernetes.io/metadata.name": "shop"}
