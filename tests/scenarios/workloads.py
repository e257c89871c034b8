"""The manifests of the workloads that the tests deploy to."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.scenarios.live import CONTAINER
from tests.scenarios.versions import PORT

NAME = "app"


def workload(
    kind: str,
    image: str,
    *,
    name: str = NAME,
    replicas: int = 2,
    calm: int = 0,
    secret: str = "",
    container: Mapping[str, Any] | None = None,
    volumes: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """A Deployment, StatefulSet or DaemonSet of the app. Its pods come quickly, are asked each second, end quickly.

    `calm`: seconds for which a Deployment's new pod must be ready before the next one follows, so that a test finds the
    rollout under way. `secret`: the pull secret's name. `container`: more fields of the app's container.
    `volumes`: the pod's.

    Other kinds wait for a pod's end before they make the next one, and a kubelet of 1.20 often gives up an ended pod
    only when its garbage collection comes round, each minute: without a grace period nobody waits for the kubelet.
    """
    labels = {"app": name}
    pod: dict[str, Any] = {
        "terminationGracePeriodSeconds": 1 if kind == "Deployment" else 0,
        "containers": [
            {
                "name": CONTAINER,
                "image": image,
                "ports": [{"containerPort": PORT}],
                "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1},
                **(container or {}),
            }
        ],
    }
    if volumes:
        pod["volumes"] = [*volumes]
    if secret:
        pod["imagePullSecrets"] = [{"name": secret}]
    own: dict[str, Any] = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    if kind != "DaemonSet":
        own["replicas"] = replicas
    if kind == "StatefulSet":
        own["serviceName"] = name
    if calm:
        own["minReadySeconds"] = calm
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": own}


def service(name: str, app: str) -> dict[str, Any]:
    """A service called `name` in front of the pods of `app`."""
    ports = [{"port": 80, "targetPort": PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": ports},
    }


def role(name: str, user: str, rules: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A Role and its binding for a user."""
    group = "rbac.authorization.k8s.io"
    return (
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        },
    )


def reading() -> list[dict[str, Any]]:
    """The rules of somebody who may look and change nothing."""
    look = ["get", "list", "watch"]
    return [
        {"apiGroups": ["apps"], "resources": ["*"], "verbs": look},
        {"apiGroups": [""], "resources": ["pods", "events", "pods/log"], "verbs": look},
    ]
