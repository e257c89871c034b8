"""Which permissions the rules of a SelfSubjectRulesReview grant."""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy.cluster.access import is_granted
from kdeploy.model import Permission

PATCH = Permission(verb="patch", resource="deployments", group="apps", namespace="shop", name="web")
PROXY = Permission(verb="get", resource="pods/proxy", namespace="shop")


def rule(verbs: str, groups: str, resources: str, *names: str) -> dict[str, Any]:
    lists = {"verbs": verbs, "apiGroups": groups, "resources": resources}
    return {key: text.split(",") for key, text in lists.items()} | ({"resourceNames": list(names)} if names else {})


@pytest.mark.parametrize(
    ("asked", "given", "granted"),
    [
        (PATCH, rule("get,patch", "apps", "deployments"), True),
        (PATCH, rule("*", "*", "*"), True),
        (PATCH, rule("patch", "apps", "deployments", "web"), True),
        (PATCH, rule("patch", "apps", "deployments", "other"), False),
        (PATCH, rule("get", "apps", "deployments"), False),
        (PATCH, rule("patch", "", "deployments"), False),
        (PATCH, rule("patch", "apps", "deployments/scale"), False),
        (PROXY, rule("get", "", "pods/proxy"), True),
        (PROXY, rule("get", "", "*/proxy"), True),
        (PROXY, rule("get", "", "*"), True),
        (PROXY, rule("get", "", "pods"), False),
        (PROXY, rule("get", "", "pods/proxy", "web-0"), False),
        (PROXY, {"verbs": ["get"], "apiGroups": None, "resources": ["pods/proxy"]}, False),
    ],
)
def test_a_rule_is_read_as_the_api_server_reads_it(asked: Permission, given: dict[str, Any], granted: bool) -> None:
    assert is_granted(asked, [rule("list", "", "pods"), given]) is granted


def test_no_rule_grants_nothing() -> None:
    assert not is_granted(PATCH, [])
