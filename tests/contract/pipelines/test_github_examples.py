"""Each of examples/workflows, run here: its own steps, against the sandbox's registry and cluster."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from kdeploy.report.github.outputs import OUTPUTS
from tests.contract.pipelines.runner import Job, is_wanted
from tests.contract.pipelines.shop import SERVICES, Shop
from tests.contract.pipelines.workflow import COMPOSITE, OURS, PINNED, ROOT, Workflow
from tests.scenarios.workloads import workload

NAMES = sorted(path.name for path in (ROOT / "examples/workflows").glob("*.yml"))
CRASH = "log='no database' exit=7"


READ, PUSH = {"contents": "read"}, {"contents": "read", "packages": "write"}
PERMISSIONS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "aws-oidc.yml": {"deploy": {"contents": "read", "id-token": "write"}},
    "build-and-deploy.yml": {"deploy": PUSH},
    "kind.yml": {"deploy": READ},
    "promote.yml": {"staging": PUSH, "production": {"contents": "read", "packages": "read"}},
    "pull-request.yml": {"check": READ},
    "rollback.yml": {"rollback": READ},
    "services.yml": {"deploy": PUSH},
}
"""Each job's, and no more."""


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_careful(name: str) -> None:
    workflow = Workflow.read(name)
    text = (ROOT / "examples/workflows" / name).read_text()
    assert workflow.document["permissions"] == {}
    assert {job: workflow.jobs[job]["permissions"] for job in workflow.jobs} == PERMISSIONS[name]
    for job in workflow.jobs.values():
        assert "timeout-minutes" in job
        assert (job.get("concurrency") or workflow.document["concurrency"])["cancel-in-progress"] is False
    used = [step["uses"] for step in workflow.steps() if "uses" in step]
    assert {OURS, COMPOSITE} & set(used)
    assert [one for one in used if one not in (OURS, COMPOSITE) and not PINNED.fullmatch(one)] == []
    assert len(re.findall(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+\n", text)) == len(re.findall("@[0-9a-f]{40}", text))
    assert [step["run"] for step in workflow.steps() if "${{" in step.get("run", "")] == []
    assert "pull_request_target" not in workflow.triggers


def test_every_example_is_run_by_a_test_of_this_file() -> None:
    assert [name for name in NAMES if f'Workflow.read("{name}")' not in Path(__file__).read_text()] == []


def test_build_and_deploy(shop: Shop) -> None:
    workflow, before = Workflow.read("build-and-deploy.yml"), shop.image()
    sha = shop.commit("one")
    good = shop.job(workflow, "deploy")
    assert good.last.code == 0, good.last.log
    assert good.permissions["packages"] == "write"
    assert list(good.last.outputs) == list(OUTPUTS)
    told = {name: good.last.outputs[name] for name in ("outcome", "previous-image", "url")}
    assert told == {"outcome": "deployed", "previous-image": before, "url": "https://shop.example"}
    assert good.last.outputs["image"] == shop.image()
    assert f":{sha}@sha256:" in shop.image()
    assert "<code>" in good.last.summary

    shop.commit("two", CRASH)
    bad = shop.job(workflow, "deploy")
    assert (bad.last.code, bad.last.outputs["outcome"], bad.last.outputs["reason"]) == (10, "rolled-back", "CrashLoop")
    assert bad.last.outputs["rolled-back-to"] == shop.image() == good.last.outputs["image"]
    assert len([each for each in bad.last.commands if each.name == "error"]) == 1
    secret = shop.sandbox.kubeconfig.read_text()
    token = re.findall(r'"token": "(.+?)"', secret)[0]
    assert token not in re.sub(r"::add-mask::.*", "", bad.last.log) + bad.last.summary


def test_pull_request(shop: Shop) -> None:
    workflow, before = Workflow.read("pull-request.yml"), shop.image()
    shop.commit("one")
    job = shop.job(workflow, "check")
    assert job.last.code == 0, job.last.log
    assert (job.last.outputs["outcome"], shop.image()) == ("unchanged", before)
    assert "nothing was changed" in job.last.log
    contexts = shop.contexts(workflow)
    assert is_wanted(workflow, "check", contexts)
    contexts["github"]["event"]["pull_request"]["head"]["repo"]["full_name"] = "somebody/shop"
    assert not is_wanted(workflow, "check", contexts)


def test_promote(shop: Shop) -> None:
    workflow, before = Workflow.read("promote.yml"), shop.image()
    shop.commit("one")
    staging = shop.job(workflow, "staging")
    assert staging.last.code == 0, staging.last.log
    assert shop.image() == before
    assert workflow.jobs["production"]["needs"] == "staging"
    assert workflow.jobs["production"]["environment"]["name"] == "production"
    production = shop.job(workflow, "production", needs={"staging": {"outputs": staging.outputs}})
    assert production.last.code == 0, production.last.log
    assert shop.image() == shop.image(namespace=f"{shop.namespace}-staging") == staging.outputs["image"]
    assert production.last.outputs["digest"] == staging.last.outputs["digest"]
    assert [line for line in production.last.log.splitlines() if line.startswith("✓ build")] == []


def test_rollback(shop: Shop) -> None:
    deploy, workflow = Workflow.read("build-and-deploy.yml"), Workflow.read("rollback.yml")
    images = []
    for version in ("one", "two"):
        shop.commit(version)
        images.append(shop.job(deploy, "deploy").last.outputs["image"])
    groups = [one.document["concurrency"]["group"] for one in (workflow, deploy, Workflow.read("services.yml"))]
    assert groups == ["deploy-production"] * 3
    approved = Workflow.read("promote.yml").jobs["production"]  # it holds its group while it waits for somebody
    assert approved["concurrency"]["group"] not in groups
    job = shop.job(workflow, "rollback", inputs={"target": "web", "to": ""})
    assert (job.last.code, job.last.outputs["outcome"]) == (0, "restored"), job.last.log
    assert shop.image() == images[0] == job.last.outputs["rolled-back-to"]
    job = shop.job(workflow, "rollback", inputs={"target": "web", "to": images[1].rpartition("@")[2]})
    assert (job.last.code, shop.image()) == (0, images[1]), job.last.log


def test_services(shop: Shop) -> None:
    workflow = Workflow.read("services.yml")
    strategy = workflow.jobs["deploy"]["strategy"]
    assert (strategy["matrix"]["service"], strategy["fail-fast"]) == (list(SERVICES), False)
    before = shop.image("api")
    shop.commit("one", services=["web"])
    shop.commit("one", CRASH, services=["api"])
    web, api = (shop.job(workflow, "deploy", matrix={"service": service}) for service in SERVICES)
    assert (web.last.code, web.last.outputs["image"]) == (0, shop.image("web")), web.last.log
    assert (api.last.code, shop.image("api")) == (10, before), api.last.log


AWS = """\
#!{python}
import json, pathlib, sys
VERSION = "client.authentication.k8s.io/v1beta1"
known = json.loads(pathlib.Path({kubeconfig!r}).read_text())
if sys.argv[1:3] == ["eks", "get-token"]:
    status = {{"token": known["users"][0]["user"]["token"]}}
    print(json.dumps({{"apiVersion": VERSION, "kind": "ExecCredential", "status": status}}))
else:
    assert sys.argv[1:4] + sys.argv[5:6] == ["eks", "update-kubeconfig", "--name", "--kubeconfig"], sys.argv
    arguments = ["eks", "get-token", "--cluster-name", sys.argv[4]]
    plugin = {{"apiVersion": VERSION, "command": "aws", "args": arguments}}
    known["users"][0]["user"] = {{"exec": plugin}}
    pathlib.Path(sys.argv[6]).write_text(json.dumps(known))
"""
"""The two of aws's commands that matter, for the sandbox."""


def test_aws_oidc(shop: Shop) -> None:
    def configure(job: Job, given: Mapping[str, str]) -> Mapping[str, str]:
        assert (job.permissions["id-token"], given["role-to-assume"]) == ("write", "arn:aws:iam::1:role/deploy")
        aws = job.folder / "bin/aws"
        aws.write_text(AWS.format(python=sys.executable, kubeconfig=str(shop.sandbox.kubeconfig)))
        aws.chmod(0o700)
        return {"AWS_REGION": given["aws-region"]}

    shop.stand_ins |= {
        "aws-actions/configure-aws-credentials": configure,
        "aws-actions/amazon-ecr-login": lambda *_: {},
    }
    shop.commit("one")
    variables = {
        "AWS_ROLE_ARN": "arn:aws:iam::1:role/deploy", "AWS_REGION": "eu-central-1", "EKS_CLUSTER": "shop",
        "ECR_REPOSITORY": f"{shop.sandbox.registry}/{shop.namespace}/web",
    }  # fmt: skip
    job = shop.job(Workflow.read("aws-oidc.yml"), "deploy", vars=variables)
    assert (job.last.code, job.last.outputs["image"]) == (0, shop.image()), job.last.log
    assert list(job.last.outputs) == list(OUTPUTS)
    assert job.variables["KUBECONFIG"] == str(job.folder / "temp/kubeconfig")
    assert "secrets." not in (ROOT / "examples/workflows/aws-oidc.yml").read_text()


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not here, as it is on GitHub's runners")
def test_kind(shop: Shop) -> None:
    registry = f"{shop.sandbox.registry}/{shop.namespace}-kind"
    shop.names = {
        **shop.names, "kind-registry:5000": registry.replace("localhost", "127.0.0.1"), "localhost:5000": registry,
        "namespace shop": f"namespace {shop.namespace}-kind", "namespace: shop": f"namespace: {shop.namespace}-kind",
    }  # fmt: skip

    def kind(job: Job, given: Mapping[str, str]) -> Mapping[str, str]:
        assert given == {"registry": "true"}
        own = job.folder / "home/.kube/config"
        own.parent.mkdir()
        shutil.copy(shop.sandbox.kubeconfig, own)
        return {}

    shop.stand_ins["helm/kind-action"] = kind
    shop.commit("one")
    manifest = workload("Deployment", "kind-registry:5000/web", name="web")
    shop.write("k8s/web.yaml", str(manifest).replace("'", '"'))
    workflow = Workflow.read("kind.yml")
    contexts = shop.contexts(workflow)
    contexts["github"]["event"]["pull_request"]["head"]["repo"]["full_name"] = "somebody/shop"
    job = shop.job(workflow, "deploy", github=contexts["github"], secrets={})
    assert (job.last.code, job.last.outputs["outcome"]) == (0, "deployed"), job.last.log
    assert shop.image(namespace=f"{shop.namespace}-kind").startswith(f"127.0.0.1:{registry.partition(':')[2]}/web:")
    assert f"{registry}/web:" in job.last.log
