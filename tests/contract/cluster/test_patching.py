"""Conditional patches: what is sent, what an answer means, and that none is sent twice."""

from __future__ import annotations

from typing import Any

import pytest

from kdeploy import __version__
from kdeploy.cluster import transport
from kdeploy.cluster.client import KubernetesCluster
from kdeploy.cluster.transport import Request
from kdeploy.errors import ClusterError, PatchConflictError, UnreachableError
from kdeploy.model import Reason, Target
from tests.contract.api_server import ApiServer, Reply, failed
from tests.contract.cluster.conftest import soon

TEST_UID = {"op": "test", "path": "/metadata/uid", "value": "uid-deployments-web"}
SET_IMAGE = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:2"}
MARK = {"op": "add", "path": "/metadata/annotations/kdeploy.dev~1verified", "value": "x"}


def test_a_patch_is_json_patch_by_our_own_field_manager(opened: KubernetesCluster, server: ApiServer) -> None:
    patched = opened.patch([TEST_UID, SET_IMAGE], soon())
    assert patched["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"
    sent = server.of("PATCH deployments")[0]
    assert sent.headers["content-type"] == "application/json-patch+json"
    assert sent.headers["user-agent"] == f"kdeploy/{__version__}"
    assert sent.query == {"fieldManager": "kdeploy"}
    assert sent.body == [TEST_UID, SET_IMAGE]


def test_no_snapshot_after_a_patch_is_older_than_the_patch(opened: KubernetesCluster, server: ApiServer) -> None:
    server.mute_watches()
    patched = opened.patch([SET_IMAGE], soon())
    assert opened.snapshot().workload == patched


def test_a_dry_run_changes_neither_the_cluster_nor_the_view(opened: KubernetesCluster, server: ApiServer) -> None:
    before = opened.snapshot().workload
    opened.patch([SET_IMAGE], soon(), dry_run=True)
    assert server.of("PATCH deployments")[0].query == {"fieldManager": "kdeploy", "dryRun": "All"}
    assert opened.snapshot().workload is before


def test_a_failed_test_is_a_conflict(opened: KubernetesCluster) -> None:
    with pytest.raises(PatchConflictError) as caught:
        opened.patch([{**TEST_UID, "value": "another"}, SET_IMAGE], soon())
    assert (caught.value.status, caught.value.reason) == (422, Reason.CONFLICT)


@pytest.mark.parametrize(
    ("status", "reason", "message", "expected", "hint"),
    [
        (403, "Forbidden", "User cannot patch", Reason.FORBIDDEN, "grant: patch deployments (apps) in namespace shop"),
        (403, "Forbidden", "exceeded quota: pods", Reason.QUOTA_EXCEEDED, "quota"),
        (403, "Forbidden", 'admission webhook "x" denied the request: no', Reason.ADMISSION_DENIED, "policy"),
        (400, "BadRequest", 'admission webhook "x" denied the request: no', Reason.ADMISSION_DENIED, "policy"),
        (422, "Invalid", "ValidatingAdmissionPolicy 'p' denied request: no", Reason.ADMISSION_DENIED, "policy"),
        (404, "NotFound", "not found", Reason.NOT_FOUND, "name"),
    ],
)
def test_a_refused_patch_says_who_refuses_and_what_to_do(
    opened: KubernetesCluster, server: ApiServer, status: int, reason: str, message: str, expected: Reason, hint: str
) -> None:
    server.answer("PATCH deployments", failed(status, reason, message))
    with pytest.raises(ClusterError) as caught:
        opened.patch([SET_IMAGE], soon())
    assert (caught.value.reason, caught.value.status) == (expected, status)
    assert hint in caught.value.hint
    assert message in caught.value.message
    assert not isinstance(caught.value, UnreachableError | PatchConflictError)


def test_a_right_that_was_granted_a_moment_ago_may_be_forgotten_for_a_moment_only(
    opened: KubernetesCluster, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.patch([SET_IMAGE], soon())
    server.answer("PATCH deployments", failed(403, "Forbidden", "User cannot patch"))
    with pytest.raises(UnreachableError) as forgotten:
        opened.patch([MARK], soon())
    assert (forgotten.value.reason, forgotten.value.may_have_arrived) == (Reason.FORBIDDEN, False)
    monkeypatch.setattr(transport, "_FORGETFUL", 0.0)
    server.answer("PATCH deployments", failed(403, "Forbidden", "User cannot patch"))
    with pytest.raises(ClusterError) as revoked:
        opened.patch([MARK], soon())
    assert not isinstance(revoked.value, UnreachableError)


@pytest.mark.parametrize("message", ["exceeded quota: pods", 'admission webhook "x" denied the request: no'])
def test_a_policy_that_refuses_a_later_patch_has_forgotten_nothing(
    opened: KubernetesCluster, server: ApiServer, message: str
) -> None:
    opened.patch([SET_IMAGE], soon())
    server.answer("PATCH deployments", failed(403, "Forbidden", message))
    with pytest.raises(ClusterError) as caught:
        opened.patch([MARK], soon())
    assert not isinstance(caught.value, UnreachableError)


def test_a_patch_whose_good_answer_cannot_be_read_may_have_arrived(
    opened: KubernetesCluster, server: ApiServer
) -> None:
    server.answer("PATCH deployments", Reply(body="<html>a proxy</html>"))
    with pytest.raises(UnreachableError) as caught:
        opened.patch([SET_IMAGE], soon())
    assert caught.value.may_have_arrived


def test_a_list_that_a_stream_asked_for_before_the_patch_does_not_hide_it(
    cluster: KubernetesCluster, server: ApiServer, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.open(target, soon())
    assert cluster._stores is not None
    store, once = cluster._stores[0], cluster._transport.once
    listed_before = store._view

    def patched_while_listing(request: Request, until: float) -> dict[str, Any]:
        answer = once(request, until)
        store.replace(listed_before)
        return answer

    cluster._end_streams()
    monkeypatch.setattr(cluster._transport, "once", patched_while_listing)
    cluster.patch([SET_IMAGE], soon())
    workload = cluster.snapshot().workload
    assert workload is not None
    assert workload["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"


@pytest.mark.parametrize("status", [429, 500, 503, 504])
def test_a_patch_is_never_sent_twice(opened: KubernetesCluster, server: ApiServer, status: int) -> None:
    server.answer("PATCH deployments", failed(status, "X", "later", Retry_After="0"))
    with pytest.raises(UnreachableError):
        opened.patch([SET_IMAGE], soon())
    assert len(server.of("PATCH deployments")) == 1


def test_a_webhook_that_cannot_be_called_is_named_and_may_be_tried_later(
    opened: KubernetesCluster, server: ApiServer
) -> None:
    server.answer("PATCH deployments", failed(500, "InternalError", 'failed calling webhook "x": refused'))
    with pytest.raises(UnreachableError) as caught:
        opened.patch([SET_IMAGE], soon())
    assert caught.value.reason is Reason.ADMISSION_DENIED
