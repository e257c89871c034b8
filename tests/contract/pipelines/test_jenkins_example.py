"""examples/jenkins/Jenkinsfile: its shell steps run as Jenkins' durable task runs them, `sh -xe script`.

https://www.jenkins.io/doc/pipeline/steps/workflow-durable-task-step; Groovy itself is not run here.
"""

from __future__ import annotations

import json
import re
import subprocess

from tests.contract.pipelines.runner import PYTHONS
from tests.contract.pipelines.shop import Shop
from tests.contract.pipelines.test_gitlab_example import CRASH, failures
from tests.contract.pipelines.workflow import ROOT

TEXT = (ROOT / "examples/jenkins/Jenkinsfile").read_text()
PASSWORD = "a-password-of-the-registry"


def steps() -> dict[str, str]:
    """The shell step of each stage."""
    stages = re.split(r"stage\('(\w+)'\)", TEXT)
    return {
        name: found
        for name, body in zip(stages[1::2], stages[2::2], strict=True)
        for found in re.findall(r"\bsh '(.+)'", body)
    }


def run(shop: Shop, stage: str) -> subprocess.CompletedProcess[str]:
    """One stage's shell step, with the pipeline's environment and credentials."""
    script = shop.folder / "script.sh"
    script.write_text(steps()[stage])
    credentials = {
        "KUBECONFIG": str(shop.sandbox.kubeconfig),
        "KDEPLOY_REGISTRY_USERNAME": "ci",
        "KDEPLOY_REGISTRY_PASSWORD": PASSWORD,
    }
    assert set(re.findall(r"ariable: '(\w+)'", TEXT)) == set(credentials)
    shop.runs += 1
    jenkins = {
        "JOB_NAME": "shop/main", "BUILD_NUMBER": str(shop.runs), "BUILD_URL": "https://jenkins.example/job/shop/1/",
        "JENKINS_URL": "https://jenkins.example/", "CI": "true", "HOME": str(shop.folder),
    }  # fmt: skip
    env = {**shop.machine, **jenkins, **dict(re.findall(r"^    (\w+) = '(.+)'$", TEXT, re.M)), **credentials}
    return subprocess.run(
        ["sh", "-xe", str(script)], cwd=shop.checkout.folder, capture_output=True, text=True, check=False,
        env={**env, "PATH": f"{PYTHONS}:{env['PATH']}"}, timeout=120,
    )  # fmt: skip


def test_deploy_leaves_what_the_post_section_archives(shop: Shop) -> None:
    shop.commit("one")
    done = run(shop, "Deploy")
    assert done.returncode == 0, done.stderr
    report, junit = (re.findall(rf"{name}: '(.+)'", TEXT)[0] for name in ("artifacts", "testResults"))
    told = json.loads((shop.checkout.folder / report).read_text())
    assert (told["outcome"], told["deploys"][0]["image"]["reference"]) == ("deployed", shop.image())
    assert failures(shop.checkout.folder / junit) == []
    live = shop.kube.look("deployments", "web")
    assert live
    assert live.marks["run"] == f"jenkins/shop/main#{shop.runs}"
    assert PASSWORD not in done.stdout + done.stderr


def test_a_bad_version_fails_the_build(shop: Shop) -> None:
    before, _ = shop.image(), shop.commit("one", CRASH)
    done = run(shop, "Deploy")
    assert (done.returncode, shop.image()) == (10, before), done.stderr
    assert len(failures(shop.checkout.folder / "kdeploy.xml")) == 1


def test_the_check_of_a_change_request_changes_nothing(shop: Shop) -> None:
    before, _ = shop.image(), shop.commit("one")
    done = run(shop, "Check")
    assert (done.returncode, shop.image()) == (0, before), done.stderr


def test_one_build_at_a_time_and_its_results_are_always_kept() -> None:
    assert "disableConcurrentBuilds()" in TEXT
    assert re.search(r"post \{\s+always \{\s+junit ", TEXT)
