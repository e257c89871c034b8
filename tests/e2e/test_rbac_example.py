"""examples/rbac.yaml on a real cluster: it is enough, nothing beyond it is asked for, and each of its rules matters."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.scene import Scene
from tests.scenarios.rights import ASKING, Rule, asked_rule, rules_for
from tests.scenarios.versions import crashing, good
from tests.scenarios.workloads import role


def user_with(scene: Scene, user: str, rules: list[Rule]) -> Path:
    """Gives a user these rules and no others; his kubeconfig."""
    each = [{"apiGroups": [group], "resources": [resource], "verbs": [verb]} for group, resource, verb in rules]
    scene.kube.apply(*role(user, user, each))
    return scene.cluster.kubeconfig_for(user)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_it_is_enough_and_nothing_beyond_it_is_asked_for(scene: Scene, kind: str) -> None:
    scene.create(kind)
    rules = rules_for(kind)
    who = ("--kubeconfig", str(user_with(scene, f"deployer-{scene.namespace}", rules)))
    since = time.time()
    scene.deploy(good("one"), *who).ended(0, "deployed", "Complete")
    two = scene.deploy(good("two"), *who).ended(0, "deployed", "Complete")
    bad = scene.deploy(crashing("three"), "--crash-budget", "0", *who).ended(10, "rolled-back", "CrashLoop")
    assert bad.report["warnings"] == []
    assert scene.look().image == two.image
    for command in ("status", "verify", "history", "rollback"):
        code, _, err = scene.program.show(command, *who)
        assert code == 0, err

    asked = [event for event in scene.cluster.requests("kdeploy", since) if _in(event, scene.namespace)]
    assert [event for event in asked if event["responseStatus"]["code"] == 403] == []
    used = {asked_rule(event) for event in asked if event["objectRef"].get("apiGroup") != ASKING}
    assert used <= set(rules)


def test_each_of_its_rules_matters(scene: Scene) -> None:
    scene.create()
    rules, commit = rules_for("Deployment"), good("one")
    scene.checkout.commit(commit)
    for number, left_out in enumerate(rules):
        user = f"lacks-{number}-{scene.namespace}"
        who = ("--kubeconfig", str(user_with(scene, user, [rule for rule in rules if rule != left_out])))
        ran = scene.deploy(None, "--dry-run", *who)
        _, resource, verb = left_out
        assert ran.code == 4 or ran.report["warnings"], left_out
        ran.says(f"{verb} {resource}")


def _in(event: dict[str, Any], namespace: str) -> bool:
    return bool((event.get("objectRef") or {}).get("namespace") == namespace)
