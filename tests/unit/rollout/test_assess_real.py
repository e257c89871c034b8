"""The rollout rule on what real clusters showed, an old one and a current one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import pytest

from kdeploy.model import Kind, PodCounts, Reason, Snapshot, State
from kdeploy.rollout import assess as assessing
from kdeploy.rollout import revisions
from kdeploy.rollout.assess import Expected, assess, expect, timed_out
from kdeploy.rollout.classify import cause, restarts_of
from kdeploy.rollout.objects import annotations_of, kind_of, uid_of
from kdeploy.rollout.revisions import live_revision, new_pods, revisions_of
from kdeploy.rollout.template import template_hash, template_of
from tests.unit.rollout.dumps import MOMENTS, VERSIONS, load, with_pods, with_workload, workload_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is to be said of a moment. `culprit` is (container, reason, exit code, restarts), None for none."""

    state: State
    reason: Reason
    says: str
    counts: tuple[int, int, int, int]
    culprit: tuple[str | None, Reason, int | None, int | None] | None = None


def complete(pods: int) -> Row:
    says = f"{pods} of {pods} pods are updated and available"
    return Row(state=State.COMPLETE, reason=Reason.COMPLETE, says=says, counts=(pods, pods, pods, 0))


def failed(
    reason: Reason,
    says: str,
    counts: tuple[int, int, int, int],
    exit_code: int | None = None,
    restarts: int | None = 0,
    container: str = "web",
) -> Row:
    culprit = (container, reason, exit_code, restarts)
    return Row(state=State.FAILED, reason=reason, says=says, counts=counts, culprit=culprit)


def paused(counts: tuple[int, int, int, int]) -> Row:
    return Row(state=State.PAUSED, reason=Reason.PAUSED, says="the rollout is paused", counts=counts)


def moving(
    says: str,
    counts: tuple[int, int, int, int],
    culprit: tuple[str | None, Reason, int | None, int | None] | None = None,
) -> Row:
    return Row(state=State.PROGRESSING, reason=Reason.PROGRESSING, says=says, counts=counts, culprit=culprit)


NO_PODS = Row(state=State.COMPLETE, reason=Reason.NOTHING_TO_VERIFY, says="it is scaled to 0", counts=(0, 0, 0, 0))
ONE_NEW = (1, 1, 0, 0)
"""Pods desired, new, ready, old."""

TABLE = {
    "complete": complete(3),
    "complete-again": complete(3),
    "recovered": complete(1),
    "verified": complete(1),
    "foreign-env": complete(1),
    "statefulset-complete": complete(2),
    "daemonset-complete": complete(1),
    "scaled-to-0": NO_PODS,
    "statefulset-scaled-to-0": NO_PODS,
    "mid-rollout": moving("1 of 3 new pods created", (3, 1, 1, 3)),
    "unready": moving("1 old pod still to end", (1, 1, 0, 1)),
    "paused": paused(counts=(1, 0, 0, 1)),
    "deadline-left-over": paused(counts=(1, 1, 1, 0)),
    "image-missing": failed(Reason.IMAGE_NOT_FOUND, "busybox:absent: not found", (3, 1, 0, 3)),
    "image-missing-back-off": failed(Reason.IMAGE_NOT_FOUND, "busybox:absent: not found", (3, 1, 0, 3)),
    "image-unauthorized": failed(Reason.IMAGE_UNAUTHORIZED, "401 Unauthorized", ONE_NEW),
    "image-name-invalid": failed(Reason.INVALID_IMAGE, "couldn't parse image", ONE_NEW),
    "registry-unreachable": moving("connection refused", ONE_NEW, ("web", Reason.IMAGE_PULL_FAILED, None, 0)),
    "configmap-absent": failed(Reason.CONFIG_ERROR, 'configmap "absent" not found', ONE_NEW),
    "entry-point-absent": failed(Reason.START_ERROR, "/no/such/program: no such file or directory", ONE_NEW, 128, None),
    "entry-point-not-executable": failed(Reason.START_ERROR, '"/etc/passwd": permission denied', ONE_NEW, 128, None),
    "crash-1": moving("exited with code 3, restarted 1 time", ONE_NEW, ("web", Reason.CRASH_LOOP, 3, 1)),
    "crash-2": moving("exited with code 3, restarted 2 times", ONE_NEW, ("web", Reason.CRASH_LOOP, 3, 2)),
    "crash-3": failed(Reason.CRASH_LOOP, "exited with code 3, restarted 3 times", ONE_NEW, 3, 3),
    "init-failing": moving("exited with code 4, restarted 1 time", ONE_NEW, ("migrate", Reason.INIT_FAILED, 4, 1)),
    "init-failing-3": failed(Reason.INIT_FAILED, "exited with code 4, restarted 3 times", ONE_NEW, 4, 3, "migrate"),
    "out-of-memory": moving("used more memory than its limit", ONE_NEW, ("web", Reason.OOM_KILLED, 137, 1)),
    "volume-absent": moving('configmap "absent" not found', ONE_NEW, (None, Reason.VOLUME_ERROR, None, None)),
    "liveness-killed": moving("killed by its liveness probe", ONE_NEW, ("web", Reason.LIVENESS_KILLED, 137, 2)),
    "unschedulable": moving("0/1 nodes are available", ONE_NEW, (None, Reason.UNSCHEDULABLE, None, None)),
    "pods-denied": moving(
        'serviceaccount "absent" not found', (1, 0, 0, 0), (None, Reason.ADMISSION_DENIED, None, None)
    ),
    "deadline": Row(
        state=State.FAILED,
        reason=Reason.PROGRESS_DEADLINE_EXCEEDED,
        says="has timed out progressing",
        counts=(1, 1, 0, 1),
        culprit=("web", Reason.READINESS_FAILED, None, 0),
    ),
    "statefulset-stuck": failed(Reason.IMAGE_NOT_FOUND, "busybox:absent: not found", (2, 1, 0, 1)),
    "statefulset-restored-but-stuck": moving("1 of 2 pods ready", (2, 1, 1, 1)),
    "daemonset-stuck": failed(Reason.IMAGE_NOT_FOUND, "busybox:absent: not found", ONE_NEW),
    "daemonset-crash": moving("exited with code 3, restarted 1 time", ONE_NEW, ("web", Reason.CRASH_LOOP, 3, 1)),
}


def test_every_recorded_moment_is_in_the_table() -> None:
    assert set(MOMENTS) == set(TABLE)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_real_moment_has_its_verdict(version: str, moment: str) -> None:
    snapshot, row = load(version, moment), TABLE[moment]
    verdict = assess(snapshot, ours(snapshot))
    assert (verdict.state, verdict.reason) == (row.state, row.reason), verdict.message
    assert row.says in verdict.message
    assert counts(verdict.pods) == row.counts
    if row.culprit is None:
        assert verdict.culprits == ()
        return
    container, reason, exit_code, restarts = row.culprit
    first = verdict.culprits[0]
    assert (first.container, first.reason, first.exit_code) == (container, reason, exit_code)
    assert restarts is None or first.restarts == restarts
    assert cause(first.message) in verdict.message
    assert not re.search("rpc error|failed to (pull|resolve)", verdict.message)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_verdict_begins_with_the_cause_and_its_culprit_has_the_whole(version: str) -> None:
    verdict = assess(load(version, "image-missing"), ours(load(version, "image-missing")))
    (where, told), culprit = verdict.message.split(": ", 1), verdict.culprits[0]
    assert where == f"container web of pod {culprit.pod}"
    assert re.fullmatch(r"localhost:\d+/base/busybox:absent: not found", told)
    assert "rpc error: code = NotFound desc = failed to pull and unpack image" in culprit.message
    assert culprit.message.endswith(told)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("rpc error: code = Unknown desc = Error response from daemon: manifest unknown", "manifest unknown"),
        ('failed to pull and unpack image "x": failed to do request: Head "y": EOF', 'Head "y": EOF'),
        ("failed to sync configmap cache: timed out", "failed to sync configmap cache: timed out"),
        ("failed to extract layer sha256:1: no space left", "failed to extract layer sha256:1: no space left"),
        ("rpc error: code = Unknown desc = ", "rpc error: code = Unknown desc = "),
        (
            "exited with code 1: rpc error: code = Unknown desc = x",
            "exited with code 1: rpc error: code = Unknown desc = x",
        ),
    ],
)
def test_only_the_steps_of_a_pull_are_left_out(message: str, told: str) -> None:
    assert cause(message) == told


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", [m for m, row in TABLE.items() if row.state is State.COMPLETE])
def test_a_complete_rollout_counts_every_pod_as_available(version: str, moment: str) -> None:
    pods = assess(load(version, moment), ours(load(version, moment))).pods
    assert pods.available == pods.desired


@pytest.mark.parametrize("version", VERSIONS)
def test_a_progress_deadline_left_over_from_another_rollout_fails_nothing(version: str) -> None:
    left_over = with_workload(load(version, "deadline-left-over"), lambda w: w["spec"].pop("paused"))
    verdict = assess(left_over, ours(left_over))
    assert verdict.state is not State.FAILED
    assert verdict.reason is not Reason.PROGRESS_DEADLINE_EXCEEDED


@pytest.mark.parametrize("version", VERSIONS)
def test_a_back_off_that_does_not_say_why_is_explained_by_the_pull_event(version: str) -> None:
    def forget_detail(pod: Any) -> None:
        for status in pod["status"].get("containerStatuses", []):
            if "waiting" in status["state"]:
                status["state"]["waiting"]["message"] = 'Back-off pulling image "x"'

    told = with_pods(load(version, "image-missing-back-off"), forget_detail)
    assert assess(told, ours(told)).reason is Reason.IMAGE_NOT_FOUND
    silent = replace(told, events=())
    verdict = assess(silent, ours(silent))
    assert (verdict.state, verdict.culprits[0].reason) == (State.PROGRESSING, Reason.IMAGE_PULL_FAILED)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_crash_budget_decides_after_how_many_restarts_a_crash_fails(version: str) -> None:
    for budget, restarts, state in ((1, 1, State.FAILED), (2, 1, State.PROGRESSING), (2, 2, State.FAILED)):
        snapshot = load(version, f"crash-{restarts}")
        verdict = assess(snapshot, replace(ours(snapshot), crash_budget=budget))
        assert verdict.state is state, (budget, restarts)


@pytest.mark.parametrize("version", VERSIONS)
def test_restarts_from_before_do_not_count_against_the_budget(version: str) -> None:
    snapshot = load(version, "crash-3")
    before = restarts_of(load(version, "crash-2").pods)
    assert assess(snapshot, replace(ours(snapshot), restarts_before=before)).state is State.PROGRESSING


@pytest.mark.parametrize("version", VERSIONS)
def test_once_settled_any_further_restart_fails_even_where_the_container_runs_again(version: str) -> None:
    snapshot = load(version, "recovered")
    before = dict.fromkeys(restarts_of(snapshot.pods), 0)
    settled = replace(ours(snapshot), settled=True, restarts_before=before)
    assert assess(snapshot, settled).reason is Reason.CRASH_LOOP
    assert assess(snapshot, replace(settled, restarts_before=restarts_of(snapshot.pods))).passed


@pytest.mark.parametrize("version", VERSIONS)
def test_once_settled_a_pod_that_came_later_still_has_its_crash_budget(version: str) -> None:
    snapshot = load(version, "recovered")
    assert assess(snapshot, replace(ours(snapshot), settled=True, restarts_before={})).passed


@pytest.mark.parametrize("version", VERSIONS)
def test_an_evicted_pod_is_counted_by_nobody(version: str) -> None:
    snapshot = load(version, "complete")
    dead = {**snapshot.pods[0], "status": {"phase": "Failed", "reason": "Evicted"}}
    dead["metadata"] = {**dead["metadata"], "name": "evicted", "uid": "evicted"}
    assert assess(replace(snapshot, pods=(*snapshot.pods, dead)), ours(snapshot)).passed


@pytest.mark.parametrize("version", VERSIONS)
def test_a_time_out_names_the_pods_that_are_not_ready(version: str) -> None:
    snapshot = load(version, "unready")
    verdict = timed_out(snapshot, ours(snapshot), assess(snapshot, ours(snapshot)), 60)
    assert (verdict.state, verdict.reason) == (State.FAILED, Reason.READINESS_FAILED)
    assert verdict.message.startswith("not complete after 60s: ")
    assert verdict.message.endswith("it runs, but is not ready")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_time_out_without_a_suspect_is_just_that(version: str) -> None:
    snapshot = load(version, "mid-rollout")
    verdict = timed_out(snapshot, ours(snapshot), assess(snapshot, ours(snapshot)), 59.99003)
    assert (verdict.reason, verdict.message) == (Reason.TIMEOUT, "not complete after 60s: 1 of 3 new pods created")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", ["complete", "statefulset-complete", "daemonset-complete"])
def test_a_status_of_an_older_generation_proves_nothing(version: str, moment: str) -> None:
    def bump(workload: Any) -> None:
        workload["metadata"]["generation"] += 1

    snapshot = with_workload(load(version, moment), bump)
    verdict = assess(snapshot, ours(snapshot))
    assert (verdict.state, verdict.pods.available) == (State.PROGRESSING, 0)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", ["complete", "statefulset-complete", "daemonset-complete"])
def test_a_complete_status_is_not_believed_without_ready_pods_of_the_revision(version: str, moment: str) -> None:
    without = replace(load(version, moment), pods=())
    assert assess(without, ours(without)).state is State.PROGRESSING
    fewer = replace(load(version, moment), pods=load(version, moment).pods[1:])
    assert assess(fewer, ours(fewer)).state is State.PROGRESSING


@pytest.mark.parametrize("version", VERSIONS)
def test_pods_of_a_namesake_of_another_uid_are_not_counted(version: str) -> None:
    def disown(pod: Any) -> None:
        pod["metadata"]["ownerReferences"][0]["uid"] = "another"

    snapshot = with_pods(load(version, "complete"), disown)
    assert assess(snapshot, ours(snapshot)).pods.new == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_not_ours_any_more_is_superseded(version: str) -> None:
    snapshot = load(version, "verified")
    expected = ours(snapshot)
    later = load(version, "foreign-env")
    assert assess(snapshot, replace(expected, deploy_id="one")).passed
    for other, reason in (
        (assess(later, expected), Reason.SUPERSEDED),
        (assess(snapshot, replace(expected, deploy_id="two")), Reason.SUPERSEDED),
        (assess(snapshot, replace(expected, uid="another")), Reason.DELETED),
        (assess(replace(snapshot, workload=None), expected), Reason.DELETED),
    ):
        assert (other.state, other.reason) == (State.SUPERSEDED, reason)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_workload_that_is_being_deleted_is_superseded(version: str) -> None:
    def delete(workload: Any) -> None:
        workload["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"

    going = with_workload(load(version, "complete"), delete)
    assert assess(going, ours(going)).reason is Reason.DELETED


@pytest.mark.parametrize("version", VERSIONS)
def test_a_pod_admitted_with_another_image_than_ours_fails_the_deploy(version: str) -> None:
    snapshot = load(version, "complete")
    wanted = replace(ours(snapshot), digest="sha256:" + "a" * 64, containers=("web",))
    verdict = assess(snapshot, wanted)
    assert (verdict.state, verdict.reason) == (State.FAILED, Reason.INVALID_IMAGE)
    assert "instead of sha256:aaa" in verdict.message


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_live_revision_and_its_pods_are_found_by_owner_and_template(version: str, moment: str) -> None:
    snapshot = load(version, moment)
    revision = live_revision(snapshot)
    if moment == "paused":
        assert revision is None
        return
    assert revision is not None
    stored = next(obj for obj in snapshot.revisions if uid_of(obj) == revision.uid)
    if kind_of(workload_of(snapshot)) is Kind.DEPLOYMENT:
        assert annotations_of(stored)["deployment.kubernetes.io/revision"] == str(revision.number)
    newest = max(r.number for r in revisions_of(snapshot))
    assert revision.number == newest or moment == "deadline-left-over"
    for pod in new_pods(snapshot):
        assert pod["spec"]["containers"][0]["image"] == revision.template["spec"]["containers"][0]["image"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_foreign_change_inherits_every_mark_but_is_not_verified_by_it(version: str) -> None:
    foreign, verified = revisions_of(load(version, "foreign-env"))
    assert foreign.marks == verified.marks
    assert (foreign.is_verified, verified.is_verified) == (False, True)
    assert foreign.number == verified.number + 1


@pytest.mark.parametrize("version", VERSIONS)
def test_a_verdict_hashes_the_live_template_and_its_revision_and_no_older_one(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verdict is due at every event of every pod, and an API server keeps ten old revisions."""
    snapshot = load(version, "complete-again")
    expected = ours(snapshot)
    hashed: list[Any] = []

    def noted(template: Any) -> str:
        hashed.append(template)
        return template_hash(template)

    for module in (assessing, revisions):
        monkeypatch.setattr(module, "template_hash", noted)
    assert assess(snapshot, expected).passed
    assert (len(hashed), len(snapshot.revisions)) == (2, 2)


def ours(snapshot: Snapshot) -> Expected:
    expected = expect(workload_of(snapshot), crash_budget=3)
    assert expected.hash == template_hash(template_of(workload_of(snapshot)))
    return expected


def counts(pods: PodCounts) -> tuple[int, int, int, int]:
    return pods.desired, pods.new, pods.ready, pods.old
