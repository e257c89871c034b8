"""Plays one row at a place: a namespace, a checkout and a workload of its own, kdeploy as a process, fresh reads."""

import contextlib
import secrets
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tests.scenarios.checkout import CONFIG, Checkout
from tests.scenarios.facts import seen, told, unlike, wanted_of_run, wanted_of_state
from tests.scenarios.kube import Kube, until
from tests.scenarios.live import Live, Obj
from tests.scenarios.names import Names
from tests.scenarios.outside import Outside
from tests.scenarios.places import Place
from tests.scenarios.program import Program, Ran, Running
from tests.scenarios.scenario import QUICK, Change, Dump, Run, Scenario, Send, Settle, Step, Workload
from tests.scenarios.workloads import NAME, workload

WITHOUT_REPORT = ("status", "history")


def play(scenario: Scenario, place: Place, kube: Kube, outside: Outside, folder: Path) -> None:
    """Plays the row from its first step to its last; AssertionError says where something is not as the row says."""
    with _opened(scenario, place, kube, outside, folder) as stage:
        for number, step in enumerate(scenario.steps, 1):
            try:
                stage.take(step)
            except Exception as error:
                error.add_note(f"in step {number} of {len(scenario.steps)} on {place.title}: {step.title}")
                raise


@dataclass(kw_only=True)
class Stage:
    """Where one row is played. `current`: the version that is checked out; `config`: its kdeploy.yaml's service."""

    kube: Kube
    checkout: Checkout
    program: Program
    names: Names
    kubeconfig: Path
    kind: str
    config: dict[str, Any]
    folder: Path
    current: str = ""

    @property
    def plural(self) -> str:
        """The workload's kind as the API's paths have it."""
        return f"{self.kind.lower()}s"

    def look(self) -> Live | None:
        """The workload and its pods as they are now."""
        return self.kube.look(self.plural, NAME)

    def settle(self) -> None:
        """Waits until the workload's rollout is complete."""
        self.kube.settle(self.plural, NAME)

    def take(self, step: Step) -> None:
        """Takes one step, and asserts that it ends and leaves things as the row says."""
        before = self.look()
        match step:
            case Run():
                self._run(step)
            case Change():
                self._change(step)
            case Settle():
                self.settle()
            case Dump():
                self._dump(step)
        if step.live is not None:
            _agree(seen(self.look(), before, self.names), wanted_of_state(step.live, self.kind, self.names))

    def _run(self, step: Run) -> None:
        self._prepare(step)
        version, words = step.of or self.current, self.names.fill(step.words).split()
        if step.may_all:
            words += ["--kubeconfig", str(self.kubeconfig)]
        if step.token:
            words += ["--kubeconfig", str(self._with_token(step.token))]
        if words[0] in WITHOUT_REPORT:
            ran = self.program.ask(*words)
        else:
            running = self.program.start(*words, env=step.environment)
            with running:
                if step.meanwhile:
                    self._meanwhile(step, running)
                if step.ends is None:
                    return
                ran = running.end()
            self._learn(version, ran)
        assert step.ends is not None
        _agree(told(ran, step.ends, self.names), wanted_of_run(step.ends, self.names), ran.err)

    def _prepare(self, step: Run) -> None:
        if step.check is not None:
            self.config["verify"] = [{"http": {**QUICK, **step.check}}]
        self.config |= self.names.fill(step.service)
        self.checkout.configure(self.config)
        if step.commit is not None:
            self.current = step.commit.name
            self.names.learn(self.current, {"commit": self.checkout.commit(step.commit)})
        if step.checkout:
            self.current = step.checkout
            self.checkout.switch(self.names.known[f"{step.checkout}.commit"])
        if step.uncommitted is not None:
            self.checkout.write(step.uncommitted)
        if not step.configured:
            (self.checkout.folder / CONFIG).unlink()
        if not step.versioned:
            (self.checkout.folder / ".git").rename(self.folder / "git")

    def _meanwhile(self, step: Run, running: Running) -> None:
        running.until_rolling()
        for event in step.meanwhile:
            match event:
                case Send(number=signal.SIGKILL):
                    running.kill()
                case Send(number=number):
                    running.send(number)
                case Change():
                    self._change(event)
                case Run():
                    self._run(event)

    def _learn(self, version: str, ran: Ran) -> None:
        """What the names of the version stand for; one that is unchanged or only built has no deploy of its own."""
        for deploy in ran.report["deploys"]:
            image = deploy["image"] or {}
            self.names.learn(version, {"image": image.get("reference"), "digest": image.get("digest")})
            if deploy["outcome"] not in ("unchanged", "built"):
                self.names.learn(version, {"revision": deploy["revision"], "deploy-id": ran.report["deploy_id"]})

    def _change(self, change: Change) -> None:
        path, body = self.names.fill(change.path), self.names.fill(change.body)
        self.kube(change.method, path, body, change.content_type)
        if change.settles:
            self.settle()
        if change.empties:
            until(lambda: not self.kube.items("pods", change.empties), f"end of the pods with {change.empties}")

    def _with_token(self, token: str) -> Path:
        document = yaml.safe_load(self.kubeconfig.read_text())
        document["users"][0]["user"] = {"token": token}
        file = self.folder / "kubeconfig"
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(document))
        return file

    def _dump(self, dump: Dump) -> None:
        """What `kubectl get deploy,rs,pods,events -o yaml` writes."""
        items = [item for plural in dump.plurals for item in self.kube.items(plural)]
        file = self.folder / "dump.yaml"
        file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}))
        self.names.known["dump"] = str(file)


def _agree(facts: Obj, wanted: Obj, err: str = "") -> None:
    found = list(unlike(facts, wanted))
    assert not found, "\n".join([*found, err])


@contextlib.contextmanager
def _opened(scenario: Scenario, place: Place, kube: Kube, outside: Outside, folder: Path) -> Iterator[Stage]:
    """A new namespace with what the row begins with; it is deleted at the end, which nobody waits for."""
    kube = replace(kube, namespace=f"row-{secrets.token_hex(4)}")
    kube("POST", "/api/v1/namespaces", {"metadata": {"name": kube.namespace}})
    try:
        until(lambda: kube.get("serviceaccounts", "default") is not None, "service account of the namespace")
        stage = _stage(scenario.workload, place, kube, folder)
        for version in (scenario.workload.seed, *scenario.outside):
            stage.names.learn(version.name, {"image": outside.of(version)})
        _set_up(stage, scenario.workload)
        yield stage
    finally:
        kube("DELETE", f"/api/v1/namespaces/{kube.namespace}")


def _stage(row: Workload, place: Place, kube: Kube, folder: Path) -> Stage:
    for name in ("home", "outputs"):
        (folder / name).mkdir()
    checkout = Checkout.make(folder / "checkout", place.base)
    repository = f"{place.registry}/{kube.namespace}/app"
    target = f"{row.kind.lower()}/{NAME}"
    known = {
        "namespace": kube.namespace,
        "registry": place.registry,
        "repository": repository,
        "target": target,
        "workload": kube.path(f"{row.kind.lower()}s", NAME),
        "objects": f"/api/v1/namespaces/{kube.namespace}",
    }
    environment = {**place.environment_in(kube.namespace, kube), "HOME": str(folder / "home")}
    return Stage(
        kube=kube,
        checkout=checkout,
        program=Program(folder=checkout.folder, environment=environment, outputs=folder / "outputs"),
        names=Names(known=known),
        kubeconfig=place.kubeconfig,
        kind=row.kind,
        config={"target": target, "namespace": kube.namespace, "image": repository, "verify": [{"http": {**QUICK}}]},
        folder=folder,
    )


def _set_up(stage: Stage, row: Workload) -> None:
    for each in row.others:
        stage.kube.create(stage.names.fill(each))
        if each["kind"] == "Deployment":
            stage.kube.settle("deployments", each["metadata"]["name"])
    if not row.exists:
        return
    image = stage.names.known[f"{row.seed.name}.image"]
    manifest = workload(
        row.kind, image, replicas=row.replicas, calm=row.calm, container=row.container, volumes=row.volumes
    )
    stage.kube.create(manifest)
    if row.comes_up:
        stage.settle()
