"""A shop to deploy: a repository with two services, the sandbox that they run in, and a runner for its pipelines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.contract.pipelines.runner import MACHINE, Job, StandIn
from tests.contract.pipelines.workflow import ROOT, Workflow
from tests.contract.sandbox.sandboxes import push
from tests.scenarios.checkout import Checkout
from tests.scenarios.kube import Kube
from tests.scenarios.places import Sandbox
from tests.scenarios.workloads import workload

SERVICES = ("web", "api")
REPOSITORY = "acme/shop"


@dataclass(kw_only=True)
class Shop:
    """`namespace`: the production's; staging is beside it. `names` are what the examples' names stand for here."""

    sandbox: Sandbox
    kube: Kube
    namespace: str
    checkout: Checkout
    folder: Path
    names: Mapping[str, str]
    runs: int = 0
    stand_ins: dict[str, StandIn] = field(default_factory=dict)

    @classmethod
    def open(cls, sandbox: Sandbox, folder: Path, name: str) -> Shop:
        """With both services running in both environments, at a version of before kdeploy."""
        registry = f"{sandbox.registry}/{name}"
        names = {
            "namespace: shop-staging": f"namespace: {name}-staging",
            "namespace: shop": f"namespace: {name}",
            "ghcr.io/acme": registry,
            "{path: /health}": "{path: /health, samples: 2, interval: 10ms}",
        }
        kube = Kube.open(sandbox.kubeconfig)
        shop = cls(
            sandbox=sandbox, kube=Kube(server=kube.server, pool=kube.pool, token=kube.token, namespace=name),
            namespace=name, checkout=Checkout.make(folder / "workspace", "scratch"), folder=folder, names=names,
        )  # fmt: skip
        for place in (name, f"{name}-staging"):
            kube("POST", "/api/v1/namespaces", {"metadata": {"name": place}})
            for service in SERVICES:
                image = push(sandbox.registry, f"{name}/{service}", {"version": "0"}, {})
                shop.at(place).create(workload("Deployment", image, name=service))
        for place in (name, f"{name}-staging"):
            for service in SERVICES:
                shop.at(place).settle("deployments", service)
        return shop

    def at(self, namespace: str) -> Kube:
        """The API in a namespace."""
        return Kube(server=self.kube.server, pool=self.kube.pool, token=self.kube.token, namespace=namespace)

    def image(self, service: str = "web", namespace: str = "") -> str:
        """What runs."""
        live = self.at(namespace or self.namespace).look("deployments", service)
        assert live is not None
        return live.image

    def commit(self, version: str, behaviour: str = "", services: Sequence[str] = SERVICES) -> str:
        """Commits a version of some services, with the example's kdeploy.yaml; the SHA. Never two in one second: a
        deploy's id tells when it began by the second.
        """
        if self.runs:
            time.sleep(1 - time.time() % 1)
        self.write("kdeploy.yaml", (ROOT / "examples/kdeploy.yaml").read_text())
        for service in services:
            label = f'LABEL dev.kdeploy.sandbox.behaviour="{behaviour}"\n' if behaviour else ""
            self.write(f"{service}/Dockerfile", f'FROM scratch\nCOPY version /\n{label}CMD ["/version"]\n')
            self.write(f"{service}/version", f"{version}\n")
        self.save(version)
        return self.checkout.head

    def save(self, message: str) -> None:
        """Commits the workspace as it is, but for what kdeploy has written there."""
        self.checkout.git("add", "--all", ":!kdeploy-report.json")
        author = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false")
        self.checkout.git(*author, "commit", "--quiet", f"--message={message}")

    def write(self, name: str, text: str) -> None:
        """A file of the workspace, with this shop's own names."""
        path = self.checkout.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.own(text))

    def own(self, text: str) -> str:
        """`text` of an example with what its names stand for here."""
        for name, value in self.names.items():
            text = text.replace(name, value)
        return text

    @property
    def machine(self) -> dict[str, str]:
        """The variables of every process: no Docker, whatever this machine has, and no wait for a second crash."""
        return {
            **MACHINE, "KDEPLOY_BUILDER": "layers", "DOCKER_HOST": "unix:///nowhere", "KDEPLOY_CRASH_BUDGET": "0",
        }  # fmt: skip

    def job(self, workflow: Workflow, name: str, **contexts: Any) -> Job:
        """One run of a job, to its end. Contexts are added to those that every run has."""
        self.runs += 1
        folder = self.folder / f"job{self.runs}"
        folder.mkdir()
        return Job(
            folder=folder,
            workspace=self.checkout.folder,
            definition=_map(workflow.jobs[name], self.own),
            contexts={**self.contexts(workflow), **contexts},
            stand_ins={"actions/checkout": check_out, **self.stand_ins},
            machine=self.machine,
        ).run()

    def contexts(self, workflow: Workflow) -> dict[str, Any]:
        """What a run knows: https://docs.github.com/actions/reference/workflows-and-actions/contexts."""
        head, base = ({"repo": {"full_name": REPOSITORY}} for _ in range(2))
        return {
            "github": {
                "repository": REPOSITORY, "sha": self.checkout.head, "ref": "refs/heads/main", "actor": "ada",
                "run_id": 1000 + self.runs, "run_number": self.runs, "token": "ghs_a-token-of-the-job",
                "workflow_ref": f"{REPOSITORY}/.github/workflows/{workflow.file}@refs/heads/main",
                "server_url": "https://github.com", "event_name": next(iter(workflow.triggers)),
                "event": {"pull_request": {"number": 7, "head": head, "base": base}},
            },
            "secrets": {"KUBECONFIG": self.sandbox.kubeconfig.read_text()},
            "steps": {},
        }  # fmt: skip


def check_out(job: Job, given: Mapping[str, str]) -> Mapping[str, str]:
    """actions/checkout: the workspace is a checkout already."""
    assert job.permissions["contents"] == "read"
    assert given["persist-credentials"] == "false"
    return {}


def _map(value: Any, change: Any) -> Any:
    """A YAML value with every text changed."""
    if isinstance(value, dict):
        return {key: _map(one, change) for key, one in value.items()}
    if isinstance(value, list):
        return [_map(one, change) for one in value]
    return change(value) if isinstance(value, str) else value
