"""Deploys that go well, and what they leave behind."""

import time
from typing import Any

from tests.e2e.app import HEALTH, good
from tests.e2e.checkout import CONFIG
from tests.e2e.scene import Scene


def test_the_first_deploy_of_a_workload_replaces_what_ran_before(scene: Scene) -> None:
    before = scene.create(replicas=3)
    commit = scene.checkout.commit(good("one"))
    ran = scene.deploy().ended(0, "deployed", "Complete")

    live = scene.look()
    live.runs(ran.image, 3)
    assert ran.image.startswith(f"{scene.repository}:{commit}@sha256:")
    image = ran.deploy["image"]
    assert image["previous"] == before.image
    assert (image["tag"], image["repository"]) == (commit, scene.repository)
    assert ran.report["commit"] == live.marks["commit"] == commit
    assert live.marks["digest"] == image["digest"]
    assert live.marks["deploy-id"] == ran.report["deploy_id"]
    assert live.marks["verified"]
    assert live.workload["spec"]["replicas"] == 3
    assert [passed for _, passed in ran.checks] == [True]
    assert ran.deploy["culprits"] == []
    assert ran.deploy["rolled_back_to"] is None
    assert [name for name in ("build", "rollout", "detect", "verify", "total") if not ran.timings[name]] == []


def test_the_second_deploy_replaces_the_first(scene: Scene) -> None:
    scene.create()
    first = scene.deployed(good("one"))
    second = scene.deployed(good("two"))

    scene.look().runs(second.image, 2)
    assert second.deploy["image"]["previous"] == first.image
    assert int(second.deploy["revision"]) == int(first.deploy["revision"]) + 1


def test_the_same_commit_again_changes_nothing_and_is_verified_again(scene: Scene) -> None:
    scene.create()
    first = scene.deployed(good("one"))
    before = scene.look()
    again = scene.deploy().ended(0, "unchanged", "Complete")

    after = scene.look()
    after.runs(first.image, 2)
    assert again.image == first.image
    assert after.generation == before.generation
    assert after.restarts == before.restarts
    assert after.marks == before.marks
    assert [passed for _, passed in again.checks] == [True]


def test_flags_alone_are_enough_and_without_checks_the_report_says_so(scene: Scene) -> None:
    scene.create()
    scene.checkout.commit(good("one"))
    scene.checkout.git("rm", "--quiet", CONFIG)
    scene.checkout.commit(good("no config"))
    words = ("deploy", "deploy/app", "-n", scene.namespace, "--image", scene.repository)
    ran = scene.program.run(*words).ended(0, "deployed", "NothingToVerify").says("nothing more checked")

    scene.look().runs(ran.image, 2)
    checked = scene.program.run(*words, "--verify-http", f":8080{HEALTH}", "--timeout", "60s")
    checked.ended(0, "unchanged", "Complete")
    assert [passed for _, passed in checked.checks] == [True]


def test_a_reference_that_exists_is_deployed_without_a_build(scene: Scene) -> None:
    scene.create()
    outside = scene.images.of(good("outside"))
    ran = scene.deploy(good("not built"), "--image", outside).ended(0, "deployed", "Complete")

    assert ran.image.startswith(f"{outside}@sha256:")
    assert ran.timings["build"] is None
    scene.look().runs(ran.image, 2)


def test_the_classic_builder_serves_where_there_is_no_buildx(scene: Scene) -> None:
    scene.create()
    classic = {"DOCKER_CONFIG": str(scene.cluster.docker_config_classic), "DOCKER_BUILDKIT": "0"}
    commit = scene.checkout.commit(good("one"))
    ran = scene.deploy(env=classic).ended(0, "deployed", "Complete")

    assert ran.deploy["image"]["tag"] == commit
    scene.look().runs(ran.image, 2)
    asked_for = scene.deploy(good("two"), "--builder", "classic").ended(0, "deployed", "Complete")
    scene.look().runs(asked_for.image, 2)


def test_a_dry_run_asks_the_cluster_and_changes_nothing(scene: Scene) -> None:
    before = scene.create()
    ran = scene.deploy(good("one"), "--dry-run").ended(0, "unchanged", "NothingToVerify")

    ran.says("dry run", "nothing was changed")
    scene.look().is_untouched_since(before)
    assert ran.timings["build"] is None


def test_a_workload_of_helm_is_deployed_with_a_warning(scene: Scene) -> None:
    scene.create()
    scene.kube("label", scene.target, "app.kubernetes.io/managed-by=Helm")
    scene.deployed(good("one")).says("Helm manages this workload")


def test_a_deploy_of_three_replicas_takes_twelve_requests_at_most(scene: Scene) -> None:
    """Preflight and checks apart; what the report says is what the API server's audit log has."""
    scene.create(replicas=3)
    since = time.time()
    ran = scene.deployed(good("one"))

    assert ran.report["api_requests"] <= 12
    asked = [event for event in scene.cluster.requests("kdeploy", since) if _is_here(event, scene.namespace)]
    checks = [event for event in asked if event["objectRef"].get("subresource") == "proxy"]
    assert len(checks) == 3 * 3 + 3 * 3, "samples of the new pods, and of the old ones, which nobody had verified"
    rest = [event for event in asked if event not in checks]
    opened = next(i for i, event in enumerate(rest) if event["verb"] == "list" and _is(event, "deployments"))
    silence = [event for event in rest[opened:] if event["verb"] == "get" and _is(event, "deployments")][:-1]
    assert len(rest) - opened - len(silence) == ran.report["api_requests"]
    assert {event["verb"] for event in rest[:opened]} <= {"get", "list"}


def _is_here(event: dict[str, Any], namespace: str) -> bool:
    return bool((event.get("objectRef") or {}).get("namespace") == namespace)


def _is(event: dict[str, Any], resource: str) -> bool:
    return bool(event["objectRef"]["resource"] == resource)
