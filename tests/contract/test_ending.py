"""What a deploy still does once its rollout is complete: the fresh read, the mark, the report, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from kdeploy.rollout.revisions import REVISION_ANNOTATION
from tests.contract.api_server import ApiServer, eventually, running
from tests.contract.cluster.conftest import kubeconfig

DIGEST = "sha256:" + "2" * 64
PROGRAM = """
import os, sys
from kdeploy.story.run import Run

COSTLY = ("import", "socket.connect", "_thread.start_new_thread")
late, judged, leave = [], Run.judged, os._exit

def judged_and_noted(*arguments):
    sys.addaudithook(lambda event, args: late.append(f"{event} {args[0]}") if event in COSTLY else None)
    return judged(*arguments)

def say_and_leave(code):
    print("LATE", *late, sep="|", flush=True)
    leave(code)

Run.judged, os._exit = judged_and_noted, say_and_leave
from kdeploy.__main__ import main
main()
"""


class Registry(BaseHTTPRequestHandler):
    """Has every image."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Docker-Content-Digest", DIGEST)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def complete(workload: dict[str, Any], generation: int) -> dict[str, Any]:
    """The Deployment as it is when the rollout of that generation is over."""
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    workload["metadata"]["generation"] = generation
    return {**workload, "status": {"observedGeneration": generation, **counts}}


def template(image: str) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}


def owned(name: str, owner: str, **more: Any) -> dict[str, Any]:
    references = [{"uid": owner, "controller": True}]
    return {"metadata": {"name": name, "labels": {"app": "web"}, "ownerReferences": references}, **more}


def roll_out(server: ApiServer, image: str, revision: int) -> None:
    """What controllers and a kubelet make of a new template."""
    name = f"web-{revision}"
    replica_set = owned(name, "uid-deployments-web", spec={"template": template(image)})
    replica_set["metadata"]["annotations"] = {REVISION_ANNOTATION: str(revision)}
    server.put("replicasets", replica_set)
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "web", "ready": True, "restartCount": 0, "state": {"running": {}}}],
    }
    server.put("pods", owned(f"{name}-a", f"uid-replicasets-{name}", spec=template(image)["spec"], status=status))


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running() as server:
        server.put("namespaces", {"metadata": {"name": "shop"}})
        spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template("web:1")}
        metadata = {"name": "web", "annotations": {"team": "shop"}}
        server.put("deployments", complete({"metadata": metadata, "spec": spec}, 1))
        roll_out(server, "web:1", 1)
        yield server


def test_after_a_complete_rollout_nothing_is_imported_connected_or_started(
    server: ApiServer, registry: str, tmp_path: Path
) -> None:
    image = f"{registry}/web:2@{DIGEST}"
    report, trace = tmp_path / "report", tmp_path / "trace"
    flags = ("--image", image, "--report", str(report), "--trace", str(trace), "--kubeconfig")
    command = [sys.executable, "-c", PROGRAM, "deploy", "deployment/web", *flags, kubeconfig(tmp_path, server.url)]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env, cwd=tmp_path, text=True) as deploy:
        eventually(lambda: deploy.poll() is not None or server.of("PATCH deployments"), within=30.0)
        eventually(lambda: deploy.poll() is not None or server.watching() == 3)  # on a busy machine one connects late
        roll_out(server, image, 2)
        server.remove("pods", "web-1-a")
        server.put("deployments", complete(server.get("deployments", "web"), 2))
        said = deploy.communicate(timeout=30)[0]
    assert deploy.returncode == 0
    assert said.splitlines()[-1] == "LATE"
    assert server.names()[-1] == "PATCH deployments"
    assert '"outcome": "deployed"' in report.read_text()
