"""A short walk through what the tests rely on: a rollout, the pod proxy, a service, a bad image and the way back."""

import json
import time
import urllib.request
from collections.abc import Callable

from tests.cluster import images
from tests.cluster.cluster import Cluster
from tests.cluster.commands import run
from tests.cluster.errors import RigError
from tests.cluster.processes import wait_until

NAMESPACE = "smoke"
NAME = "hello"


def check(cluster: Cluster, say: Callable[[str], None]) -> None:
    """Deploys, asks, breaks and restores one workload; RigError says what did not work."""
    _kubectl(cluster, "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    _kubectl(cluster, "create", "namespace", NAMESPACE)
    try:
        for step in (_deploy, _ask_pod, _ask_service, _break, _restore, _refuse):
            start = time.monotonic()
            step(cluster)
            say(f"{time.monotonic() - start:6.2f} s  {(step.__doc__ or '').rstrip('.')}")
    finally:
        _kubectl(cluster, "delete", "namespace", NAMESPACE, "--wait=false")


def _deploy(cluster: Cluster) -> None:
    """Three replicas are rolled out and ready."""
    path = cluster.state / "smoke.json"
    path.write_text(json.dumps(_manifests(cluster.base_image)))
    _kubectl(cluster, "apply", "--filename", str(path))
    _kubectl(cluster, "rollout", "status", f"deployment/{NAME}", "--timeout=60s")


def _ask_pod(cluster: Cluster) -> None:
    """A pod answers through the API server's proxy."""
    pod = _kubectl(cluster, "get", "pods", "--output", "jsonpath={.items[0].metadata.name}")
    answer = _kubectl(cluster, "get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/index.html")
    _expect(answer == "hello\n", f"the pod answered {answer!r}")


def _ask_service(cluster: Cluster) -> None:
    """The service's address answers, on the host."""
    address = _kubectl(cluster, "get", "service", NAME, "--output", "jsonpath={.spec.clusterIP}")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def answers() -> bool:
        try:
            with direct.open(f"http://{address}/", timeout=1) as answer:
                return bool(answer.read() == b"hello\n")
        except OSError:
            return False

    wait_until(answers, 10, f"service {address}")


def _break(cluster: Cluster) -> None:
    """A missing tag shows as ErrImagePull."""
    missing = f"{cluster.base_image.rpartition(':')[0]}:missing"
    _kubectl(cluster, "set", "image", f"deployment/{NAME}", f"web={missing}")
    _wait_for_event(cluster, "Failed to pull image", "not found")


def _restore(cluster: Cluster) -> None:
    """The rollout is undone and complete."""
    _kubectl(cluster, "rollout", "undo", f"deployment/{NAME}")
    _kubectl(cluster, "rollout", "status", f"deployment/{NAME}", "--timeout=60s")


def _refuse(cluster: Cluster) -> None:
    """The private registry wants a password of the node."""
    login = (cluster.private_user, cluster.private_password)
    image = images.push(images.busybox(), cluster.private_registry, "smoke/refused", login=login)
    _kubectl(cluster, "run", "refused", f"--image={image}", "--image-pull-policy=Always")
    _wait_for_event(cluster, "Failed to pull image", "401 Unauthorized")


def _wait_for_event(cluster: Cluster, *words: str) -> None:
    def told() -> bool:
        messages = _kubectl(cluster, "get", "events", "--output", "jsonpath={range .items[*]}{.message}{'\\n'}{end}")
        return any(all(word in line for word in words) for line in messages.splitlines())

    wait_until(told, 20, f"an event that says {words[-1]}")


def _kubectl(cluster: Cluster, *words: str) -> str:
    return run("kubectl", "--kubeconfig", cluster.kubeconfig, "--namespace", NAMESPACE, *words)


def _expect(true: bool, otherwise: str) -> None:
    if not true:
        raise RigError(otherwise)


def _manifests(image: str) -> dict[str, object]:
    labels = {"app": NAME}
    container = {
        "name": "web",
        "image": image,
        "command": ["sh", "-c", "mkdir -p /www && echo hello >/www/index.html && exec httpd -f -p 8080 -h /www"],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
    }
    pod = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": pod},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    return {"apiVersion": "v1", "kind": "List", "items": [deployment, service]}
