"""A hollow node: its pods count as running and ready as soon as they are seen, and no container is ever started.

`python -m bench.hollow STATE` plays its kubelet until it is ended. Fifty real pods keep two cores so busy with starting
and ending containers that one would measure the scheduler of Linux; the API server, the controllers, the objects and
the watch events are real here too.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from bench.api import MERGE_PATCH, Api
from tests.cluster.cluster import Cluster

NODE = "bench-hollow"
_NODE_PATH = f"/api/v1/nodes/{NODE}"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_BEAT = 5.0


@contextlib.contextmanager
def hollow_node(cluster: Cluster, root: Path) -> Iterator[str]:
    """A node of that name while the block lasts; its kubelet is a process of its own."""
    api = Api.of(cluster)
    kubelet = subprocess.Popen([sys.executable, "-m", "bench.hollow", str(cluster.state)], cwd=root)
    try:
        while api.ask("GET", _NODE_PATH) is None:
            time.sleep(0.1)
        yield NODE
    finally:
        kubelet.terminate()
        kubelet.wait()
        api.ask("DELETE", _NODE_PATH)
        api.ask("DELETE", f"{_LEASES}/{NODE}")


def play(api: Api) -> None:
    """Registers the node, keeps it alive, and makes each new pod of it ready."""
    api.ask("POST", "/api/v1/nodes", {"metadata": {"name": NODE}, "spec": {"taints": [_taint()]}})
    api.ask("POST", _LEASES, {"metadata": {"name": NODE}, "spec": {"holderIdentity": NODE}})
    threading.Thread(target=_keep_alive, args=(api,), daemon=True).start()
    connection = api.connect()
    for pod in _pods(api):
        if not (pod.get("status") or {}).get("containerStatuses"):
            _make_ready(api, connection, pod)


def _pods(api: Api) -> Iterator[Mapping[str, Any]]:
    """Each new or changed pod of the node."""
    while True:
        with contextlib.closing(api.connect()) as connection:
            answer = api.send(connection, "GET", f"/api/v1/pods?watch=true&fieldSelector=spec.nodeName={NODE}")
            while line := answer.readline():
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED"):
                    yield event["object"]


def _make_ready(api: Api, connection: HTTPSConnection, pod: Mapping[str, Any]) -> None:
    meta = pod["metadata"]
    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status"
    api.send(connection, "PATCH", path, {"status": ready_status(pod, _now())}, MERGE_PATCH).read()


def ready_status(pod: Mapping[str, Any], now: str) -> dict[str, Any]:
    """What a kubelet would report of a pod whose containers run and are ready."""
    types = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "phase": "Running",
        "startTime": now,
        "conditions": [{"type": type_, "status": "True", "lastTransitionTime": now} for type_ in types],
        "containerStatuses": [_running(container, now) for container in pod["spec"]["containers"]],
    }


def _running(container: Mapping[str, Any], now: str) -> dict[str, Any]:
    image = str(container["image"])
    return {
        "name": container["name"],
        "image": image,
        "imageID": image,
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": now}},
    }


def _keep_alive(api: Api) -> None:
    while True:
        now = _now()
        condition = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now}
        api.ask("PATCH", f"{_NODE_PATH}/status", {"status": {"conditions": [condition]}}, MERGE_PATCH)
        renewed = {"spec": {"renewTime": now.replace("Z", ".000000Z"), "leaseDurationSeconds": 40}}
        api.ask("PATCH", f"{_LEASES}/{NODE}", renewed, MERGE_PATCH)
        time.sleep(_BEAT)


def _taint() -> Mapping[str, str]:
    return {"key": "kdeploy.dev/bench", "value": "hollow", "effect": "NoSchedule"}


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    play(Api.of(Cluster.load(Path(sys.argv[1]))))
