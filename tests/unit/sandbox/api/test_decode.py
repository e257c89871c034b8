"""What a client sent, as the API server's types read it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdeploy.sandbox.api.decode import MismatchError, decode
from kdeploy.sandbox.api.fields import Type, struct


def deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def with_container(**fields: Any) -> dict[str, Any]:
    container = {"name": "web", "image": "web:1", "resources": {}, **fields}
    return {
        **deployment(strategy={}, template={"metadata": {}, "spec": {"containers": [container]}}),
        "status": {},
    }


def container_of(sent: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = decode("Deployment", sent).obj["spec"]["template"]["spec"]["containers"][0]
    return found


def test_an_object_without_faults_is_read_as_it_was_sent() -> None:
    sent = with_container(env=[{"name": "A", "value": "1"}], ports=[{"containerPort": 8080}], securityContext={})
    assert decode("Deployment", sent).obj == sent


def test_unknown_fields_are_left_out_and_named_by_their_path() -> None:
    decoded = decode("Deployment", {**with_container(img="x"), "replicas": 3})
    assert decoded.unknown == ["spec.template.spec.containers[0].img", "replicas"]
    assert decoded.obj == with_container()


def test_what_go_leaves_out_when_it_is_empty_is_left_out() -> None:
    sent = with_container(env=[], command=None, workingDir="", tty=False, livenessProbe={})
    assert container_of(sent) == {"name": "web", "image": "web:1", "livenessProbe": {}, "resources": {}}


def test_what_go_never_leaves_out_is_there_though_nobody_sent_it() -> None:
    assert decode("StatefulSet", {"metadata": {"name": "db"}}).obj == {
        "metadata": {"name": "db"},
        "spec": {
            "serviceName": "",
            "template": {"metadata": {}, "spec": {}},
            "updateStrategy": {},
        },
        "status": {"availableReplicas": 0, "replicas": 0},
    }
    assert container_of(deployment(template={"spec": {"containers": [{}]}})) == {"name": "", "resources": {}}


def test_a_pointer_keeps_its_empty_value() -> None:
    sent = deployment(replicas=0, minReadySeconds=0, template={"spec": {"terminationGracePeriodSeconds": 0}})
    spec = decode("Deployment", sent).obj["spec"]
    assert (spec["replicas"], spec["template"]["spec"]) == (0, {"terminationGracePeriodSeconds": 0})
    assert "minReadySeconds" not in spec


def test_quantities_become_canonical() -> None:
    sent = with_container(resources={"limits": {"cpu": 0.5, "memory": "1024Mi"}, "requests": {"cpu": 1}})
    assert container_of(sent)["resources"] == {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "1"}}


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (
            deployment(replicas="3"),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            deployment(replicas=3.5),
            "json: cannot unmarshal number 3.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            deployment(replicas=2**40),
            (
                "json: cannot unmarshal number 1099511627776 into Go struct field DeploymentSpec.spec.replicas "
                "of type int32"
            ),
        ),
        (
            deployment(replicas=True),
            "json: cannot unmarshal bool into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            deployment(template={"spec": {"containers": {"name": "web"}}}),
            (
                "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers "
                "of type []v1.Container"
            ),
        ),
        (
            with_container(env=[{"name": "PORT", "value": 8080}]),
            (
                "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value "
                "of type string"
            ),
        ),
        (
            deployment(selector={"matchLabels": {"a": 1}}),
            "json: cannot unmarshal number into Go struct field LabelSelector.spec.selector.matchLabels of type string",
        ),
        (
            deployment(template="x"),
            (
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.template "
                "of type v1.PodTemplateSpec"
            ),
        ),
        (
            with_container(resources={"limits": {"memory": "12 MB"}}),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    ],
)
def test_a_wrong_type_is_refused_in_the_words_of_gos_decoder(sent: dict[str, Any], words: str) -> None:
    with pytest.raises(MismatchError) as refused:
        decode("Deployment", sent)
    assert str(refused.value) == words


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@settings(max_examples=40)
@given(st.data())
def test_whatever_is_sent_is_read_or_refused_and_a_second_reading_changes_nothing(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["Deployment", "Pod", "Service", "ConfigMap", "Event", "Node"]))
    try:
        decoded = decode(kind, data.draw(almost(Type(name=kind))))
    except MismatchError:
        return
    assert decode(kind, decoded.obj).obj == decoded.obj


@cache
def almost(type_: Type, depth: int = 0) -> st.SearchStrategy[Any]:
    """Objects that mostly have the type's shape."""
    if type_.item is not None:
        items = almost(type_.item, depth + 1)
        return st.lists(items, max_size=2) if type_.is_list else st.dictionaries(st.text(max_size=3), items, max_size=2)
    fields = struct(type_.name)
    if fields is None or depth > 6:
        return st.one_of(st.integers(0, 9), st.text(max_size=3), st.booleans(), st.just("500m")) if depth < 9 else json
    names = sorted(fields)

    @st.composite
    def objects(draw: st.DrawFn) -> dict[str, Any]:
        chosen = draw(st.lists(st.sampled_from([*names, "other"]), max_size=4, unique=True))
        return {
            name: draw(almost(fields[name].type, depth + 1) if name in fields and draw(st.integers(0, 9)) else json)
            for name in chosen
        }

    return objects()
