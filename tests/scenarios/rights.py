"""kdeploy runs in the tests as it does in production: with the rights of examples/rbac.yaml, and no others."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import Any

import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "rbac.yaml"
USER = "kdeploy"
ASKING = "authorization.k8s.io"
"""Everybody may ask what he may do (system:basic-user)."""

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
_REFUSED = 403

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


def used_rules(events: Iterable[dict[str, Any]]) -> dict[str, set[Rule]]:
    """The rules that requests needed and had, by kind of workload: a namespace's one kind is what its pods are of. What
    was done in a namespace of several kinds says nothing.
    """
    plurals = {f"{kind.lower()}s": kind for kind in KINDS}
    kinds, used = defaultdict(set), defaultdict(set)
    for event in events:
        about = event.get("objectRef") or {}
        if event["responseStatus"]["code"] == _REFUSED or about.get("apiGroup") == ASKING or "resource" not in about:
            continue
        used[about.get("namespace", "")].add(asked_rule(event))
        if about["resource"] in plurals:
            kinds[about.get("namespace", "")].add(plurals[about["resource"]])
    of_one = {namespace: kind for namespace, (kind, *others) in kinds.items() if not others}
    return {kind: set().union(*(used[name] for name, one in of_one.items() if one == kind)) for kind in KINDS}


def _read() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(EXAMPLE.read_text()))
