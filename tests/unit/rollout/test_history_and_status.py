from __future__ import annotations

import json
from typing import Any

import pytest

from kdeploy.errors import RefusedError
from kdeploy.model import Kind, Obj, Reason, State, Target
from kdeploy.rollout import marks
from kdeploy.rollout.history import history_of
from kdeploy.rollout.objects import is_active
from kdeploy.rollout.revisions import revisions_of
from kdeploy.rollout.status import snapshot_from_dump, status_of
from tests.unit.rollout.dumps import FIXTURES, VERSIONS, changed, load, workload_of


def items(version: str, moment: str) -> list[Obj]:
    listed: list[Obj] = json.loads((FIXTURES / version / f"{moment}.json").read_text())["items"]
    return listed


@pytest.mark.parametrize("version", VERSIONS)
def test_the_history_tells_which_revision_is_live_and_which_was_verified(version: str) -> None:
    newest, first = history_of(load(version, "foreign-env"))
    assert (newest.revision, newest.live, newest.verified) == (2, True, False)
    assert (first.revision, first.live, first.verified) == (1, False, True)
    assert first.images == (
        workload_of(load(version, "verified"))["spec"]["template"]["spec"]["containers"][0]["image"],
    )
    assert first.created < newest.created


@pytest.mark.parametrize("version", VERSIONS)
def test_the_history_tells_how_many_pods_run_each_revision(version: str) -> None:
    snapshot = load(version, "image-missing")
    rows = history_of(snapshot)
    assert sum(row.pods for row in rows) == len([pod for pod in snapshot.pods if is_active(pod)])
    assert rows[0].pods > 0
    assert rows[0].ready == 0, "its image is missing"
    assert any(row.ready == row.pods > 0 for row in rows[1:])


def test_marks_inherited_from_another_image_are_not_shown_as_this_revision_s() -> None:
    snapshot = load(VERSIONS[0], "foreign-env")
    digest = "sha256:" + "1" * 64

    def mark(replica_set: Any) -> None:
        replica_set["metadata"]["annotations"] |= {marks.DIGEST: digest, marks.ACTOR: "jane"}

    def own_image(replica_set: Any) -> None:
        mark(replica_set)
        replica_set["spec"]["template"]["spec"]["containers"][0]["image"] = f"acme/web@{digest}"

    inherited, own = (changed(snapshot.revisions[0], change) for change in (mark, own_image))
    for replica_set, actor, shown in ((inherited, None, None), (own, "jane", digest)):
        row = history_of(type(snapshot)(workload=snapshot.workload, revisions=(replica_set,)))[0]
        assert (row.actor, row.digest) == (actor, shown)


@pytest.mark.parametrize("version", VERSIONS)
def test_revisions_of_a_namesake_that_is_gone_are_not_the_workload_s(version: str) -> None:
    snapshot = load(version, "complete-again")

    def disown(replica_set: Any) -> None:
        replica_set["metadata"]["ownerReferences"][0]["uid"] = "another"

    foreign = tuple(changed(one, disown) for one in snapshot.revisions)
    assert len(revisions_of(snapshot)) == 2
    assert revisions_of(type(snapshot)(workload=snapshot.workload, revisions=foreign)) == ()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_dump_of_one_workload_needs_no_name(version: str) -> None:
    target, snapshot = snapshot_from_dump(items(version, "image-missing"), None)
    assert (target.kind, target.name) == (Kind.DEPLOYMENT, "web")
    verdict = status_of(snapshot)
    assert (verdict.state, verdict.reason) == (State.FAILED, Reason.IMAGE_NOT_FOUND)


def test_a_dump_of_several_workloads_needs_one_and_finds_its_pods() -> None:
    both = items(VERSIONS[0], "complete") + items(VERSIONS[0], "statefulset-complete")
    with pytest.raises(RefusedError, match="deployment/web, statefulset/stateful") as refused:
        snapshot_from_dump(both, None)
    assert refused.value.reason is Reason.AMBIGUOUS
    namespace = both[0]["metadata"]["namespace"]
    target = Target(kind=Kind.STATEFULSET, name="stateful", namespace=namespace)
    found, snapshot = snapshot_from_dump(both, target)
    assert found == target
    assert status_of(snapshot).pods.new == 2


def test_a_dump_without_the_workload_is_refused() -> None:
    with pytest.raises(RefusedError, match="it holds none") as refused:
        snapshot_from_dump([], None)
    assert refused.value.reason is Reason.NOT_FOUND
