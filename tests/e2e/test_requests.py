"""What a deploy asks of the API server, by the server's own audit log."""

import time
from collections import Counter
from typing import Any

from tests.e2e.scene import Scene
from tests.scenarios.versions import good


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
    gets = [event for event in rest if event["verb"] == "get" and _is(event, "deployments")]
    lists = Counter(event["objectRef"]["resource"] for event in rest if event["verb"] == "list")
    assert lists == {"deployments": 1, "replicasets": 3, "pods": 3}, "preflight, the begin of the watches, the end"
    preflight, silence = 3, gets[1:-1]
    assert len(rest) - preflight - len(silence) == ran.report["api_requests"]
    patched = next(i for i, event in enumerate(rest) if event["verb"] == "patch")
    assert {event["verb"] for event in rest[:patched]} <= {"get", "list", "watch"}


def _is_here(event: dict[str, Any], namespace: str) -> bool:
    return bool((event.get("objectRef") or {}).get("namespace") == namespace)


def _is(event: dict[str, Any], resource: str) -> bool:
    return bool(event["objectRef"]["resource"] == resource)
