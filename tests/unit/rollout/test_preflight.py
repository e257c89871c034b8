from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from kdeploy.errors import RefusedError
from kdeploy.model import Obj, Reason
from kdeploy.rollout import marks
from kdeploy.rollout.preflight import blind, owners, refuse_older, refuse_unfit
from kdeploy.rollout.revisions import Revision, live_revision
from tests.unit.rollout.dumps import VERSIONS, load, workload_of


def workload(kind: str, metadata: Mapping[str, Any] | None = None, **spec: Any) -> Obj:
    return {"kind": kind, "metadata": {"name": "web", **(metadata or {})}, "spec": spec}


@pytest.mark.parametrize(
    ("unfit", "says"),
    [
        (workload("Deployment", paused=True), "deployment/web is paused"),
        (workload("StatefulSet", updateStrategy={"type": "OnDelete"}), "OnDelete"),
        (workload("DaemonSet", updateStrategy={"type": "OnDelete"}), "OnDelete"),
        (workload("StatefulSet", updateStrategy={"rollingUpdate": {"partition": 2}}), "partition 2"),
    ],
)
def test_a_workload_whose_controller_would_not_roll_every_pod_is_refused_with_a_way_out(unfit: Obj, says: str) -> None:
    with pytest.raises(RefusedError, match=says) as refused:
        refuse_unfit(unfit)
    assert refused.value.hint


@pytest.mark.parametrize(
    "fit",
    [
        workload("Deployment", paused=False),
        workload("Deployment", strategy={"type": "Recreate"}),
        workload("StatefulSet", updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
        workload("DaemonSet"),
    ],
)
def test_a_workload_that_rolls_is_not_refused(fit: Obj) -> None:
    refuse_unfit(fit)


def verified_live(**more: str) -> Revision:
    revision = live_revision(load(VERSIONS[0], "verified"))
    assert revision is not None
    assert revision.is_verified
    return replace(revision, marks={**revision.marks, **more})


OLD, NEW = "a" * 40, "c" * 40
"""The recorded live commit is `NEW`."""


def git(answer: bool | str) -> Any:
    return lambda commit, of: answer


def test_a_commit_that_git_proves_to_be_an_ancestor_of_the_live_one_is_refused() -> None:
    with pytest.raises(RefusedError, match="is an ancestor of") as refused:
        refuse_older(verified_live(), OLD, "", git(True))
    assert refused.value.reason is Reason.OLDER_COMMIT
    assert "--force" in refused.value.hint


def test_what_git_cannot_tell_is_allowed_and_said() -> None:
    assert refuse_older(verified_live(), OLD, "", git(False)) is None
    said = refuse_older(verified_live(), OLD, "", git("this clone is shallow"))
    assert said is not None
    assert said.startswith(
        "git cannot tell whether aaaaaaaaaaaa is older than cccccccccccc, which is live; it is allowed"
    )
    assert said.endswith("(this clone is shallow)")


def test_an_image_of_no_known_commit_is_allowed_and_that_is_said() -> None:
    said = refuse_older(verified_live(), None, "", git(True))
    assert said is not None
    assert "it may be older than cccccccccccc, which is live; it is allowed (give --commit)" in said


def test_the_same_commit_and_no_live_revision_are_allowed() -> None:
    assert refuse_older(verified_live(), NEW, "", git(True)) is None
    assert refuse_older(None, OLD, "", git(True)) is None


def test_a_live_version_that_was_never_verified_does_not_count_as_newer() -> None:
    unverified = replace(verified_live(), marks={marks.COMMIT: NEW, marks.RUN: "ci#9"})
    assert refuse_older(unverified, OLD, "ci#1", git(True)) is None


def test_a_deploy_that_came_since_this_one_began_counts_as_newer_before_it_is_verified() -> None:
    theirs = {marks.COMMIT: NEW, marks.RUN: "ci#9"}
    unverified = replace(verified_live(), marks=theirs)
    for live in (unverified, None):
        with pytest.raises(RefusedError, match="is an ancestor of"):
            refuse_older(live, OLD, "", git(True), theirs)
        with pytest.raises(RefusedError, match="of the same pipeline is live"):
            refuse_older(live, None, "ci#1", git(False), theirs)
        assert refuse_older(live, OLD, "", git(False), theirs) is None


@pytest.mark.parametrize(
    ("run", "live", "refused"),
    [
        ("ci#7", "ci#8", True),
        ("ci#9", "ci#10", True),
        ("ci#8", "ci#8", False),
        ("ci#9", "ci#8", False),
        ("ci#7", "other#8", False),
        ("", "ci#8", False),
        ("ci#7", "", False),
        ("ci#x", "ci#8", False),
        ("a#b#1", "a#b#2", True),
    ],
)
def test_a_lower_run_number_of_the_same_pipeline_is_refused(run: str, live: str, refused: bool) -> None:
    revision = verified_live(**{marks.RUN: live})
    if not refused:
        assert refuse_older(revision, OLD, run, git(False)) is None
        return
    with pytest.raises(RefusedError, match="of the same pipeline is live"):
        refuse_older(revision, OLD, run, git(False))


def manager(name: str, container: str, field: str = "f:containers") -> Mapping[str, Any]:
    owned: Obj = {f'k:{{"name":"{container}"}}': {"f:image": {}}}
    fields = {"f:spec": {"f:template": {"f:spec": {field: owned}}}}
    return {"managedFields": [{"manager": name, "fieldsV1": fields}]}


@pytest.mark.parametrize(
    ("metadata", "tools"),
    [
        ({}, []),
        ({"labels": {"argocd.argoproj.io/instance": "shop"}}, ["Argo CD"]),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, ["Argo CD"]),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}}, ["Flux"]),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, ["Helm"]),
        ({"annotations": {"meta.helm.sh/release-name": "shop"}}, ["Helm"]),
        (manager("argocd-controller", "web"), ["Argo CD"]),
        (manager("kustomize-controller", "web", "f:initContainers"), ["Flux"]),
        (manager("helm", "web"), ["Helm"]),
        (manager("helm", "sidecar"), []),
        (manager("kubectl-client-side-apply", "web"), []),
    ],
)
def test_who_owns_the_image_is_known_by_labels_annotations_or_managed_fields(
    metadata: Mapping[str, Any], tools: list[str]
) -> None:
    warnings = owners(workload("Deployment", metadata), ("web",))
    assert [warning.partition(" manages")[0] for warning in warnings] == tools


@pytest.mark.parametrize("version", VERSIONS)
def test_a_workload_that_kubectl_applied_has_no_such_owner(version: str) -> None:
    assert owners(workload_of(load(version, "complete")), ("web",)) == ()


def _template(**container: object) -> dict[str, object]:
    return {"spec": {"containers": [{"name": "web", "image": "x", **container}, {"name": "log", "image": "y"}]}}


def test_a_workload_that_nothing_looks_at_is_warned_of() -> None:
    (warning,) = blind({"spec": {"template": _template()}}, ("web",), has_checks=False)
    assert "readinessProbe" in warning


@pytest.mark.parametrize(
    "spec",
    [
        {"template": _template(readinessProbe={"tcpSocket": {"port": 80}})},
        {"template": _template(startupProbe={"exec": {"command": ["true"]}})},
        {"template": _template(), "minReadySeconds": 5},
    ],
)
def test_a_probe_or_min_ready_seconds_is_a_look(spec: dict[str, object]) -> None:
    assert blind({"spec": spec}, ("web",), has_checks=False) == ()


def test_a_check_is_a_look_and_a_probe_of_another_container_is_none() -> None:
    workload = {"spec": {"template": _template()}}
    assert blind(workload, ("web",), has_checks=True) == ()
    workload["spec"]["template"]["spec"]["containers"][1]["readinessProbe"] = {}  # type: ignore[index]
    assert blind(workload, ("web",), has_checks=False) != ()
