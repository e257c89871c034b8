from kdeploy.model import HttpCheck, Kind, Permission, Target
from kdeploy.rollout.permissions import needed
from kdeploy.rollout.rules import Rule, rules_of
from tests.unit.rollout.test_rbac_example import objects


def test_the_rules_are_those_of_the_example() -> None:
    for kind in Kind:
        (role,) = [one for one in objects("Role") if one["metadata"]["name"] == f"kdeploy-{kind.plural}"]
        target = Target(kind=kind, name="web", namespace="shop")
        made = [
            {"apiGroups": [rule.group], "resources": list(rule.resources), "verbs": list(rule.verbs)}
            for rule in rules_of(needed(target, [HttpCheck(name="health", path="/health")]))
        ]
        assert sorted(made, key=str) == sorted(
            ({**rule, "resources": sorted(rule["resources"])} for rule in role["rules"]), key=str
        )


def test_a_rule_reads_as_in_a_role() -> None:
    permissions = [
        Permission(verb=verb, resource="pods", namespace="shop", name="web-0") for verb in ("watch", "list", "delete")
    ]
    (rule,) = rules_of(permissions)
    assert rule == Rule(group="", resources=("pods",), verbs=("list", "watch", "delete"))
    assert str(rule) == '{apiGroups: [""], resources: [pods], verbs: [list, watch, delete]}'


def test_no_permissions_are_no_rules() -> None:
    assert rules_of([]) == ()
