"""What the audit log proves of the rules: who used which, and that only a whole run is asked for all."""

from typing import Any

import pytest

from tests.e2e import __main__ as e2e
from tests.scenarios.rights import used_rules


def event(verb: str, resource: str, namespace: str, group: str = "", *, sub: str = "", code: int = 200) -> Any:
    about = {"resource": resource, "namespace": namespace, "apiGroup": group, "subresource": sub}
    return {"verb": verb, "objectRef": about, "responseStatus": {"code": code}}


def test_a_rule_was_used_by_the_kind_of_its_namespaces_one_workload() -> None:
    used = used_rules(
        [
            event("get", "deployments", "one", "apps"),
            event("get", "pods", "one", sub="log"),
            event("patch", "statefulsets", "two", "apps"),
            event("delete", "pods", "two"),
            event("list", "events", "two", code=403),
            event("create", "selfsubjectrulesreviews", "two", "authorization.k8s.io"),
            event("get", "deployments", "both", "apps"),
            event("get", "daemonsets", "both", "apps"),
            event("watch", "pods", "both"),
            {"verb": "get", "responseStatus": {"code": 200}},
        ]
    )
    assert used == {
        "Deployment": {("apps", "deployments", "get"), ("", "pods/log", "get")},
        "StatefulSet": {("apps", "statefulsets", "patch"), ("", "pods", "delete")},
        "DaemonSet": set(),
    }


@pytest.mark.parametrize(("arguments", "whole"), [([], True), (["-k", "canar"], False)])
def test_only_a_run_of_all_tests_is_told_that_it_is_one(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], whole: bool
) -> None:
    given: list[Any] = []
    monkeypatch.delenv(e2e.WHOLE, raising=False)

    def run(_: Any, environment: Any) -> int:
        given.append(environment)
        return 0

    monkeypatch.setattr(e2e, "_pytest", run)
    e2e._run("v1.35.4", arguments, {}, e2e.ROUNDS)
    assert [e2e.WHOLE in environment for environment in given] == [whole] * len(e2e.ROUNDS)
