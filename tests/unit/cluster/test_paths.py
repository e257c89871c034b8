from __future__ import annotations

from typing import Any

import pytest

from kdeploy.cluster.paths import pod_proxy, selector, workload
from kdeploy.errors import ConfigError
from kdeploy.model import Kind, Target


@pytest.mark.parametrize(
    ("label_selector", "text"),
    [
        ({"matchLabels": {"app": "web", "tier": "a"}}, "app=web,tier=a"),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, "app in (a,b)"),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, "app notin (a)"),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "app"),
        ({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "DoesNotExist"}]}, "a=b,!c"),
        ({"matchLabels": None, "matchExpressions": None}, ""),
    ],
)
def test_a_label_selector_is_written_as_the_query_parameter_wants_it(label_selector: Any, text: str) -> None:
    assert selector(label_selector) == text


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(ValueError, match="Near"):
        selector({"matchExpressions": [{"key": "a", "operator": "Near"}]})


def test_names_are_quoted_in_paths() -> None:
    path = workload(Target(kind=Kind.DAEMONSET, name="a/b", namespace="x y"))
    assert path == "/apis/apps/v1/namespaces/x%20y/daemonsets/a%2Fb"


@pytest.mark.parametrize(
    ("given", "inside"),
    [
        ("/health", "health"),
        ("", ""),
        ("/a//b/?x=/../y", "a//b/?x=/../y"),
        ("/a..b/...", "a..b/..."),
        ("/a%2Fb", "a%2Fb"),
        ("/a#b", "a%23b"),
        ("/a\r\nHost: x", "a%0D%0AHost:%20x"),
    ],
)
def test_a_checks_path_stays_inside_the_pod(given: str, inside: str) -> None:
    assert pod_proxy("shop", "web-1", 80, "http", given) == f"/api/v1/namespaces/shop/pods/web-1:80/proxy/{inside}"


@pytest.mark.parametrize("given", ["..", "/a/../b", "/%2E%2e", "/%252e%252e", "/a%2f..%2fb", "/a\\..\\b"])
def test_a_checks_path_with_two_dots_is_refused(given: str) -> None:
    with pytest.raises(ConfigError):
        pod_proxy("shop", "web-1", 80, "http", given)
