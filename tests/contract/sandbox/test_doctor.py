"""`kdeploy doctor` on a real API server and registry, as a user without rights, and where nobody answers."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from kdeploy.model import Kind
from tests.contract.api_server import Reply, failed, running
from tests.contract.cluster.conftest import fill, kubeconfig
from tests.contract.sandbox.sandboxes import ENV, Sandbox, kdeploy, push


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    for line in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"]):
        subprocess.run(["git", "-C", str(folder), *line], check=True, env=ENV)
    return folder


def doctor(checkout: Path, config: str | Path, image: str, *flags: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The exit code, and what each check found, by its name."""
    done = kdeploy(
        "doctor", "deployment/web", "-n", "shop", "--kubeconfig", str(config), "--image", image,
        "--build-context", str(checkout), "--builder", "layers", "-o", "json", *flags,
    )  # fmt: skip
    found: dict[str, list[dict[str, Any]]] = {}
    document = json.loads(done.stdout)
    assert document["schema"] == "kdeploy.doctor/v1"
    assert document["passed"] is (done.returncode == 0)
    for check in document["checks"]:
        found.setdefault(check["name"], []).append(check)
    return done.returncode, found


def verdicts(found: dict[str, list[dict[str, Any]]]) -> dict[str, bool | None]:
    return {name: checks[0]["passed"] for name, checks in found.items()}


def all_of(up: Sandbox) -> Any:
    """Every object that a deploy may touch, and all that the registry has."""
    kinds = [f"/apis/apps/v1/namespaces/demo/{kind.plural}" for kind in Kind]
    files = sorted(path.name for path in up.folder.path.rglob("*") if "uploads" in str(path) or "blobs" in str(path))
    return [up.access.get(path) for path in (*kinds, "/api/v1/namespaces/demo/pods")], files


def test_a_first_deploy_is_looked_at_from_end_to_end_and_nothing_is_changed(up: Sandbox, checkout: Path) -> None:
    image, labels = f"{up.served.registry}/acme/web", {"app": "web"}
    container = {
        "name": "web",
        "image": push(up.served.registry, "seed", {"x": ""}, {"Labels": {}}),
        "ports": [{"containerPort": 8080}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    up.access.create(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "demo"}, "spec": spec}
    )
    web = "/apis/apps/v1/namespaces/demo/deployments/web"
    up.until(web, lambda found: found["status"].get("availableReplicas") == 2)
    before = all_of(up)
    code, found = doctor(checkout, up.folder.kubeconfig, image, "-n", "demo", "--verify-http", "/health")
    assert all_of(up) == before
    assert code == 0, found
    assert verdicts(found) == {
        "config": True,
        "git": True,
        "builder": True,
        "registry": True,
        "push": True,
        "cluster": True,
        "clock": True,
        "target": True,
        "permissions": True,
        "containers": None,  # it runs another repository's image
        "checks": True,
        "commit": True,
        "rollback": True,
    }
    assert "Kubernetes v1." in found["cluster"][0]["message"]


def test_a_target_that_is_missing_says_how_to_make_it_and_the_rest_is_asked_all_the_same(
    up: Sandbox, checkout: Path
) -> None:
    code, found = doctor(checkout, up.folder.kubeconfig, f"{up.served.registry}/acme/web", "-n", "nowhere")
    assert code == 4
    assert found["target"][0]["passed"] is False
    assert "kubectl create namespace nowhere" in found["target"][0]["hint"]
    assert (found["permissions"][0]["passed"], found["push"][0]["passed"]) == (True, True)
    assert found["containers"][0]["message"] == "not asked: the target cannot be read"


def test_a_user_without_rights_is_told_the_rules_to_add(checkout: Path, tmp_path: Path) -> None:
    with running() as server:
        fill(server)
        server.allowed, server.rules = False, []
        server.always("LIST ", Reply(body={"gitVersion": "v1.35.4"}))
        code, found = doctor(checkout, kubeconfig(tmp_path, server.url), "127.0.0.1:1/acme/web")
        methods = {seen.method for seen in server.seen}
        posted = {name for name in server.names() if name.startswith("POST")}
    assert code == 4
    assert found["permissions"][0]["passed"] is False, found["cluster"]
    hint = found["permissions"][0]["hint"]
    assert hint.splitlines()[0] == "add to the Role:"
    assert "  - {apiGroups: [apps], resources: [deployments], verbs: [get, list, watch, patch]}" in hint
    assert [check["passed"] for check in found["permissions"][1:]] == [None, None]
    assert methods == {"GET", "POST"}
    assert posted == {"POST selfsubjectrulesreviews", "POST selfsubjectaccessreviews"}


@pytest.mark.parametrize(
    ("forbidden", "passed"),
    [(["rules"], False), (["access"], None), (["rules", "access"], None)],
)
def test_where_rights_cannot_be_asked_for_it_says_so_since_a_deploy_would_go_on(
    checkout: Path, tmp_path: Path, forbidden: list[str], passed: bool | None
) -> None:
    with running() as server:
        fill(server)
        server.allowed, server.rules = False, []
        server.always("LIST ", Reply(body={"gitVersion": "v1.35.4"}))
        for kind in forbidden:
            server.always(f"POST selfsubject{kind}reviews", failed(403, "Forbidden", "not you"))
        _, found = doctor(checkout, kubeconfig(tmp_path, server.url), "127.0.0.1:1/acme/web")
    first = found["permissions"][0]
    assert first["passed"] is passed
    assert first["message"].startswith("not asked: ") == (passed is None)
    assert ("system:basic-user" in first["hint"]) == (passed is None)


def test_credentials_that_are_refused_are_told(checkout: Path, tmp_path: Path) -> None:
    with running() as server:
        server.token = "right"
        code, found = doctor(checkout, kubeconfig(tmp_path, server.url, user={"token": "wrong"}), "127.0.0.1:1/a")
    assert code == 4
    assert "does not accept the credentials" in found["cluster"][0]["message"]
    assert found["target"][0]["message"] == "not asked: the cluster does not answer"


def test_without_an_engine_a_dockerfile_that_takes_one_says_both(checkout: Path, tmp_path: Path) -> None:
    (checkout / "Dockerfile").write_text("FROM scratch\nRUN make\n")
    flags = ("--builder", "auto")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENV, "DOCKER_HOST", "unix:///nonexistent.sock")
        code, found = doctor(checkout, kubeconfig(tmp_path, "http://127.0.0.1:1"), "127.0.0.1:1/a", *flags)
    (builder,) = found["builder"]
    assert (code, builder["passed"]) == (4, False)
    assert "no Docker engine answers at unix:///nonexistent.sock" in builder["message"]
    assert "and without one: Dockerfile line 2: the layers builder cannot do RUN make" in builder["message"]
    assert "start Docker" in builder["hint"]


def test_where_no_service_is_chosen_nothing_is_said_of_its_dockerfile(checkout: Path) -> None:
    (checkout / "kdeploy.yaml").write_text("version: 1\nservices:\n  a: {target: deploy/a}\n  b: {target: deploy/b}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENV, "DOCKER_HOST", "unix:///nonexistent.sock")
        done = kdeploy("doctor", "--config", str(checkout / "kdeploy.yaml"), "-o", "json")
    (builder,) = [one for one in json.loads(done.stdout)["checks"] if one["name"] == "builder"]
    assert (builder["passed"], builder["hint"]) == (None, "a Dockerfile with RUN needs Docker")


def test_servers_that_never_answer_cost_some_seconds(checkout: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        code, found = doctor(checkout, kubeconfig(tmp_path, f"http://{address}"), f"{address}/acme/web")
        took = time.monotonic() - began
    assert code == 4
    assert {name for name, passed in verdicts(found).items() if passed is False} == {"registry", "cluster"}
    assert found["push"][0]["message"] == "not asked: see registry"
    assert took < 25


def test_a_target_that_cannot_be_one_is_a_usage_error() -> None:
    assert kdeploy("doctor", "nope/web").returncode == 2
    assert kdeploy("doctor", "deploy/a", "deploy/b").returncode == 2


def test_a_broken_config_is_a_check_that_failed(tmp_path: Path, up: Sandbox) -> None:
    file = tmp_path / "kdeploy.yaml"
    file.write_text("version: 1\nservices: {web: {targt: deployment/web}}\n")
    done = kdeploy("doctor", "-f", str(file), "--kubeconfig", str(up.folder.kubeconfig))
    assert done.returncode == 4
    lines = done.stdout.splitlines()
    assert lines[0].startswith("✗ config") or lines[0].startswith("FAILED: config")
    assert any("not asked: no target is known" in line for line in lines)
    assert any("Kubernetes v1." in line for line in lines)
