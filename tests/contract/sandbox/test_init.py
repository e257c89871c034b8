"""`kdeploy init` in git checkouts, beside a real cluster and without one; on a terminal and in a pipeline."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from kdeploy.config.file import read_config
from tests.contract.api_server import running
from tests.contract.cluster.conftest import kubeconfig
from tests.contract.sandbox.sandboxes import ENV, Sandbox


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "it's a: repository"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nEXPOSE 8080\n")
    remote = "https://token:s3cr3t@github.com/Acme/Web.git"
    for line in (["init", "-q", "-b", "master"], ["remote", "add", "origin", remote]):
        subprocess.run(["git", "-C", str(folder), *line], check=True, env=ENV)
    return folder


def init(folder: Path, *flags: str, env: Mapping[str, str] = ENV) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kdeploy", "init", *flags]
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL
    )


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and ".git/" not in str(path)}


def test_beside_a_cluster_the_workload_and_its_probe_are_found(up: Sandbox, checkout: Path) -> None:
    container = {"name": "app", "image": "ghcr.io/acme/web:1", "ports": [{"containerPort": 8080, "name": "http"}]}
    for name, image in (("shop", "ghcr.io/acme/web:1"), ("other", "ghcr.io/acme/other:1")):
        probed = {**container, "image": image, "readinessProbe": {"httpGet": {"path": f"/{name}", "port": "http"}}}
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [probed]}}
        spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}
        metadata = {"name": name, "namespace": "demo"}
        up.access.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
    done = init(checkout, "-n", "demo", "--kubeconfig", str(up.folder.kubeconfig))
    assert done.returncode == 0, done.stderr
    assert "target: deployment/shop (it runs this repository's image)" in done.stderr
    assert "s3cr3t" not in done.stderr + (checkout / "kdeploy.yaml").read_text()
    service = read_config(checkout / "kdeploy.yaml").services["shop"]
    assert (service.target, service.namespace, service.image) == ("deployment/shop", "demo", "ghcr.io/acme/web")
    assert service.verify
    assert (service.verify[0].http.path, service.verify[0].http.port) == ("/shop", "http")


def test_the_checkers_of_workflows_find_nothing_but_the_placeholder(checkout: Path) -> None:
    assert init(checkout, "--github", "--gitlab", "--rbac").returncode == 0
    workflow, gitlab = str(checkout / ".github/workflows/deploy.yml"), str(checkout / ".gitlab-ci.yml")
    schema = ["check-jsonschema", "--builtin-schema"]
    assert tool(*schema, "vendor.github-workflows", workflow).returncode == 0
    assert tool(*schema, "vendor.gitlab-ci", "--data-transform", "gitlab-ci", gitlab).returncode == 0
    found = json.loads(tool("zizmor", "--offline", "--no-config", "--format=json", workflow).stdout)
    assert [(one["ident"], "OWNER/kdeploy@v1" in json.dumps(one)) for one in found] == [("unpinned-uses", True)]


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program that is installed beside this Python."""
    program = str(Path(sys.executable).with_name(name))
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, env=ENV)


def test_without_a_cluster_it_goes_on_with_a_placeholder_and_says_so(checkout: Path) -> None:
    done = init(checkout, "--github", "--gitlab", "--jenkins", "--rbac")
    assert done.returncode == 0, done.stderr
    assert "no cluster was looked at: there is no kubeconfig" in done.stderr
    assert "put your own target into kdeploy.yaml" in done.stderr
    assert files(checkout) == {
        "Dockerfile",
        "kdeploy.yaml",
        ".github/workflows/deploy.yml",
        ".gitlab-ci.yml",
        "Jenkinsfile",
        "deploy/kdeploy-rbac.yaml",
    }
    assert "branches: [master]" in (checkout / ".github/workflows/deploy.yml").read_text()
    assert read_config(checkout / "kdeploy.yaml").services["web"].target == "deployment/web"


def test_a_cluster_that_never_answers_costs_three_seconds(checkout: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = kubeconfig(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        done = init(checkout, "--kubeconfig", config)
    assert time.monotonic() - began < 6
    assert done.returncode == 0, done.stderr
    assert "no cluster was looked at" in done.stderr


def test_a_cluster_that_refuses_is_asked_nothing_but_reads(checkout: Path, tmp_path: Path) -> None:
    with running() as server:
        server.token = "right"
        done = init(checkout, "--kubeconfig", kubeconfig(tmp_path, server.url, user={"token": "wrongtoken"}))
        assert {seen.method for seen in server.seen} == {"GET"}
    assert done.returncode == 0
    assert "does not accept the credentials" in done.stderr
    assert "wrongtoken" not in done.stderr


def test_nothing_is_overwritten_unasked_and_nothing_is_written_by_halves(checkout: Path) -> None:
    (checkout / ".gitlab-ci.yml").write_text("mine\n")
    done = init(checkout, "--gitlab", "--github")
    assert done.returncode == 2
    assert ".gitlab-ci.yml is there already; nothing was written" in done.stderr
    assert "--force" in done.stderr
    assert files(checkout) == {"Dockerfile", ".gitlab-ci.yml"}
    assert init(checkout, "--gitlab", "--force").returncode == 0
    assert "kdeploy deploy" in (checkout / ".gitlab-ci.yml").read_text()
    assert init(checkout, "--gitlab").returncode == 0  # it says the same


def test_a_dry_run_prints_the_files_and_writes_none(checkout: Path) -> None:
    done = init(checkout, "--jenkins", "--dry-run")
    assert done.returncode == 0
    assert done.stdout.startswith("# kdeploy.yaml\n")
    assert "\n// Jenkinsfile\n" in done.stdout
    assert files(checkout) == {"Dockerfile"}


def test_a_kdeploy_yaml_that_is_there_is_kept_and_read_where_a_pipeline_is_asked_for(checkout: Path) -> None:
    own = "version: 1\nservices:\n  db: {target: statefulset/db, namespace: data, image: registry.example/db}\n"
    (checkout / "kdeploy.yaml").write_text(own)
    done = init(checkout, "--jenkins", "--rbac")
    assert done.returncode == 0, done.stderr
    assert "kdeploy.yaml is there already, and was kept" in done.stderr
    assert (checkout / "kdeploy.yaml").read_text() == own
    role = (checkout / "deploy" / "kdeploy-rbac.yaml").read_text()
    assert "statefulsets" in role
    assert "data" in role


TWO = """\
version: 1
services:
  a: {target: deployment/a, namespace: shop, image: quay.io/acme/a}
  b: {target: statefulset/b, namespace: shop, image: quay.io/acme/b, build: {context: svc/b}}
"""
ONE = """\
version: 1
services:
  web: {target: deployment/web, namespace: shop, image: quay.io/acme/web}
environments:
"""


def test_of_several_services_one_is_named_or_nothing_is_written(checkout: Path) -> None:
    (checkout / "kdeploy.yaml").write_text(TWO)
    done = init(checkout, "--github", "--rbac")
    assert (done.returncode, files(checkout)) == (2, {"Dockerfile", "kdeploy.yaml"})
    assert "which service? kdeploy.yaml has 2 of them" in done.stderr
    assert "name one: a, b" in done.stderr
    assert 'no service "c"' in init(checkout, "c", "--github").stderr
    done = init(checkout, "b", "--github", "--gitlab", "--jenkins", "--rbac")
    assert done.returncode == 0, done.stderr
    assert "target: b\n" in (checkout / ".github/workflows/deploy.yml").read_text()
    for file in (".gitlab-ci.yml", "Jenkinsfile"):
        assert "kdeploy deploy b --" in (checkout / file).read_text()
    role = (checkout / "deploy/kdeploy-rbac.yaml").read_text()
    assert "statefulsets" in role
    assert "namespace: shop" in role
    for line in (
        "service: b (as you said)",
        "target: statefulset/b (from kdeploy.yaml",
        "namespace: shop (from kdeploy.yaml)",
        "image: quay.io/acme/b (from kdeploy.yaml)",
        "dockerfile: svc/b/Dockerfile (from kdeploy.yaml)",
        "kdeploy doctor b ",
    ):
        assert line in done.stderr
    assert done.stderr.endswith("kdeploy deploy b\n")
    assert "check:" not in done.stderr


@pytest.mark.parametrize(
    ("environments", "flags", "taken", "why"),
    [
        (
            "  staging: {}\n  production: {namespace: live}\n",
            [],
            "production",
            "a guess, please check: it is called so",
        ),
        ("  staging: {namespace: live}\n  prod: {}\n", ["--env", "staging"], "staging", "as you said"),
        ("  eu: {namespace: live}\n", [], "eu", "a guess, please check: the only one of kdeploy.yaml"),
        ("  eu: {}\n  us: {}\n", [], "", "name one with --env: eu, us"),
        ("  prod: {}\n  production: {}\n", [], "", "name one with --env: prod, production"),
        ("  eu: {}\n", ["--env", "us"], "", 'kdeploy.yaml has no environment "us"'),
    ],
)
def test_the_pipeline_and_the_role_are_for_one_environment(
    checkout: Path, environments: str, flags: list[str], taken: str, why: str
) -> None:
    (checkout / "kdeploy.yaml").write_text(ONE + environments)
    done = init(checkout, *flags, "--github", "--gitlab", "--jenkins", "--rbac")
    assert why in done.stderr
    if not taken:
        assert (done.returncode, files(checkout)) == (2, {"Dockerfile", "kdeploy.yaml"})
        return
    assert done.returncode == 0, done.stderr
    assert f"environment: {taken} ({why})" in done.stderr
    workflow, job = (checkout / ".github/workflows/deploy.yml").read_text(), (checkout / ".gitlab-ci.yml").read_text()
    assert f"env: {taken}\n" in workflow
    assert f"group: deploy-{taken}\n" in workflow
    assert f"name: {taken}\n" in job
    for text in (job, (checkout / "Jenkinsfile").read_text()):
        assert f"kdeploy deploy --env {taken} --" in text
    assert "namespace: live" in (checkout / "deploy/kdeploy-rbac.yaml").read_text()
    assert done.stderr.endswith(f"kdeploy deploy --env {taken}\n")


@pytest.mark.parametrize(("flags", "says"), [(["b"], '"b" is no KIND/NAME'), (["--env", "prod"], "--env is for a")])
def test_a_kdeploy_yaml_that_is_made_has_no_names_to_choose_from(checkout: Path, flags: list[str], says: str) -> None:
    done = init(checkout, *flags)
    assert (done.returncode, files(checkout)) == (2, {"Dockerfile"})
    assert says in done.stderr


def test_the_login_is_for_the_registry_that_is_pushed_to(checkout: Path) -> None:
    (checkout / "kdeploy.yaml").write_text(ONE.replace("image:", "push_image: ghcr.io/acme/web, image:"))
    assert init(checkout, "--github").returncode == 0
    assert "github.token" in (checkout / ".github/workflows/deploy.yml").read_text()


def test_a_file_that_says_the_same_is_not_called_written(checkout: Path) -> None:
    assert "wrote kdeploy.yaml" in init(checkout).stderr
    written = (checkout / "kdeploy.yaml").stat()
    done = init(checkout, "--jenkins", "--force")
    assert "kdeploy.yaml is there already, and says the same" in done.stderr
    assert "wrote Jenkinsfile" in done.stderr
    assert (checkout / "kdeploy.yaml").stat().st_ino == written.st_ino


def test_a_kdeploy_yaml_that_cannot_be_read_is_kept_and_said_to_need_mending(checkout: Path) -> None:
    (checkout / "kdeploy.yaml").write_text("version: 1\nservces: {}\n")
    done = init(checkout, "--jenkins")
    assert done.returncode == 0, done.stderr
    assert "mend kdeploy.yaml: kdeploy.yaml:2" in done.stderr
    assert "what is there is a placeholder" not in done.stderr


@pytest.mark.parametrize(
    ("service", "why"),
    [
        ("", ""),
        ("build: {context: web}", "web/Dockerfile line 3 takes one"),
        ("build: {context: web, target: files}", ""),
        ("build: {secrets: ['id=a,src=b']}", "the layers builder knows no build secrets"),
    ],
)
def test_a_pipeline_gets_an_engine_where_the_build_takes_one(checkout: Path, service: str, why: str) -> None:
    (checkout / "web").mkdir()
    (checkout / "web" / "Dockerfile").write_text("FROM scratch AS files\nFROM files\nRUN make\n")
    own = f"version: 1\nservices:\n  web:\n    target: deployment/web\n    image: registry.example/web\n    {service}\n"
    (checkout / "kdeploy.yaml").write_text(own)
    done = init(checkout, "--gitlab", "--jenkins")
    assert done.returncode == 0, done.stderr
    for file in (".gitlab-ci.yml", "Jenkinsfile"):
        text = (checkout / file).read_text()
        assert why in text
        assert ("ngine" in text) is (why != "")
    assert ("privileged containers" in done.stderr) is (why != "")


def test_the_branch_is_guessed_aloud(checkout: Path) -> None:
    subprocess.run(["git", "-C", str(checkout), "checkout", "-q", "-b", "trunk"], check=True, env=ENV)
    done = init(checkout, "--github")
    assert "branch: trunk (it is checked out" in done.stderr
    assert "branches: [trunk]" in (checkout / ".github/workflows/deploy.yml").read_text()


@pytest.mark.parametrize(("answers", "code", "kept"), [(b"y\n", 0, 0), (b"\n", 2, 1), (b"n\n", 2, 1)])
def test_on_a_terminal_it_asks_for_each_file(checkout: Path, answers: bytes, code: int, kept: int) -> None:
    mine = [checkout / "Jenkinsfile"]
    for file in mine:
        file.write_text("mine\n")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "kdeploy", "init", "--jenkins"]
    with subprocess.Popen(command, cwd=checkout, env=ENV, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.write(ours, answers)
        assert process.wait(30) == code
    shown = os.read(ours, 65536).decode()
    os.close(theirs)
    os.close(ours)
    assert shown.count("Overwrite it? [y/N]") == 1
    assert sum(file.read_text() == "mine\n" for file in mine) == kept


def test_in_a_folder_below_the_top_the_pipeline_names_the_config(checkout: Path) -> None:
    below = checkout / "services" / "a b"
    below.mkdir(parents=True)
    assert init(below, "--github", "--gitlab").returncode == 0
    assert files(checkout) >= {"services/a b/kdeploy.yaml", ".github/workflows/deploy.yml", ".gitlab-ci.yml"}
    assert "config: services/a b/kdeploy.yaml" in (checkout / ".github/workflows/deploy.yml").read_text()


def test_an_existing_kdeploy_yml_is_the_config(checkout: Path) -> None:
    (checkout / "kdeploy.yml").write_text("x")
    assert "kdeploy.yml is there already" in init(checkout).stderr
    assert init(checkout, "--force").returncode == 0
    assert files(checkout) == {"Dockerfile", "kdeploy.yml"}


@pytest.mark.parametrize("wrong", [["pod/web"], ["--image", "acme/UPPER"]])
def test_what_cannot_be_is_a_usage_error(checkout: Path, wrong: list[str]) -> None:
    assert init(checkout, *wrong).returncode == 2
    assert files(checkout) == {"Dockerfile"}


def test_outside_of_git_the_folders_name_counts(tmp_path: Path) -> None:
    folder = tmp_path / "My_Shop"
    folder.mkdir()
    assert init(folder).returncode == 0
    service = read_config(folder / "kdeploy.yaml").services["my-shop"]
    assert (service.target, service.image) == ("deployment/my-shop", "registry.example.com/team/my_shop")
