"""What a test begins with: a namespace of its own, a checkout, a workload that runs, and kdeploy."""

import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.errors import RigError
from tests.e2e.kube import Kube
from tests.scenarios.checkout import Checkout
from tests.scenarios.live import Live
from tests.scenarios.outside import Outside
from tests.scenarios.places import AnyCluster, RealCluster
from tests.scenarios.program import Program, Ran, Running
from tests.scenarios.scenario import QUICK, SEED
from tests.scenarios.versions import Version
from tests.scenarios.workloads import NAME, workload

_CONTROLLERS_ARE_BACK = 120.0
"""Seconds: once the API server was away, the controller manager asks again only when its pauses are over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One test's place. `repository` is where its images go, `config` its kdeploy.yaml's service."""

    place: RealCluster
    kube: Kube
    checkout: Checkout
    program: Program
    outside: Outside
    repository: str
    config: dict[str, Any]

    @property
    def cluster(self) -> AnyCluster:
        """What may be stopped, read or given users."""
        return self.place.cluster

    @property
    def kubeconfig(self) -> Path:
        """Of who runs kdeploy here, with the rights of examples/rbac.yaml."""
        return Path(self.program.environment["KUBECONFIG"])

    @property
    def namespace(self) -> str:
        """The test's own."""
        return self.kube.namespace

    @property
    def target(self) -> str:
        """The workload that kdeploy.yaml names."""
        return str(self.config["target"])

    def create(self, kind: str = "Deployment", *, seed: Version = SEED, **manifest: Any) -> Live:
        """Makes the workload with an image that did not come from kdeploy, and waits until it runs."""
        self.configure(target=f"{kind.lower()}/{NAME}")
        self.kube.apply(workload(kind, self.outside.of(seed), **manifest))
        self.kube.roll_out(self.target)
        return self.look()

    def configure(self, check: Mapping[str, Any] | None = None, **service: Any) -> None:
        """Changes kdeploy.yaml: keys of its service, and of its one check. Takes effect with the next commit."""
        if check is not None:
            service["verify"] = [{"http": {**QUICK, **check}}]
        self.config.update(service)
        self.checkout.configure(self.config)

    def look(self) -> Live:
        """The workload and its pods as they are now."""
        return self.kube.look(self.target)

    def deploy(self, version: Version | None = None, *flags: str, env: Mapping[str, str] | None = None) -> Ran:
        """Commits `version`, if one is given, and runs `kdeploy deploy`."""
        return self.start(version, *flags, env=env).end()

    def start(self, version: Version | None = None, *flags: str, env: Mapping[str, str] | None = None) -> Running:
        """The same, without waiting for its end."""
        if version is not None:
            self.checkout.commit(version)
        return self.program.start("deploy", *flags, env=env)

    def deployed(self, version: Version) -> Ran:
        """A deploy that must go well: where a test needs a verified version before its own story begins."""
        return self.deploy(version).ended(0, "deployed", "Complete")

    def write_kubeconfig(self, name: str, change: Any) -> Path:
        """A copy of the kubeconfig (its JSON) after `change(document)`."""
        document = json.loads(self.kube("config", "view", "--raw", "--output=json"))
        change(document)
        file = self.program.outputs.parent / name
        file.write_text(json.dumps(document))
        return file


@contextlib.contextmanager
def open_scene(place: RealCluster, outside: Outside, folder: Path) -> Iterator[Scene]:
    """A new namespace and an empty checkout; the namespace is deleted at the end, which nobody waits for."""
    kube = Kube(kubeconfig=place.kubeconfig, namespace=f"e2e-{secrets.token_hex(4)}")
    kube("create", "namespace", kube.namespace)
    try:
        kube.until(lambda: _has_account(kube), "the namespace's service account", _CONTROLLERS_ARE_BACK)
        checkout = Checkout.make(folder / "checkout", place.base)
        (folder / "outputs").mkdir()
        (folder / "home").mkdir()
        repository = f"{place.registry}/{kube.namespace}/app"
        rights = place.environment_in(kube.namespace, lambda _, __, body: kube.apply(body))
        environment = {**rights, "HOME": str(folder / "home")}
        scene = Scene(
            place=place,
            kube=kube,
            checkout=checkout,
            program=Program(folder=checkout.folder, environment=environment, outputs=folder / "outputs"),
            outside=outside,
            repository=repository,
            config={"target": f"deployment/{NAME}", "namespace": kube.namespace, "image": repository},
        )
        scene.configure(check={})
        yield scene
    finally:
        kube("delete", "namespace", kube.namespace, "--wait=false")


def _has_account(kube: Kube) -> bool:
    try:
        kube("get", "serviceaccount", "default")
    except RigError:
        return False
    return True
