"""kdeploy runs in the tests as it does in production: with the rights of examples/rbac.yaml, and no others."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "rbac.yaml"
USER = "kdeploy"
ASKING = "authorization.k8s.io"
"""Everybody may ask what he may do (system:basic-user)."""

Rule = tuple[str, str, str]
"""API group, resource, verb."""


def grant(send: Callable[[str, str, Any], object], namespace: str, user: str = USER) -> None:
    """Gives `user` the example's Roles in a namespace; `send` makes a request: method, path, body."""
    for one in _read():
        if one["kind"] == "ServiceAccount":
            continue
        one["metadata"]["namespace"] = namespace
        if one["kind"] == "RoleBinding":
            one["subjects"] = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]
        send("POST", f"/apis/{one['apiVersion']}/namespaces/{namespace}/{one['kind'].lower()}s", one)


def rules_for(kind: str) -> list[Rule]:
    """The example's rules for that kind of workload, one by one."""
    name = f"kdeploy-{kind.lower()}s"
    (rules,) = [one["rules"] for one in _read() if one["kind"] == "Role" and one["metadata"]["name"] == name]
    return [each for rule in rules for each in product(rule["apiGroups"], rule["resources"], rule["verbs"])]


def asked_rule(event: dict[str, Any]) -> Rule:
    """The rule that an audit event needed."""
    about = event["objectRef"]
    resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
    return about.get("apiGroup", ""), resource, event["verb"]


def _read() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(EXAMPLE.read_text()))
