"""A registry that wants a login: of who pushes, of who pulls; and what stays secret."""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

from tests.e2e.scene import Scene
from tests.scenarios.versions import Version, good


def use_private(scene: Scene) -> None:
    """Images go to the registry that wants a login."""
    scene.configure(image=f"{scene.cluster.private_registry}/{scene.namespace}/app", containers=["app"])


def logins(scene: Scene) -> dict[str, Any]:
    """The private registry's login as Docker keeps it."""
    text = f"{scene.cluster.private_user}:{scene.cluster.private_password}"
    return {"auths": {scene.cluster.private_registry: {"auth": base64.b64encode(text.encode()).decode()}}}


def log_in(scene: Scene, folder: Path) -> dict[str, str]:
    """The environment of somebody who ran `docker login`."""
    shutil.copytree(scene.cluster.docker_config, folder, symlinks=True)
    file = folder / "config.json"
    before = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(before | logins(scene)))
    return {"DOCKER_CONFIG": str(folder)}


def make_pull_secret(scene: Scene) -> None:
    """The nodes may pull with this secret."""
    text = base64.b64encode(json.dumps(logins(scene)).encode()).decode()
    data = {".dockerconfigjson": text}
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson"}
    scene.kube.apply({**secret, "metadata": {"name": "pull"}, "data": data})


def test_a_push_that_the_registry_refuses_leaves_the_cluster_untouched(scene: Scene) -> None:
    before = scene.create()
    use_private(scene)
    ran = scene.deploy(good("one")).ended(3, "build-failed", "PushDenied")

    ran.says("docker login", scene.cluster.private_registry)
    scene.look().is_untouched_since(before)


def test_the_classic_builder_tells_a_refused_push_too(scene: Scene) -> None:
    scene.create()
    use_private(scene)
    classic = {"DOCKER_CONFIG": str(scene.cluster.docker_config_classic), "DOCKER_BUILDKIT": "0"}
    scene.deploy(good("one"), env=classic).ended(3, "build-failed", "PushDenied").says("docker login")


def test_an_image_that_may_not_be_read_is_refused_before_the_patch(scene: Scene) -> None:
    before = scene.create()
    use_private(scene)
    missing = f"{scene.cluster.private_registry}/{scene.namespace}/app:1"
    scene.deploy(good("one"), "--image", missing).ended(4, "refused", "ImageUnauthorized").says("docker login")

    scene.look().is_untouched_since(before)


def test_nodes_without_a_login_get_the_older_version_back(scene: Scene, tmp_path: Path) -> None:
    before = scene.create()
    use_private(scene)
    ran = scene.deploy(good("one"), env=log_in(scene, tmp_path / "docker"))
    ran.ended(10, "rolled-back", "ImageUnauthorized")

    live = scene.look()
    live.runs(before.image, 2)
    assert live.restarts == before.restarts
    assert ran.deploy["culprits"][0]["reason"] == "ImageUnauthorized"


def test_with_a_login_on_both_sides_it_is_deployed(scene: Scene, tmp_path: Path) -> None:
    make_pull_secret(scene)
    scene.create(secret="pull")
    use_private(scene)
    environment = log_in(scene, tmp_path / "docker")
    ran = scene.deploy(good("one"), env=environment).ended(0, "deployed", "Complete")

    scene.look().runs(ran.image, 2)
    classic = {**environment, "DOCKER_BUILDKIT": "0"}
    ran = scene.deploy(good("two"), "--builder", "classic", env=classic).ended(0, "deployed", "Complete")
    scene.look().runs(ran.image, 2)


def test_no_password_and_no_token_reaches_any_output(scene: Scene, tmp_path: Path) -> None:
    """A verbose deploy that fails, of a service account by its token, with the registry's password in a login."""
    make_pull_secret(scene)
    scene.create(secret="pull")
    use_private(scene)
    environment = log_in(scene, tmp_path / "docker")
    token = make_account(scene)
    kubeconfig = scene.cluster.kubeconfig_with_token(token, f"token-{scene.namespace}")
    flags = ("-v", "--crash-budget", "0", "--kubeconfig", str(kubeconfig))
    chatty = Version(name="one", start=f"#!/bin/sh\necho 'hello, {token}'\nexit 7\n")
    ran = scene.deploy(chatty, *flags, env=environment).ended(10, "rolled-back", "CrashLoop")

    assert "hello, ***" in ran.deploy["culprits"][0]["log_tail"]
    for secret in (scene.cluster.private_password, token):
        for form in (secret, base64.b64encode(secret.encode()).decode(), json.dumps(secret)[1:-1]):
            assert form not in ran.everything
    (auth,) = logins(scene)["auths"].values()
    assert auth["auth"] not in ran.everything


def make_account(scene: Scene) -> str:
    """A service account that may do all in the namespace; its token."""
    scene.kube("create", "serviceaccount", "robot")
    scene.kube(
        "create", "rolebinding", "robot", "--clusterrole=cluster-admin", f"--serviceaccount={scene.namespace}:robot"
    )
    return scene.kube("create", "token", "robot").strip()
