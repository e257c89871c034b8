"""What a test begins with: a namespace of its own, a checkout, a workload that runs, and kdeploy."""

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster, External
from tests.cluster.commands import run
from tests.cluster.errors import RigError
from tests.e2e.app import HEALTH, Version, good
from tests.e2e.checkout import Checkout
from tests.e2e.kube import Kube, Live
from tests.e2e.program import Program, Ran, Running
from tests.e2e.workloads import NAME, service, workload

AnyCluster = Cluster | External

QUICK: Mapping[str, Any] = {"path": HEALTH, "samples": 3, "interval": "100ms", "within": "3s"}
"""A check that takes half a second where all is well."""

SEED = good("seed")
"""What runs before kdeploy's first deploy."""


@dataclass(slots=True, kw_only=True)
class Images:
    """Images that did not come from kdeploy: built once, called by their version's name."""

    cluster: AnyCluster
    folder: Path
    _built: dict[str, str] = field(default_factory=dict)

    def of(self, version: Version) -> str:
        """The reference of an image of `version` in the registry."""
        if version.name not in self._built:
            checkout = Checkout.make(self.folder / version.name, self.cluster.base_image)
            checkout.write(version)
            reference = f"{self.cluster.registry}/kdeploy-e2e/outside:{version.name}"
            environment = {**os.environ, **self.cluster.environment}
            run("docker", "build", "--quiet", "--tag", reference, checkout.folder, environment=environment)
            run("docker", "push", "--quiet", reference, environment=environment)
            self._built[version.name] = reference
        return self._built[version.name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One test's place. `repository` is where its images go, `config` its kdeploy.yaml's service."""

    cluster: AnyCluster
    kube: Kube
    checkout: Checkout
    program: Program
    images: Images
    repository: str
    config: dict[str, Any]

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
        self.kube.apply(workload(kind, self.images.of(seed), **manifest))
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

    def start_database(self) -> None:
        """A service called "database", which versions may depend on."""
        manifest = workload("Deployment", self.images.of(SEED), name="database", replicas=1)
        self.kube.apply(manifest, service("database", "database"))
        self.kube.roll_out("deployment/database")

    def stop_database(self) -> None:
        """Scales it to nothing, and waits until its pod is gone: one on its way out still answers."""
        self.kube("scale", "deployment/database", "--replicas=0")
        self.kube.until(lambda: not self.kube.get("pods", "--selector=app=database"), "the end of the database")

    def write_kubeconfig(self, name: str, change: Any) -> Path:
        """A copy of the kubeconfig (its JSON) after `change(document)`."""
        document = json.loads(self.kube("config", "view", "--raw", "--output=json"))
        change(document)
        file = self.program.outputs.parent / name
        file.write_text(json.dumps(document))
        return file


@contextlib.contextmanager
def open_scene(cluster: AnyCluster, images: Images, folder: Path) -> Iterator[Scene]:
    """A new namespace and an empty checkout; the namespace is deleted at the end, which nobody waits for."""
    kube = Kube(kubeconfig=cluster.kubeconfig, namespace=f"e2e-{secrets.token_hex(4)}")
    kube("create", "namespace", kube.namespace)
    try:
        kube.until(lambda: _has_account(kube), "the namespace's service account")
        checkout = Checkout.make(folder / "checkout", cluster.base_image)
        (folder / "outputs").mkdir()
        (folder / "home").mkdir()
        repository = f"{cluster.registry}/{kube.namespace}/app"
        scene = Scene(
            cluster=cluster,
            kube=kube,
            checkout=checkout,
            program=Program(
                folder=checkout.folder, environment=_environment(cluster, folder / "home"), outputs=folder / "outputs"
            ),
            images=images,
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


def _environment(cluster: AnyCluster, home: Path) -> dict[str, str]:
    """A user's environment: none of the CI's variables, none of this user's own files."""
    docker = os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
    own = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "DOCKER_CONFIG": docker}
    return own | {k: v for k, v in cluster.environment.items() if not k.startswith("KDEPLOY_")}
