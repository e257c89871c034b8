"""kubectl on the sandbox's API server, over TLS, with simulated pods behind it: it works as on any cluster."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdeploy.sandbox.certificate import make
from tests.contract.sandbox.api_world import TOKEN, cluster_world

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
        ports: [{containerPort: 8080, name: http}]
        env: [{name: A, value: "1"}]
        readinessProbe: {httpGet: {path: /health, port: http}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
"""

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("kubectl")
    made = make(["127.0.0.1"], ["localhost"], time.time(), secrets.randbelow)
    (folder / "server.pem").write_text(made.certificate + made.key.reveal())
    (folder / "authority.pem").write_text(made.certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem")
    with cluster_world(tls=tls) as served:
        cluster = {"server": served.url, "certificate-authority": str(folder / "authority.pem")}
        content = {
            "clusters": [{"name": "sandbox", "cluster": cluster}],
            "users": [{"name": "sandbox", "user": {"token": TOKEN}}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
            "current-context": "sandbox",
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(content))
        yield path


@pytest.fixture
def kubectl(kubeconfig: Path, request: pytest.FixtureRequest) -> Kubectl:
    """Runs kubectl in a namespace of the test's own. `ok` False: it must fail."""
    namespace = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:60].strip("-")

    def run(*arguments: str, ok: bool | None = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["kubectl", "--namespace", namespace, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env=environment_of(kubeconfig),
            check=False,
        )
        assert ok is None or (done.returncode == 0) is ok, (arguments, done.stdout, done.stderr)
        return done

    run("create", "namespace", namespace)
    return run


def environment_of(kubeconfig: Path) -> dict[str, str]:
    """One home for all, where kubectl remembers what it has discovered."""
    return {"KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent), "PATH": os.environ["PATH"]}


def rows(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    """A table's lines, in words."""
    return [line.split() for line in done.stdout.splitlines()]


def deployed(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=MANIFEST)
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")


def test_a_manifest_is_applied_and_applied_again(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=MANIFEST).stdout == "deployment.apps/web created\nservice/web created\n"
    again = kubectl("apply", "-f", "-", stdin=MANIFEST).stdout
    assert again == "deployment.apps/web unchanged\nservice/web unchanged\n"
    changed = MANIFEST.replace('value: "1"', 'value: "2"').replace("replicas: 2", "replicas: 3")
    assert kubectl("diff", "-f", "-", stdin=changed, ok=False).stdout.count('\n+          value: "2"\n') == 1
    assert "deployment.apps/web configured" in kubectl("apply", "-f", "-", stdin=changed).stdout
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    found = kubectl(
        "get", "deployment", "web", "-o", "jsonpath={.spec.replicas} {..env[0].value} {.metadata.generation}"
    )
    assert found.stdout == "3 2 2"
    dropped = changed.replace('        env: [{name: A, value: "2"}]\n', "")
    kubectl("apply", "-f", "-", stdin=dropped)
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={..env}").stdout == ""


def test_a_manifest_with_a_mistake_is_refused_with_its_field(kubectl: Kubectl) -> None:
    typo = kubectl("apply", "-f", "-", stdin=MANIFEST.replace("replicas", "replcas"), ok=False).stderr
    assert 'strict decoding error: unknown field "spec.replcas"' in typo
    wrong = kubectl("create", "-f", "-", stdin=MANIFEST.replace("replicas: 2", "replicas: two"), ok=False).stderr
    assert "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32" in wrong
    nothing = kubectl("create", "-f", "-", stdin=MANIFEST.replace("image: web:1", "image: ''"), ok=False).stderr
    assert 'Deployment.apps "web" is invalid: spec.template.spec.containers[0].image: Required value' in nothing
    assert "Server-side apply" in kubectl("apply", "--server-side", "-f", "-", stdin=MANIFEST, ok=False).stderr


def test_get_prints_the_tables_that_people_know(kubectl: Kubectl) -> None:
    deployed(kubectl)
    header, web = rows(kubectl("get", "deployments"))
    assert header == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert web[:4] == ["web", "2/2", "2", "2"]
    header, web = rows(kubectl("get", "deployment", "web", "-o", "wide"))
    assert header[5:] == ["CONTAINERS", "IMAGES", "SELECTOR"]
    assert web[5:] == ["web", "web:1", "app=web"]
    header, *pods = rows(kubectl("get", "pods", "-l", "app=web"))
    assert header == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [pod[1:4] for pod in pods] == [["1/1", "Running", "0"]] * 2
    assert kubectl("get", "pods", "--field-selector", "status.phase=Pending").stdout == ""
    assert kubectl("get", "rs", "-o", "name").stdout.startswith("replicaset.apps/web-")
    everywhere = rows(kubectl("get", "deployments", "-A"))
    assert everywhere[0][0] == "NAMESPACE"
    assert rows(kubectl("get", "nodes"))[1][:3] == ["sandbox", "Ready", "<none>"]
    assert rows(kubectl("get", "service", "web"))[1][1] == "ClusterIP"
    assert kubectl("get", "all").stdout.count("NAME") == 4
    assert json.loads(kubectl("get", "pods", "-o", "json").stdout)["items"][0]["kind"] == "Pod"
    assert 'pods "nope" not found' in kubectl("get", "pod", "nope", ok=False).stderr
    assert """the server doesn't have a resource type "nope\"""" in kubectl("get", "nope", ok=False).stderr


def test_a_bad_image_is_seen_and_undone(kubectl: Kubectl) -> None:
    deployed(kubectl)
    kubectl("set", "image", "deployment/web", "web=missing:1")
    assert "timed out" in kubectl("rollout", "status", "deployment/web", "--timeout=2s", ok=False).stderr
    assert {"ErrImagePull", "ImagePullBackOff"} & {pod[2] for pod in rows(kubectl("get", "pods"))}
    history = rows(kubectl("rollout", "history", "deployment/web"))
    assert [line[0] for line in history[2:] if line] == ["1", "2"]
    assert "missing:1" in kubectl("rollout", "history", "deployment/web", "--revision=2").stdout
    assert kubectl("rollout", "undo", "deployment/web").stdout == "deployment.apps/web rolled back\n"
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={..image}").stdout == "web:1"


def test_the_verbs_that_change_a_workload(kubectl: Kubectl) -> None:
    deployed(kubectl)
    for arguments, said in {
        ("set", "env", "deployment/web", "B=2"): "env updated",
        ("scale", "deployment/web", "--replicas=3"): "scaled",
        ("annotate", "deployment/web", "a=b"): "annotated",
        ("label", "deployment/web", "c=d"): "labeled",
        ("rollout", "pause", "deployment/web"): "paused",
        ("rollout", "resume", "deployment/web"): "resumed",
        ("rollout", "restart", "deployment/web"): "restarted",
        ("patch", "deployment", "web", "-p", '{"spec":{"minReadySeconds":1}}'): "patched",
        ("patch", "deployment", "web", "--type=merge", "-p", '{"metadata":{"labels":{"e":"f"}}}'): "patched",
        ("patch", "deployment", "web", "--type=json", "-p", '[{"op":"remove","path":"/metadata/labels/e"}]'): "patched",
    }.items():
        assert said in kubectl(*arguments).stdout
    found = json.loads(kubectl("get", "deployment", "web", "-o", "json").stdout)
    assert (found["spec"]["replicas"], found["spec"]["minReadySeconds"]) == (3, 1)
    assert (found["metadata"]["labels"], found["metadata"]["annotations"]["a"]) == ({"app": "web", "c": "d"}, "b")
    assert [one["name"] for one in found["spec"]["template"]["spec"]["containers"][0]["env"]] == ["A", "B"]
    refused = kubectl("patch", "deployment", "web", "-p", '{"spec":{"selector":{"matchLabels":{"x":"y"}}}}', ok=False)
    assert "field is immutable" in refused.stderr


def test_typed_clients_that_send_protobuf_are_understood(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=web:1", "--replicas=2", "--port=80")
    kubectl("create", "configmap", "settings", "--from-literal=a=b")
    kubectl("create", "secret", "generic", "keys", "--from-literal=a=b")
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "service", "clusterip", "api", "--tcp=80:8080")
    found = json.loads(kubectl("get", "deployment", "web", "-o", "json").stdout)["spec"]
    assert (found["replicas"], found["template"]["spec"]["containers"][0]["ports"][0]["containerPort"]) == (2, 80)
    assert kubectl("get", "configmap", "settings", "-o", "jsonpath={.data.a}").stdout == "b"
    assert kubectl("get", "secret", "keys", "-o", "jsonpath={.data.a}").stdout == "Yg=="
    assert kubectl("get", "service", "api", "-o", "jsonpath={.spec.ports[0].targetPort}").stdout == "8080"
    assert kubectl("auth", "can-i", "patch", "deployments").stdout == "yes\n"
    assert "[*]" in kubectl("auth", "can-i", "--list").stdout
    assert "kdeploy-sandbox" in kubectl("auth", "whoami").stdout


def test_describe_tells_the_whole_story(kubectl: Kubectl) -> None:
    deployed(kubectl)
    web = kubectl("describe", "deployment", "web").stdout
    assert "Replicas:               2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in web
    assert "RollingUpdateStrategy:  25% max unavailable, 25% max surge" in web
    assert "ScalingReplicaSet" in web
    pod = kubectl("describe", "pod", "-l", "app=web").stdout
    assert "Readiness:      http-get http://:http/health delay=0s timeout=1s period=10s #success=1 #failure=3" in pod
    for line in ("Service Account:  default", "QoS Class:", "Tolerations:", "Scheduled", "Started"):
        assert line in pod
    service = kubectl("describe", "service", "web").stdout
    assert re.search(r"Endpoints: +\S+:8080,\S+:8080\n", service)
    assert "Controlled By:  Deployment/web" in kubectl("describe", "rs").stdout


def test_logs_events_and_the_proxy(kubectl: Kubectl) -> None:
    deployed(kubectl)
    assert "simulated" in kubectl("logs", "deployment/web", "--tail=5").stdout
    assert kubectl("logs", "-l", "app=web", "--timestamps").stdout.count("T") >= 2
    assert "previous terminated container" in kubectl("logs", "deployment/web", "--previous", ok=False).stderr
    assert "Started" in kubectl("get", "events").stdout
    assert "Started" in kubectl("events", "--for", "deployment/web").stdout + kubectl("events").stdout
    namespace = kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.namespace}").stdout
    path = f"/api/v1/namespaces/{namespace}/services/web/proxy/health"
    assert "simulated pod" in kubectl("get", "--raw", path).stdout
    assert "the sandbox has no pods/exec" in kubectl("exec", "deployment/web", "--", "ls", ok=False).stderr


def test_a_watch_prints_changes_and_wait_ends(kubectl: Kubectl, kubeconfig: Path) -> None:
    deployed(kubectl)
    namespace = kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.namespace}").stdout
    command = ["kubectl", "-n", namespace, "get", "deployment", "web", "-w", "-o", "jsonpath={.spec.replicas} "]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment_of(kubeconfig)) as watching:
        assert watching.stdout is not None
        assert watching.stdout.read(2) == b"2 "
        kubectl("scale", "deployment/web", "--replicas=4")
        assert watching.stdout.read(2) == b"4 "
        watching.terminate()
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=20s")
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=4", "deployment/web", "--timeout=20s")


def test_what_is_deleted_is_waited_for(kubectl: Kubectl) -> None:
    deployed(kubectl)
    pods = kubectl("get", "pods", "-o", "name").stdout.split()
    assert kubectl("delete", *pods, "--timeout=20s").stdout.count("deleted") == 2
    kubectl("rollout", "status", "deployment/web", "--timeout=20s")
    assert not set(pods) & set(kubectl("get", "pods", "-o", "name").stdout.split())
    kubectl("delete", "-f", "-", "--timeout=20s", stdin=MANIFEST)
    assert kubectl("get", "all").stdout == ""


@pytest.mark.parametrize("kind", ["statefulset", "daemonset"])
def test_the_other_workloads_roll_and_are_undone(kubectl: Kubectl, kind: str) -> None:
    obj: dict[str, Any] = next(yaml.safe_load_all(MANIFEST))
    obj["kind"] = {"statefulset": "StatefulSet", "daemonset": "DaemonSet"}[kind]
    if kind == "daemonset":
        del obj["spec"]["replicas"]
    kubectl("create", "-f", "-", stdin=yaml.safe_dump(obj))
    kubectl("rollout", "status", f"{kind}/web", "--timeout=20s")
    kubectl("set", "image", f"{kind}/web", "web=web:2")
    kubectl("rollout", "status", f"{kind}/web", "--timeout=20s")
    assert "web:2" in kubectl("rollout", "history", f"{kind}/web", "--revision=2").stdout
    kubectl("rollout", "undo", f"{kind}/web")
    kubectl("rollout", "status", f"{kind}/web", "--timeout=20s")
    assert kubectl("get", kind, "web", "-o", "jsonpath={..image}").stdout == "web:1"
    assert rows(kubectl("get", "controllerrevisions"))[0] == ["NAME", "CONTROLLER", "REVISION", "AGE"]


def test_the_cluster_introduces_itself(kubectl: Kubectl) -> None:
    assert "v1.35" in kubectl("version").stdout
    assert "control plane" in kubectl("cluster-info").stdout
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment"] in rows(kubectl("api-resources"))
    assert kubectl("get", "--raw", "/readyz").stdout == "ok"
    assert "replicas\t<integer>" in kubectl("explain", "deployment.spec").stdout
    assert "Metrics API not available" in kubectl("top", "pods", ok=False).stderr


def test_a_kind_that_is_not_there_is_called_so(kubectl: Kubectl) -> None:
    unknown = "apiVersion: x/v1\nkind: Foo\nmetadata: {name: a}\n"
    done = kubectl("apply", "-f", "-", stdin=unknown, ok=False)
    assert 'no matches for kind "Foo" in version "x/v1"' in done.stderr
    assert "--validate=false" not in done.stderr
