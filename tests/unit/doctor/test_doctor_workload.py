from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from kdeploy.doctor.check import Check
from kdeploy.doctor.workload import judge_commit, judge_permissions, judge_workload, permissions_to_ask
from kdeploy.model import HttpCheck, Kind, Permission, Snapshot, Target
from kdeploy.rollout.permissions import needed
from tests.unit.rollout.dumps import VERSIONS, load, with_workload

TARGET = Target(kind=Kind.DEPLOYMENT, name="web", namespace="shop")
HEALTH = HttpCheck(name="http /health", path="/health")
SITE = HttpCheck(name="http https://shop.example", url="https://shop.example")


@pytest.fixture(params=VERSIONS)
def verified(request: pytest.FixtureRequest) -> Snapshot:
    return load(request.param, "verified")


def container(snapshot: Snapshot) -> dict[str, Any]:
    assert snapshot.workload is not None
    found: dict[str, Any] = snapshot.workload["spec"]["template"]["spec"]["containers"][0]
    return found


def judged(snapshot: Snapshot, **more: Any) -> dict[str, Check]:
    repository = container(snapshot)["image"].partition("@")[0].rpartition(":")[0]
    given = {"repository": repository, "containers": (), "checks": ()}
    return {check.name: check for check in judge_workload(TARGET, snapshot, **given | more)}


def test_a_verified_workload_is_good_in_all(verified: Snapshot) -> None:
    found = judged(verified, checks=(replace(HEALTH, port=8080), SITE))
    assert {name: check.passed for name, check in found.items()} == dict.fromkeys(found, True)
    assert "is verified" in found["rollback"].message


def test_what_cannot_be_rolled_is_told_as_a_deploy_tells_it(verified: Snapshot) -> None:
    paused = with_workload(verified, lambda workload: workload["spec"].update(paused=True))
    found = judged(paused)
    assert (found["target"].passed, "is paused" in found["target"].message) == (False, True)
    assert "kubectl rollout resume" in found["target"].hint


def test_at_0_replicas_nothing_could_be_verified(verified: Snapshot) -> None:
    asleep = with_workload(verified, lambda workload: workload["spec"].update(replicas=0))
    assert judged(asleep)["target"].passed is None


def test_an_image_of_another_repository_is_a_warning_and_a_missing_container_a_refusal(verified: Snapshot) -> None:
    strange = judged(verified, repository="ghcr.io/acme/other")["containers"]
    assert (strange.passed, "another repository" in strange.message) == (None, True)
    assert judged(verified, containers=("nope",))["containers"].passed is False
    assert judged(verified, repository="")["containers"].message == "not asked: no image is named"


def test_a_check_without_a_port_to_ask_would_refuse_a_deploy(verified: Snapshot) -> None:
    def strip(workload: Any) -> None:
        for one in workload["spec"]["template"]["spec"]["containers"]:
            one.pop("ports", None)
            one.pop("readinessProbe", None)

    bare = with_workload(verified, strip)
    assert judged(bare, checks=(HEALTH,))["checks"].passed is False
    assert judged(bare)["checks"].passed is None
    assert "readinessProbe" in judged(bare)["checks"].message
    assert judged(bare, containers=("nope",), checks=(HEALTH,))["checks"].passed is None


def test_without_a_good_version_no_rollback_is_promised(verified: Snapshot) -> None:
    def strip(workload: Any) -> None:
        workload["status"] = {}
        workload["metadata"]["annotations"] = {}

    found = judged(with_workload(replace(verified, pods=(), revisions=()), strip))
    assert (found["rollback"].passed, "could not be undone" in found["rollback"].message) == (None, True)


def test_an_older_commit_is_refused_and_what_git_cannot_tell_is_a_warning(verified: Snapshot) -> None:
    assert judge_commit(verified, "a" * 40, "", lambda *_: True).passed is False
    assert judge_commit(verified, "a" * 40, "", lambda *_: "shallow").passed is None
    assert judge_commit(verified, "a" * 40, "", lambda *_: False).passed is True
    assert judge_commit(verified, None, "", lambda *_: "shallow").passed is None


@pytest.mark.parametrize("kind", Kind)
def test_the_rules_to_add_are_yaml_and_grant_what_lacks(kind: Kind) -> None:
    target = replace(TARGET, kind=kind)
    lacking = permissions_to_ask(target, [HEALTH])
    first, *others = judge_permissions(target, [HEALTH], lacking)
    assert first.passed is False
    assert [check.passed for check in others] == [None] * len(others)
    rules = [rule for check in (first, *others) for rule in yaml.safe_load(check.hint.partition("\n")[2])]
    granted = {
        Permission(verb=verb, resource=resource, group=group, namespace="shop")
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted == needed(target, [HEALTH])


def test_with_all_permissions_there_is_one_line() -> None:
    (check,) = judge_permissions(TARGET, [HEALTH], ())
    assert check.passed is True


def test_what_a_deploy_can_do_without_is_a_warning_with_its_consequence() -> None:
    log = Permission(verb="get", resource="pods/log", namespace="shop")
    first, other = judge_permissions(TARGET, [HEALTH], [log])
    assert (first.passed, other.passed) == (True, None)
    assert "without the last lines of the log" in other.message
    assert '- {apiGroups: [""], resources: [pods/log], verbs: [get]}' in other.hint
