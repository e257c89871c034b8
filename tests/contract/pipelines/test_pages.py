"""What the pages tell a newcomer to paste works as it stands there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from kdeploy.report.github.outputs import OUTPUTS
from tests.contract.pipelines.shop import Shop
from tests.contract.pipelines.test_checkers import check, recipe
from tests.contract.pipelines.workflow import ROOT, Workflow

HEAD = """\
name: Pasted
on:
  push:
    branches: [main]
permissions: {}
concurrency: {group: deploy, cancel-in-progress: false}
jobs:
"""

KUBECTL = """\
#!/bin/sh
case "$*" in
"apply -f examples/rbac.yaml") test -f examples/rbac.yaml ;;
"-n shop create token kdeploy --duration=2160h") echo "$SANDBOX_TOKEN" ;;
*) exec {kubectl} "$@" ;;
esac
"""
"""The real one, but for what the sandbox has not: RBAC, and tokens of service accounts."""


FOR_AUDITORS = {"undocumented-permissions", "anonymous-definition", "secrets-outside-env"}
"""What zizmor tells auditors only: a comment at each permission, a name of the job and an environment would be three
lines more, and the environment must be made first. The examples have them, and are checked as for auditors.
"""


def block(page: str, name: str) -> str:
    """The code between the marks of a page."""
    text = (ROOT / page).read_text().split(f"<!-- {name}: begin -->\n")[1].split(f"<!-- {name}: end -->")[0]
    found = re.fullmatch(r"```\w+\n(.*?\n)```\n", text, re.S)
    assert found, page
    return found[1]


def test_the_readme_and_the_page_have_the_same_eight_lines() -> None:
    step = block("README.md", "step")
    assert step == block("docs/github.md", "step")
    assert step.count("\n") == 8
    assert "fetch-depth: 0" in step, "or each deploy says that git cannot tell whether an older commit is live"


def test_the_eight_lines_work_pasted(shop: Shop) -> None:
    shop.commit("zero", services=["web"])
    shop.job(Workflow.read("build-and-deploy.yml"), "deploy")  # what is verified already is asked once, not 20 times
    before, image = shop.image(), f"{shop.sandbox.registry}/{shop.namespace}/web"
    shop.commit("one", services=["web"])
    (shop.checkout.folder / "kdeploy.yaml").unlink()
    (shop.checkout.folder / "Dockerfile").write_text('FROM scratch\nCOPY web/version /\nCMD ["/version"]\n')
    shop.save("without kdeploy.yaml")
    pasted = HEAD + block("README.md", "step")
    workflow = Workflow(file="pasted.yml", document=yaml.safe_load(pasted))
    shop.names = {**shop.names, "shop": shop.namespace}
    job = shop.job(workflow, "deploy")
    assert (job.last.code, job.last.outputs["outcome"]) == (0, "deployed"), job.last.log
    assert job.last.outputs["image"] == shop.image() != before
    assert shop.image().startswith(f"{image}:")
    assert list(job.last.outputs) == list(OUTPUTS)
    assert re.search(r"check http /health: \d+ samples, 0 failed", job.last.log)


def test_the_checkers_find_nothing_in_the_eight_lines(tmp_path: Path) -> None:
    file = tmp_path / "pasted.yml"
    file.write_text(HEAD + block("README.md", "step"))
    assert check(recipe()["vendor.github-workflows"], file=str(file)).returncode == 0
    zizmor = recipe()["zizmor"]
    done = check([word for word in zizmor if "persona" not in word], file=str(file))
    assert done.returncode == 0, done.stdout
    strict = {each["ident"] for each in json.loads(check([*zizmor, "--format=json"], file=str(file)).stdout)}
    assert strict == FOR_AUDITORS


@pytest.mark.skipif(not shutil.which("kubectl"), reason="there is no kubectl")
def test_the_kubeconfig_of_the_page_reaches_the_cluster(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    (folder / "bin").mkdir(parents=True)
    shutil.copytree(ROOT / "examples", folder / "examples")
    wrapper = folder / "bin/kubectl"
    wrapper.write_text(KUBECTL.format(kubectl=shutil.which("kubectl")))
    wrapper.chmod(0o700)
    known = yaml.safe_load(shop.sandbox.kubeconfig.read_text())
    env = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "KUBECONFIG": str(shop.sandbox.kubeconfig)}
    env |= {"SANDBOX_TOKEN": known["users"][0]["user"]["token"], "HOME": str(tmp_path)}
    script = f"set -e\n{block('docs/github.md', 'kubeconfig')}"
    subprocess.run(["sh", "-c", script], cwd=folder, env=env, check=True, capture_output=True, timeout=60)
    (folder / "ca.crt").unlink()
    made = folder / "kdeploy.kubeconfig"
    (context,) = yaml.safe_load(made.read_text())["contexts"]
    assert (context["context"]["namespace"], context["name"]) == ("shop", known["clusters"][0]["name"])
    env["KUBECONFIG"] = str(made)
    subprocess.run(["kubectl", "-n", shop.namespace, "get", "deploy", "web"], env=env, check=True, capture_output=True)


def test_the_page_names_every_workflow() -> None:
    page = (ROOT / "docs/github.md").read_text()
    files = {path.name for path in (ROOT / "examples/workflows").iterdir()}
    assert files == set(re.findall(r"\(\.\./examples/workflows/(.+?)\)", page))
