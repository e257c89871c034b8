"""examples/rbac.yaml has what kdeploy asks for, and nothing else."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdeploy.model import HttpCheck, Kind, Permission, Target
from kdeploy.rollout.permissions import needed

EXAMPLE = Path(__file__).parents[3] / "examples" / "rbac.yaml"
NAMESPACE = "shop"


def objects(kind: str) -> list[dict[str, Any]]:
    """The example's objects of that kind."""
    return [one for one in yaml.safe_load_all(EXAMPLE.read_text()) if one["kind"] == kind]


def granted(role: dict[str, Any]) -> list[Permission]:
    """All that a Role allows, one by one."""
    return [
        Permission(verb=verb, resource=resource, group=group, namespace=NAMESPACE)
        for rule in role["rules"]
        for group, resource, verb in product(rule["apiGroups"], rule["resources"], rule["verbs"])
    ]


@pytest.mark.parametrize("kind", Kind)
def test_its_role_is_what_a_deploy_of_that_kind_needs_and_no_more(kind: Kind) -> None:
    target = Target(namespace=NAMESPACE, kind=kind, name="web")
    (role,) = [one for one in objects("Role") if one["metadata"]["name"] == f"kdeploy-{kind.plural}"]
    rules = granted(role)
    assert len(rules) == len(set(rules))
    assert set(rules) == needed(target, [HttpCheck(name="health", path="/health")])


def test_every_role_is_bound_to_the_account_in_the_same_namespace() -> None:
    (account,) = objects("ServiceAccount")
    roles, bindings = objects("Role"), objects("RoleBinding")
    assert [binding["roleRef"]["name"] for binding in bindings] == [role["metadata"]["name"] for role in roles]
    for one in (account, *roles, *bindings):
        assert one["metadata"]["namespace"] == NAMESPACE
    for binding in bindings:
        subject = {"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": NAMESPACE}
        assert binding["subjects"] == [subject]
