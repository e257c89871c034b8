"""A container's variables."""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy.model import Obj
from kdeploy.sandbox.core.resources import CONFIG_MAPS, SECRETS, Resource
from kdeploy.sandbox.kubelet.environment import ConfigError, Facts, environment_of

POD: dict[str, Any] = {
    "metadata": {"name": "web-1", "namespace": "shop", "uid": "u", "labels": {"app.kubernetes.io/name": "web"}},
    "spec": {"nodeName": "sandbox", "serviceAccountName": "default"},
}
OBJECTS: dict[tuple[Resource, str], Obj] = {
    (CONFIG_MAPS, "settings"): {"data": {"COLOUR": "red", "not a name": "x"}},
    (SECRETS, "login"): {"data": {"PASSWORD": "czNjcjN0"}},
}
SERVICES = (
    {"metadata": {"name": "my-db"}, "spec": {"clusterIP": "127.20.0.1", "ports": [{"name": "sql", "port": 5432}]}},
    {"metadata": {"name": "headless"}, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}},
)


def environment(container: dict[str, Any], **spec: Any) -> dict[str, str]:
    pod = {**POD, "spec": {"enableServiceLinks": False, **POD["spec"], **spec}}
    facts = Facts(
        pod=pod,
        ip="127.20.16.1",
        host_ip="127.0.0.1",
        get=lambda resource, name: OBJECTS.get((resource, name)),
        services=SERVICES,
    )
    return environment_of(container, facts)


def variable(name: str, **source: Any) -> dict[str, Any]:
    return {"name": name, "valueFrom": source}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("status.podIP", "127.20.16.1"),
        ("metadata.name", "web-1"),
        ("metadata.namespace", "shop"),
        ("spec.nodeName", "sandbox"),
        ("metadata.labels['app.kubernetes.io/name']", "web"),
        ("metadata.annotations['none']", ""),
    ],
)
def test_fields_of_the_pod_come_by_the_downward_api(path: str, value: str) -> None:
    env = [variable("A", fieldRef={"fieldPath": path})]
    assert environment({"env": env}) == {"HOSTNAME": "web-1", "A": value}


def test_values_refer_to_what_stands_before_them() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)-$(C)"}, {"name": "C"}]
    assert environment({"env": env}) == {"HOSTNAME": "web-1", "A": "1", "B": "1-$(C)", "C": ""}


def test_config_maps_and_secrets_are_read_whole_and_by_key() -> None:
    container = {
        "envFrom": [{"configMapRef": {"name": "settings"}}, {"prefix": "DB_", "secretRef": {"name": "login"}}],
        "env": [variable("KEY", secretKeyRef={"name": "login", "key": "PASSWORD"})],
    }
    assert environment(container) == {
        "HOSTNAME": "web-1", "COLOUR": "red", "DB_PASSWORD": "s3cr3t", "KEY": "s3cr3t",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"envFrom": [{"configMapRef": {"name": "nope"}}]}, 'configmap "nope" not found'),
        ({"env": [variable("A", secretKeyRef={"name": "nope", "key": "k"})]}, 'secret "nope" not found'),
        (
            {"env": [variable("A", configMapKeyRef={"name": "settings", "key": "k"})]},
            "couldn't find key k in ConfigMap shop/settings",
        ),
        ({"env": [variable("A", fieldRef={"fieldPath": "status.nope"})]}, "unsupported fieldPath: status.nope"),
    ],
)
def test_what_is_missing_is_told_in_the_kubelets_words(container: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        environment(container)
    assert str(error.value) == message


def test_what_is_optional_may_be_missing() -> None:
    container = {
        "envFrom": [{"secretRef": {"name": "nope", "optional": True}}],
        "env": [variable("A", configMapKeyRef={"name": "settings", "key": "k", "optional": True})],
    }
    assert environment(container) == {"HOSTNAME": "web-1"}


def test_services_are_found_by_variables() -> None:
    assert environment({}, enableServiceLinks=True) == {
        "HOSTNAME": "web-1",
        "MY_DB_SERVICE_HOST": "127.20.0.1",
        "MY_DB_SERVICE_PORT": "5432",
        "MY_DB_SERVICE_PORT_SQL": "5432",
    }
