"""Secrets as inputs of the action, through its own entry point: masked for the runner, and in nothing that is left."""

from __future__ import annotations

import json

import pytest

from tests.contract.github.fake import github
from tests.contract.pipelines.runner import Job
from tests.contract.pipelines.shop import Shop
from tests.contract.pipelines.workflow import OURS, Workflow
from tests.scenarios.canaries import canary, found

PRINTED = ("REGISTRY", "GITHUB", "NPM")
SECRETS = {
    **{name: canary(name).replace("\u00e9", "").replace('"', "") for name in PRINTED},
    "ADDRESS": "8253-pass-word",
}
"""What a Dockerfile's string and an address can hold."""
INPUTS = {
    "target": "web",
    "env": "production",
    "kubeconfig": "${{ secrets.KUBECONFIG }}",
    "registry-username": "ada",
    "registry-password": "${{ secrets.REGISTRY }}",
    "github-token": "${{ secrets.GITHUB }}",
    "build-arg": "NPM_TOKEN=${{ secrets.NPM }}",
    "verbose": "true",
}


def workflow(**more: str) -> Workflow:
    """One step with those inputs and more; an underscore is a dash in a name."""
    given = {**INPUTS, **{name.replace("_", "-"): text for name, text in more.items()}}
    job = {"permissions": {"contents": "read"}, "steps": [{"uses": OURS, "with": given}]}
    return Workflow(file="canaries.yml", document={True: {"push": {}}, "jobs": {"deploy": job}})


def test_no_input_is_in_anything_that_is_left(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    kubeconfig = shop.sandbox.kubeconfig.read_text()
    token = json.loads(kubeconfig)["users"][0]["user"]["token"]
    machine = shop.machine

    def run(code: int, outcome: str, **more: str) -> Job:
        job = shop.job(workflow(**more), "deploy", secrets={"KUBECONFIG": kubeconfig, **SECRETS})
        assert (job.last.code, job.last.outputs["outcome"]) == (code, outcome), job.last.log
        lines = job.last.log.splitlines()
        masked = {each.data for each in job.last.commands if each.name == "add-mask"}
        assert {SECRETS["REGISTRY"], SECRETS["GITHUB"], token} <= masked
        report = shop.checkout.folder / job.last.outputs["report"]
        texts = {
            "log": "\n".join(line for line in lines if not line.startswith("::add-mask::")),
            "outputs": json.dumps(dict(job.last.outputs), ensure_ascii=False),
            "summary": job.last.summary,
            "report": report.read_text(),
        }
        assert found({**SECRETS, "token": token}, texts) == []
        return job

    with github() as fake:
        monkeypatch.setattr(Shop, "machine", property(lambda _: {**machine, "GITHUB_API_URL": fake.url}))
        shop.commit("one")
        run(0, "deployed")
        shop.commit("two", f"log='{' '.join(SECRETS[name] for name in PRINTED)}' exit=7")
        crashed = run(10, "rolled-back")
        assert "***" in crashed.last.log
        address = f"https://ann:{SECRETS['ADDRESS']}@127.0.0.1:9/health"
        run(
            12, "not-rolled-back", verify_http=address, rollback="false", image=shop.image(), build_arg="", timeout="2s"
        )
        run(2, "usage", verify_http=f"https://ann:{SECRETS['ADDRESS']}/x@127.0.0.1/health")
        run(2, "usage", timeout="5", build_arg=f"NPM_TOKEN=x\n{SECRETS['NPM']}")
        run(4, "refused", container="nobody")
