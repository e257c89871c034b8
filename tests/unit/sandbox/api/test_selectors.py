"""Label and field selectors. The refusals are worded as Kubernetes words them."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdeploy.sandbox.api.selectors import SelectorError, selector
from kdeploy.sandbox.core.resources import CONFIG_MAPS, DEPLOYMENTS, EVENTS, NODES, PODS, Resource


def pod(labels: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "a", "namespace": "shop"}
    return {"metadata": {**metadata, "labels": labels} if labels is not None else metadata, **fields}


def finds(labels: str, obj: dict[str, Any]) -> bool:
    return selector(PODS, labels, "").matches(obj)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=api", False),
        ("app!=api", True),
        ("other!=api", True),
        ("app", True),
        ("other", False),
        ("!other", True),
        ("! app", False),
        ("app in (api, web)", True),
        ("app in (api)", False),
        ("app notin (api,web)", False),
        ("other notin (api)", True),
        ("size>2,size<4", True),
        ("size>3", False),
        ("app>3", False),
        ("app=web,tier=front", True),
        (" app = web , tier = front ", True),
        ("app=web,tier=back", False),
        ("empty=", True),
        ("empty in (,)", True),
        ("app in (web,)", True),
        ("example.com/x=y", True),
    ],
)
def test_a_label_selector_finds_what_it_describes(text: str, found: bool) -> None:
    labels = {"app": "web", "tier": "front", "size": "3", "empty": "", "example.com/x": "y"}
    assert finds(text, pod(labels)) is found


_NO_VALUES = "for 'in', 'notin' operators, values set can't be empty"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a===b", "unable to parse requirement: found '=', expected: identifier"),
        ("=b", "unable to parse requirement: found '=', expected: identifier"),
        ("a=b,", "found '', expected: identifier after ','"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        *(
            (text, f"unable to parse requirement: values: Invalid value: []: {_NO_VALUES}")
            for text in ("a in ()", "a notin ( )", "a in (),b")
        ),
    ],
)
def test_nonsense_is_refused_in_the_api_servers_words(text: str, words: str) -> None:
    with pytest.raises(SelectorError) as refused:
        selector(PODS, text, "")
    assert str(refused.value) == words


@pytest.mark.parametrize("text", ["a/b/c=d", "a=x y z", "a=" + "x" * 64, "a in (b", "size>big", "-a", "a=!", "(a)"])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(SelectorError):
        selector(PODS, text, "")


@given(st.text("ab=!,() <>innot.-/", max_size=20))
def test_any_text_is_understood_or_refused(text: str) -> None:
    with contextlib.suppress(SelectorError):
        finds(text, pod({"a": "b"}))


RUNNING = pod(
    spec={"nodeName": "one", "hostNetwork": True},
    status={"phase": "Running", "podIP": "127.16.0.1", "podIPs": [{"ip": "127.16.0.1"}]},
)
EVENT = pod(
    involvedObject={"kind": "Pod", "name": "a", "uid": "1"}, reason="BackOff", source={"component": "kubelet"}, type="x"
)


@pytest.mark.parametrize(
    ("resource", "text", "obj", "found"),
    [
        (PODS, "metadata.name=a", RUNNING, True),
        (PODS, "metadata.name!=a", RUNNING, False),
        (PODS, "metadata.namespace=shop,spec.nodeName=one,status.phase=Running", RUNNING, True),
        (PODS, "spec.host=one", RUNNING, True),
        (PODS, "spec.nodeName=", RUNNING, False),
        (PODS, "spec.nodeName=", pod(), True),
        (PODS, "spec.hostNetwork=true,status.podIPs==127.16.0.1", RUNNING, True),
        (PODS, "spec.hostNetwork=false", pod(), True),
        (NODES, "spec.unschedulable=false", pod(), True),
        (EVENTS, "involvedObject.kind=Pod,involvedObject.name=a,involvedObject.uid=1", EVENT, True),
        (EVENTS, "involvedObject.name=b", EVENT, False),
        (EVENTS, "reason=BackOff,source=kubelet,type!=Normal", EVENT, True),
        (CONFIG_MAPS, r"metadata.name=a\,b", pod(), False),
        (DEPLOYMENTS, "metadata.name=a", pod(), True),
    ],
)
def test_a_field_selector_compares_the_fields_text(
    resource: Resource, text: str, obj: dict[str, Any], found: bool
) -> None:
    assert selector(resource, "", text).matches(obj) is found


@pytest.mark.parametrize(
    ("resource", "text", "words"),
    [
        (PODS, "spec.foo=x", "field label not supported: spec.foo"),
        (DEPLOYMENTS, "status.phase=x", '"status.phase" is not a known field selector: only "metadata.name", '),
        (PODS, "foo", "invalid selector: 'foo'; can't understand 'foo'"),
    ],
)
def test_a_field_that_is_not_known_is_refused(resource: Resource, text: str, words: str) -> None:
    with pytest.raises(SelectorError, match=words.replace("?", r"\?")):
        selector(resource, "", text)
