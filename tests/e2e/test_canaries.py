"""Twenty-five secrets, each where a deploy meets one, and not a byte of them in anything that kdeploy leaves behind.

The builds print all that they were given. The pods print their whole environment but what comes from a Secret object,
which kdeploy never reads, and so cannot know in a log: of those it is shown that they are in nothing else.
What else a run may end with is played in the sandbox, see tests/contract/sandbox/test_canaries.py.
"""

import base64
import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.github.fake import github
from tests.e2e.scene import Scene
from tests.e2e.test_registry import log_in, make_pull_secret
from tests.scenarios.canaries import canary, found
from tests.scenarios.program import Ran
from tests.scenarios.rights import KINDS
from tests.scenarios.versions import HEALTH, Version, crashing, good, unhealthy
from tests.scenarios.workloads import NAME

MADE_UP = (
    *("other-users-token", "other-users-password", "plugin-argument", "plugin-variable", "ci-variable"),
    *("other-registry-password", "other-registry-identity", "build-argument", "build-argument-of-the-file"),
    *("build-secret-variable", "build-secret-file", "build-secret-of-its-name", "bearer-header", "key-header"),
    *("cookie-header", "basic-header", "query-of-a-path", "github-token", "template-password", "template-key"),
    *("init-container-token", "secret-object", "secret-object-file"),
)
"""The other two are real: the token of the cluster's user, and the password of the registry."""


INIT = "init --github --gitlab --jenkins --rbac --dry-run"


@dataclass
class Watched:
    """All that was written anywhere, and every command line that there was meanwhile."""

    lines: set[bytes] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Until the end."""
        while not self.ended.wait(0.01):
            for process in Path("/proc").iterdir():
                with contextlib.suppress(OSError):
                    self.lines.add((process / "cmdline").read_bytes())

    def found(self, secrets: Mapping[str, str]) -> list[tuple[str, str]]:
        """Which secret is where, in whatever encoding."""
        return found(secrets, {**self.texts, "a command line": b"\n".join(self.lines).decode(errors="replace")})


@pytest.fixture
def watched() -> Iterator[Watched]:
    everything = Watched()
    thread = threading.Thread(target=everything.look)
    thread.start()
    try:
        yield everything
    finally:
        everything.ended.set()
        thread.join()


def leaking(version: Version) -> Version:
    """The same version, whose build and start print all that they know."""
    build = (
        "FROM {base}\nARG NPM_TOKEN\nARG DEPLOY_KEY\nCOPY app /app\n"
        "RUN --mount=type=secret,id=variable --mount=type=secret,id=file --mount=type=secret,id=CANARY_BUILD"
        ' echo "$NPM_TOKEN $DEPLOY_KEY" && cat /run/secrets/* && env\n'
        "LABEL {label}={behaviour}\nCMD {command}\n"
    )
    start = version.start.replace("#!/bin/sh\n", "#!/bin/sh\nenv | grep -v OBJECT\n", 1)
    return Version(name=version.name, start=start, health=version.health, dockerfile=build)


class Stage:
    """The scene with each secret in its place."""

    def __init__(self, scene: Scene, folder: Path, github_url: str) -> None:
        self.scene, self.folder = scene, folder
        self.secrets = {name: canary(name) for name in MADE_UP}
        for name in ("tmp", "files"):
            (folder / name).mkdir()
        self.secrets["registry-password"] = scene.cluster.private_password
        self.secrets["cluster-token"] = self.make_user()
        self.make_workload()
        self.environment = {
            **self.log_in(),
            **self.build(),
            **self.on_github(github_url),
            "TMPDIR": str(folder / "tmp"),
        }

    def make_user(self) -> str:
        """A service account with the example's Roles; its token."""
        kube = self.scene.kube
        kube("create", "serviceaccount", "canary")
        account = f"--serviceaccount={self.scene.namespace}:canary"
        for kind in KINDS:
            kube("create", "rolebinding", f"canary-{kind.lower()}", f"--role=kdeploy-{kind.lower()}s", account)
        return kube("create", "token", "canary").strip()

    def make_workload(self) -> None:
        """One whose pod template holds secrets in plain, and names a Secret."""
        objects = {"key": self.secrets["secret-object"], "file": self.secrets["secret-object-file"]}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "canary"}, "stringData": objects}
        self.scene.kube.apply(secret)
        make_pull_secret(self.scene)
        self.scene.create()
        env = [
            {"name": "DB_PASSWORD", "value": self.secrets["template-password"]},
            {"name": "API_KEY", "value": self.secrets["template-key"]},
            {"name": "OBJECT", "valueFrom": {"secretKeyRef": {"name": "canary", "key": "key"}}},
        ]
        init = {
            "name": "init",
            "image": self.scene.place.base,
            "command": ["/bin/sh", "-c", "env"],
            "env": [{"name": "INIT_TOKEN", "value": self.secrets["init-container-token"]}],
        }
        spec = {
            "imagePullSecrets": [{"name": "pull"}],
            "containers": [{"name": "app", "env": env, "volumeMounts": [{"name": "object", "mountPath": "/object"}]}],
            "volumes": [{"name": "object", "secret": {"secretName": "canary"}}],
            "initContainers": [init],
        }
        patch = json.dumps({"spec": {"template": {"spec": spec}}})
        self.scene.kube("patch", f"deployment/{NAME}", "--patch", patch)
        self.scene.kube.roll_out(self.scene.target)

    def log_in(self) -> dict[str, str]:
        """Docker's configuration and a kubeconfig, whose login plugin gives the token."""
        docker = log_in(self.scene, self.folder / "docker")
        file = Path(docker["DOCKER_CONFIG"], "config.json")
        config = json.loads(file.read_text())
        other = base64.b64encode(f"bob:{self.secrets['other-registry-password']}".encode()).decode()
        config["auths"] = {
            "registry.other.example": {"auth": other},
            "registry.third.example": {"identitytoken": self.secrets["other-registry-identity"]},
        }
        file.write_text(json.dumps(config))
        return {
            **docker,
            "KUBECONFIG": str(self.scene.write_kubeconfig("canaries", self.add_users)),
            "KDEPLOY_REGISTRY_USERNAME": self.scene.cluster.private_user,
            "KDEPLOY_REGISTRY_PASSWORD": self.scene.cluster.private_password,
        }

    def add_users(self, document: dict[str, Any]) -> None:
        """The one that is used, and others that are not."""
        answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
        (self.folder / "answer").write_text(json.dumps(answer | {"status": {"token": self.secrets["cluster-token"]}}))
        plugin = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "/bin/sh",
            "args": ["-c", f"cat {self.folder}/answer", "--token", self.secrets["plugin-argument"]],
            "env": [{"name": "PLUGIN_TOKEN", "value": self.secrets["plugin-variable"]}],
            "interactiveMode": "Never",
        }
        document["users"] += [
            {"name": "used", "user": {"exec": plugin}},
            {"name": "other", "user": {"token": self.secrets["other-users-token"]}},
            {"name": "third", "user": {"username": "ann", "password": self.secrets["other-users-password"]}},
        ]
        document["contexts"][0]["context"]["user"] = "used"
        document["current-context"] = document["contexts"][0]["name"]

    def build(self) -> dict[str, str]:
        """The build's own, and the checks'."""
        (self.scene.checkout.folder / ".gitignore").write_text("npmrc\n")
        (self.scene.checkout.folder / "npmrc").write_text(self.secrets["build-secret-file"] + "\n")
        basic = base64.b64encode(f"ann:{self.secrets['basic-header']}".encode()).decode()
        headers = {
            "X-Authorization": f"Bearer {quote(self.secrets['bearer-header'])}",
            "X-Api-Key": quote(self.secrets["key-header"]),
            "X-Cookie": f"session={quote(self.secrets['cookie-header'])}",
            "X-Basic": f"Basic {basic}",
        }
        self.scene.configure(
            check={"headers": headers, "path": f"{HEALTH}?token={quote(self.secrets['query-of-a-path'], safe='')}"},
            image=f"{self.scene.cluster.private_registry}/{self.scene.namespace}/app",
            containers=["app"],
            build={
                "args": {"DEPLOY_KEY": self.secrets["build-argument-of-the-file"]},
                "secrets": ["id=variable,env=CANARY_VARIABLE", "id=file,src=npmrc", "id=CANARY_BUILD"],
            },
        )
        return {
            "KDEPLOY_BUILD_ARG": f"NPM_TOKEN={self.secrets['build-argument']}",
            "CANARY_VARIABLE": self.secrets["build-secret-variable"],
            "CANARY_BUILD": self.secrets["build-secret-of-its-name"],
            "CI_JOB_TOKEN": self.secrets["ci-variable"],
        }

    def on_github(self, url: str) -> dict[str, str]:
        """As in a step there, whose API refuses the token."""
        files = {name: str(self.folder / "files" / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        return {
            **files,
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": url,
            "GITHUB_REPOSITORY": "acme/web",
            "GITHUB_SHA": "a" * 40,
            "KDEPLOY_GITHUB_TOKEN": self.secrets["github-token"],
            "KDEPLOY_JUNIT": str(self.folder / "files" / "junit"),
            "KDEPLOY_DOTENV": str(self.folder / "files" / "dotenv"),
        }


def test_no_byte_of_any_secret_is_in_anything_that_is_left(scene: Scene, watched: Watched, tmp_path: Path) -> None:
    with github() as fake:
        stage = Stage(scene, tmp_path, fake.url)
        watched.lines.clear()  # those of the preparations

        def ran(title: str, done: Ran, code: int) -> None:
            assert done.code == code, done.err
            watched.texts[title] = done.everything
            for file in (tmp_path / "files").iterdir():
                watched.texts[f"{title}: {file.name}"] = file.read_text()

        def deploy(title: str, version: Version | None, code: int, *flags: str) -> None:
            ran(title, scene.deploy(version and leaking(version), *flags, env=stage.environment), code)

        deploy("good", good("one"), 0, "-v")
        deploy("unchanged", None, 0)
        deploy("crashing", crashing("two"), 10, "-v", "--crash-budget", "0")
        deploy("unhealthy", unhealthy("three"), 10, "-v")
        deploy("left as it is", crashing("four"), 12, "-v", "--crash-budget", "0", "--no-rollback")
        deploy("dry run", good("five"), 0, "-v", "--dry-run")
        deploy("build failed", good("five"), 3, "-v", "--dockerfile", "/dev/null")
        deploy("bad usage", None, 2, "-v", "--timeout", "5")
        deploy("refused", None, 4, "-v", "--container", "nobody")
        for title, command, code in (
            ("build", ("build", "-v"), 0),
            ("rollback", ("rollback", "-v"), 0),
            ("verify", ("verify", "-v"), 0),
        ):
            ran(title, scene.program.run(*command, env=stage.environment), code)
        dump = tmp_path / "dump.yaml"
        dump.write_text(scene.kube("get", "deploy,rs,pods,events", "--output=yaml"))
        offline = f"status {scene.target} --from-file {dump}"
        for line in (
            "status -v",
            "status --watch",
            offline,
            "history -v",
            "deploy -v",
            "deploy -o jsonl",
            "doctor",
            "doctor -o json",
            INIT,
        ):
            shown, out, err = scene.program.show(*line.split(), env=stage.environment)
            assert shown == 0, err
            watched.texts[f"shown: {line}"] = out + err

    assert len(stage.secrets) == 25
    assert any(b"build" in line for line in watched.lines)
    # a login plugin's arguments are on its own command line: the kubeconfig says so, and kubectl does the same
    allowed = ("plugin-argument", "a command line")
    assert [found for found in watched.found(stage.secrets) if found != allowed] == []
    assert "***" in watched.texts["crashing"]
    assert [file.name for file in (tmp_path / "tmp").iterdir()] == []
