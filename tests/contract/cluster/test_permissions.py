"""Asking what this user may do."""

from __future__ import annotations

import pytest

from kdeploy.cluster.client import KubernetesCluster
from kdeploy.model import Permission
from tests.contract.api_server import ApiServer, Reply, failed
from tests.contract.cluster.conftest import soon

PATCH = Permission(verb="patch", resource="deployments", group="apps", namespace="shop", name="web")
PROXY = Permission(verb="get", resource="pods/proxy", namespace="shop", name="web-0")
RULES = "POST selfsubjectrulesreviews"
REVIEW = "POST selfsubjectaccessreviews"


def test_what_the_rules_grant_is_asked_with_one_request(cluster: KubernetesCluster, server: ApiServer) -> None:
    assert cluster.lacking([PATCH, PROXY], soon()) == ()
    assert server.names() == [RULES]
    assert server.seen[0].body["spec"] == {"namespace": "shop"}
    assert cluster.requests == 0, "preflight is not counted"


def test_what_the_rules_do_not_grant_is_asked_by_itself(cluster: KubernetesCluster, server: ApiServer) -> None:
    server.rules, server.allowed = [{"verbs": ["patch"], "apiGroups": ["apps"], "resources": ["deployments"]}], False
    assert cluster.lacking([PATCH, PROXY], soon()) == (PROXY,)
    (review,) = server.of(REVIEW)
    assert review.body["spec"]["resourceAttributes"] == {
        "namespace": "shop",
        "verb": "get",
        "resource": "pods",
        "subresource": "proxy",
        "name": "web-0",
    }


@pytest.mark.parametrize(
    ("status", "is_lacking"),
    [
        ({"allowed": False}, True),
        ({"allowed": False, "denied": True, "evaluationError": "the webhook is down"}, True),
        ({"allowed": False, "evaluationError": "the webhook is down"}, False),
        ({"allowed": True}, False),
        ({}, False),
        (None, False),
    ],
)
def test_only_a_clear_no_is_one(
    cluster: KubernetesCluster, server: ApiServer, status: dict[str, object] | None, is_lacking: bool
) -> None:
    server.rules = []
    server.always(REVIEW, Reply(status=201, body={"kind": "SelfSubjectAccessReview", "status": status}))
    assert cluster.lacking([PATCH], soon()) == ((PATCH,) if is_lacking else ())


def test_where_nothing_may_be_asked_nothing_is_lacking(cluster: KubernetesCluster, server: ApiServer) -> None:
    for name in (RULES, REVIEW):
        server.always(name, failed(403, "Forbidden", "no"))
    assert cluster.lacking([PATCH, PROXY], soon()) == ()
    for name in (RULES, REVIEW):
        server.always(name, Reply(hang=True))
    assert cluster.lacking([PATCH, PROXY], soon(0.3)) == ()
