"""What the audit log says of all the tests before: with the rights of examples/rbac.yaml, kdeploy did what it did, and
it used each of them.
"""

import os

import pytest

from tests.e2e.__main__ import WHOLE
from tests.e2e.scene import Scene
from tests.scenarios.rights import ASKING, KINDS, USER, Rule, asked_rule, rules_for, used_rules
from tests.scenarios.versions import good

WHICH_IS_MISSING: Rule = ("", "namespaces", "get")
"""Where a workload is not there, kdeploy asks for its namespace, so as to say which of the two is missing; where that
is refused it names the workload.
"""


@pytest.mark.disruptive  # disrupts nothing, but comes after the others, and before the API server is stopped
def test_nothing_was_asked_for_beyond_the_example_and_nothing_was_forbidden(scene: Scene) -> None:
    allowed = {rule for kind in KINDS for rule in rules_for(kind)}
    scene.create()
    scene.deploy(good("one")).ended(0, "deployed", "Complete")
    mine = [event for event in scene.cluster.requests("kdeploy") if event["user"].get("username") == USER]
    asked = [event for event in mine if event.get("objectRef") and asked_rule(event) != WHICH_IS_MISSING]
    used = {asked_rule(event) for event in asked if event["objectRef"].get("apiGroup") != ASKING}
    assert used
    assert used <= allowed
    assert [event["requestURI"] for event in asked if event["responseStatus"]["code"] == 403] == []


@pytest.mark.disruptive
@pytest.mark.skipif(WHOLE not in os.environ, reason="only all tests together use every rule")
@pytest.mark.parametrize("kind", KINDS)
def test_each_rule_of_the_example_was_used(scene: Scene, kind: str) -> None:
    used = used_rules(event for event in scene.cluster.requests("kdeploy") if event["user"].get("username") == USER)
    assert set(rules_for(kind)) - used[kind] == set()
