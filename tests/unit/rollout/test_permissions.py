"""What a deploy must be allowed, and what it goes without."""

from __future__ import annotations

import pytest

from kdeploy.errors import RefusedError
from kdeploy.model import HttpCheck, Kind, Outcome, Reason, Target
from kdeploy.rollout.permissions import asked, refuse_forbidden

PATH = HttpCheck(name="path", path="/health")
TLS = HttpCheck(name="tls", path="/health", scheme="https")
URL = HttpCheck(name="url", url="https://shop.example/health")
GET_PROXY = "get pods/proxy in namespace shop"
FORWARD = ("get pods/portforward in namespace shop", "create pods/portforward in namespace shop")


def target(kind: Kind = Kind.DEPLOYMENT) -> Target:
    return Target(kind=kind, name="web", namespace="shop")


def judged(*rules: str, checks: tuple[HttpCheck, ...] = (PATH,), kind: Kind = Kind.DEPLOYMENT) -> tuple[str, ...]:
    """The warnings for a user who lacks the permissions that these rules would grant."""
    wanted = asked(target(kind), checks)
    lacking = [one for one in wanted if one.rule in rules]
    return refuse_forbidden(target(kind), checks, lacking)


def refusal(*rules: str, checks: tuple[HttpCheck, ...] = (PATH,)) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        judged(*rules, checks=checks)
    assert (caught.value.outcome, caught.value.reason) == (Outcome.REFUSED, Reason.FORBIDDEN)
    return caught.value


@pytest.mark.parametrize("kind", list(Kind))
def test_who_lacks_nothing_hears_nothing(kind: Kind) -> None:
    assert judged(kind=kind) == ()


def test_the_workload_is_asked_for_by_its_name_so_that_a_rule_for_it_alone_is_enough() -> None:
    named = {one.verb: one.name for one in asked(target(), ()) if one.resource == "deployments"}
    assert named == {"patch": "web", "list": "web", "watch": "web"}


@pytest.mark.parametrize(
    "rule",
    [
        "patch deployments (apps) in namespace shop",
        "watch deployments (apps) in namespace shop",
        "watch replicasets (apps) in namespace shop",
        "watch pods in namespace shop",
    ],
)
def test_what_a_deploy_cannot_do_without_is_refused_with_the_rule_to_add(rule: str) -> None:
    error = refusal(rule)
    assert (error.message, error.hint) == (f"this user may not {rule}", f"grant: {rule}")


def test_all_that_is_missing_is_told_at_once() -> None:
    patch = "patch deployments (apps) in namespace shop"
    assert refusal(patch, GET_PROXY, *FORWARD).hint == f"grant: {patch}; {GET_PROXY}"


def test_a_check_of_a_path_needs_the_pod_proxy_or_port_forward() -> None:
    error = refusal(GET_PROXY, *FORWARD)
    assert error.message == f"this user may not {GET_PROXY}, which the checks need"
    assert error.hint == f"grant: {GET_PROXY}"
    assert judged(GET_PROXY) == ()
    assert judged(*FORWARD) == ()
    assert judged(GET_PROXY, FORWARD[1]) == (), "before Kubernetes 1.35 `get` is enough"


def test_port_forward_does_for_plain_http_alone() -> None:
    assert refusal(GET_PROXY, checks=(PATH, TLS)).hint == f"grant: {GET_PROXY}"


def test_a_check_of_a_url_needs_no_permission() -> None:
    assert judged(GET_PROXY, *FORWARD, checks=(URL,)) == ()
    assert {one.resource for one in asked(target(), (URL,))}.isdisjoint({"pods/proxy", "pods/portforward"})


def test_what_is_only_evidence_is_a_warning() -> None:
    events, logs = judged("list events in namespace shop", "get pods/log in namespace shop")
    assert "without list events in namespace shop a failure is told without its events" in events
    assert "without get pods/log in namespace shop" in logs


def test_what_only_some_rollbacks_need_is_a_warning() -> None:
    delete, mark = "delete pods in namespace shop", "patch controllerrevisions (apps) in namespace shop"
    assert len(judged(delete, mark, kind=Kind.STATEFULSET)) == 2
    assert len(judged(delete, mark, kind=Kind.DAEMONSET)) == 1
    assert judged(delete, mark) == ()
