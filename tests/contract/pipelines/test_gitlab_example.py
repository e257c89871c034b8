"""examples/gitlab/.gitlab-ci.yml, its jobs run as GitLab's shell executor does: one script, variables exported.

https://docs.gitlab.com/ci/yaml, https://docs.gitlab.com/ci/variables/predefined_variables.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from tests.contract.pipelines.runner import PYTHONS
from tests.contract.pipelines.shop import Shop
from tests.contract.pipelines.workflow import ROOT

EXAMPLE = yaml.safe_load((ROOT / "examples/gitlab/.gitlab-ci.yml").read_text())
CRASH = "log='no database' exit=7"
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a job ended. `dotenv`: the variables for later jobs; `failures`: of its JUnit report."""

    code: int
    log: str
    dotenv: Mapping[str, str]
    failures: list[str]
    url: str


def run(shop: Shop, name: str, **variables: str) -> Ran:
    """One job of the pipeline."""
    job = definition(name)
    folder = shop.checkout.folder
    own = {**predefined(shop), **EXAMPLE["variables"], **job.get("variables", {}), **variables}
    env = {key: expand(str(value), own) for key, value in own.items()}
    script = "\n".join(["set -eo pipefail", *job["script"]])
    done = subprocess.run(
        ["bash"], input=script, cwd=folder, capture_output=True, text=True, check=False, timeout=120,
        env={**env, **shop.machine, "PATH": f"{PYTHONS}:{shop.machine['PATH']}"},
    )  # fmt: skip
    artifacts = job.get("artifacts", {"paths": [], "reports": {}})
    for file in (*artifacts["paths"], *artifacts["reports"].values()):
        assert (folder / file).is_file(), f"{file}: {done.stderr}"
    dotenv = read_dotenv(folder / artifacts["reports"]["dotenv"]) if artifacts["reports"] else {}
    return Ran(
        code=done.returncode,
        log=done.stdout + done.stderr,
        dotenv=dotenv,
        failures=failures(folder / artifacts["reports"]["junit"]) if artifacts["reports"] else [],
        url=expand(job["environment"].get("url", ""), dotenv),
    )


def definition(name: str) -> Mapping[str, Any]:
    """A job, with what it extends."""
    job: Mapping[str, Any] = EXAMPLE[name]
    return {**EXAMPLE.get(job.get("extends", ""), {}), **job}


def predefined(shop: Shop) -> dict[str, str]:
    """What GitLab sets; KUBECONFIG is a variable of type "File", the path of a file with its content."""
    shop.runs += 1
    return {
        "CI": "true", "GITLAB_CI": "true", "CI_PROJECT_PATH": "acme/shop", "CI_PIPELINE_IID": str(shop.runs),
        "CI_JOB_URL": "https://gitlab.com/acme/shop/-/jobs/1", "GITLAB_USER_LOGIN": "ada", "HOME": str(shop.folder),
        "CI_REGISTRY_IMAGE": f"{shop.sandbox.registry}/{shop.namespace}", "CI_REGISTRY_USER": "gitlab-ci-token",
        "CI_REGISTRY_PASSWORD": "glcbt-a-token-of-the-job", "KUBECONFIG": str(shop.sandbox.kubeconfig),
        "CI_COMMIT_SHA": shop.checkout.head,
    }  # fmt: skip


def expand(text: str, variables: Mapping[str, str]) -> str:
    """As GitLab expands variables in its file."""
    return _VARIABLE.sub(lambda found: expand(str(variables.get(found[1], "")), variables), text)


def read_dotenv(file: Path) -> dict[str, str]:
    """By GitLab's rules: https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv."""
    text = file.read_text()
    assert len(text.encode()) <= 5 * 1024
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"([A-Za-z_]\w*)=([^\n]*)", line)
        assert match, line
        found[match[1]] = match[2]
    assert len(found) <= 20
    return found


def failures(file: Path) -> list[str]:
    """The failed test cases of a JUnit report."""
    cases = list(ElementTree.parse(file).getroot().iter("testcase"))
    assert cases
    return [str(case.get("name")) for case in cases if case.find("failure") is not None]


def test_deploy_tells_the_jobs_that_come_later_and_the_environment(shop: Shop) -> None:
    before, _ = shop.image(), shop.commit("one")
    ran = run(shop, "deploy")
    assert (ran.code, ran.failures, ran.url) == (0, [], "https://shop.example"), ran.log
    assert (ran.dotenv["DEPLOY_OUTCOME"], ran.dotenv["DEPLOY_IMAGE"]) == ("deployed", shop.image())
    assert ran.dotenv["DEPLOY_PREVIOUS_IMAGE"] == before
    assert "section_start:" in ran.log
    live = shop.kube.look("deployments", "web")
    assert live
    assert (live.marks["actor"], live.marks["run"]) == ("ada", f"gitlab/acme/shop#{shop.runs}")


def test_a_bad_version_fails_the_job_and_every_artifact_says_so(shop: Shop) -> None:
    before, _ = shop.image(), shop.commit("one", CRASH)
    ran = run(shop, "deploy")
    assert (ran.code, shop.image()) == (10, before), ran.log
    assert (ran.dotenv["DEPLOY_OUTCOME"], ran.dotenv["DEPLOY_ROLLED_BACK_TO"]) == ("rolled-back", before)
    assert len(ran.failures) == 1
    assert EXAMPLE["deploy"]["artifacts"]["when"] == "always"


def test_the_check_of_a_merge_request_changes_nothing(shop: Shop) -> None:
    before, _ = shop.image(), shop.commit("one")
    ran = run(shop, "check")
    assert (ran.code, shop.image()) == (0, before), ran.log
    assert "nothing was changed" in ran.log


def test_rollback_by_hand(shop: Shop) -> None:
    shop.commit("one")
    first = run(shop, "deploy")
    shop.commit("two")
    second = run(shop, "deploy")
    back = run(shop, "rollback")
    assert (back.code, shop.image()) == (0, first.dotenv["DEPLOY_IMAGE"]), back.log
    told = [back.dotenv[name] for name in ("DEPLOY_IMAGE", "DEPLOY_PREVIOUS_IMAGE", "DEPLOY_URL")]
    assert told == [shop.image(), second.dotenv["DEPLOY_IMAGE"], first.dotenv["DEPLOY_URL"]]
    assert first.dotenv["DEPLOY_URL"]
    back = run(shop, "rollback", KDEPLOY_TO=second.dotenv["DEPLOY_DIGEST"])
    assert (back.code, shop.image()) == (0, second.dotenv["DEPLOY_IMAGE"]), back.log
    assert EXAMPLE["rollback"]["resource_group"] == EXAMPLE["deploy"]["resource_group"]
