"""`kdeploy doctor` on a real cluster, registry and engine: it finds what would refuse a deploy, and changes nothing."""

import json
import time
from pathlib import Path
from typing import Any

from tests.e2e.scene import Scene
from tests.e2e.test_rbac_example import user_with
from tests.scenarios.rights import rules_for
from tests.scenarios.versions import good


def examined(scene: Scene, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and each check by its name."""
    code, out, err = scene.program.show("doctor", "-o", "json", *words)
    document = json.loads(out)
    assert document["passed"] is (code == 0), err
    return code, {each["name"]: each for each in document["checks"]}


def test_where_all_is_well_it_says_so_and_changes_nothing(scene: Scene) -> None:
    before = scene.create()
    scene.checkout.commit(good("one"))
    since = time.time()
    code, checks = examined(scene)
    assert code == 0, checks
    assert [name for name, each in checks.items() if each["passed"] is False] == []
    assert {"builder", "registry", "push", "cluster", "clock", "target", "permissions"} <= set(checks)
    scene.look().is_untouched_since(before)
    asked = [each for each in scene.cluster.requests("kdeploy", since) if scene.namespace in each["requestURI"]]
    assert {each["verb"] for each in asked} <= {"get", "list", "watch", "create"}
    scene.deploy().ended(0, "deployed", "Complete")


def test_each_permission_that_is_lacking_is_told_with_the_rule_to_add(scene: Scene) -> None:
    scene.create()
    scene.checkout.commit(good("one"))
    patch = ("apps", "deployments", "patch")
    poor = user_with(scene, f"poor-{scene.namespace}", [rule for rule in rules_for("Deployment") if rule != patch])
    code, checks = examined(scene, "--kubeconfig", str(poor))
    assert code == 4
    assert checks["permissions"]["passed"] is False
    assert "patch" in checks["permissions"]["hint"]
    assert "deployments" in checks["permissions"]["hint"]


def test_a_registry_that_lets_nobody_push_is_found_before_a_build_is(scene: Scene) -> None:
    scene.create()
    scene.configure(image=f"{scene.cluster.private_registry}/{scene.namespace}/app", containers=["app"])
    scene.checkout.commit(good("one"))
    code, checks = examined(scene)
    assert code == 4
    assert False in (checks["registry"]["passed"], checks["push"]["passed"])


def test_nothing_of_an_upload_stays_in_the_registry(scene: Scene) -> None:
    scene.create()
    scene.checkout.commit(good("one"))
    examined(scene)
    # Only below its own repository: others are pushed to at the same time, and their folders come and go.
    own = Path(scene.cluster.state).glob(f"data/registry*/docker/registry/v2/repositories/{scene.namespace}")
    begun = [found for folder in own for found in folder.rglob("_uploads/*")]
    left = [found for found in begun if (found / "startedat").exists() or (found / "data").exists()]
    assert begun  # of a cancelled one the registry keeps the empty folder, and answers 404 to whoever goes on with it
    assert left == []
