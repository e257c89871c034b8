"""What is refused before the workload is touched: by kdeploy's rules, by the cluster, for want of something."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.app import good, unbuildable
from tests.e2e.program import Ran
from tests.e2e.scene import Scene
from tests.e2e.workloads import reading, role


def not_built(ran: Ran) -> None:
    """Asserts that no build was begun."""
    assert ran.timings["build"] is None
    assert [event for event in ran.events if event["type"] == "build-output"] == []


def test_a_wrong_container_name_is_refused_with_the_right_ones(scene: Scene) -> None:
    before = scene.create()
    ran = scene.deploy(good("one"), "--container", "wbe").ended(4, "refused", "NotFound").says("wbe", "app")

    scene.look().is_untouched_since(before)
    not_built(ran)


def test_several_containers_without_a_choice_are_refused_with_their_names(scene: Scene) -> None:
    scene.create()
    sidecar = {"name": "sidecar", "image": scene.images.of(good("seed")), "command": ["sleep", "3600"]}
    scene.kube(
        "patch", scene.target, "--patch", json.dumps({"spec": {"template": {"spec": {"containers": [sidecar]}}}})
    )
    scene.kube.roll_out(scene.target)
    before = scene.look()
    ran = scene.deploy(good("one")).ended(4, "refused", "Ambiguous").says("sidecar", "app", "--container")

    scene.look().is_untouched_since(before)
    not_built(ran)


def test_a_missing_workload_is_refused_with_the_command_that_would_create_it(scene: Scene) -> None:
    ran = scene.deploy(good("one")).ended(4, "refused", "NotFound")
    ran.says(f"kubectl create deployment app --image=IMAGE -n {scene.namespace}")
    not_built(ran)


def test_a_missing_namespace_is_refused_by_its_name(scene: Scene) -> None:
    scene.create()
    ran = scene.deploy(good("one"), "-n", "e2e-nowhere").ended(4, "refused", "NotFound").says("'e2e-nowhere'")
    not_built(ran)


def test_a_user_who_may_not_patch_is_refused_before_the_build(scene: Scene) -> None:
    before = scene.create()
    user = f"reader-{scene.namespace}"
    scene.kube.apply(*role("reader", user, reading()))
    kubeconfig = scene.cluster.kubeconfig_for(user)
    commit = scene.checkout.commit(good("one"))
    ran = scene.deploy(None, "--kubeconfig", str(kubeconfig)).ended(4, "refused", "Forbidden")

    ran.says(f"grant: patch deployments (apps) in namespace {scene.namespace}")
    not_built(ran)
    scene.look().is_untouched_since(before)
    scene.deploy(None, "--image", f"{scene.repository}:{commit}").ended(4, "refused", "ImageNotFound")


def test_a_user_with_no_rights_at_all_is_told_which_he_needs(scene: Scene) -> None:
    before = scene.create()
    kubeconfig = scene.cluster.kubeconfig_for(f"nobody-{scene.namespace}")
    ran = scene.deploy(good("one"), "--kubeconfig", str(kubeconfig)).ended(4, "refused", "Forbidden")

    ran.says("grant: get deployments (apps)")
    not_built(ran)
    scene.look().is_untouched_since(before)


def test_a_user_with_only_the_rights_that_are_documented_can_deploy(scene: Scene) -> None:
    scene.create()
    user = f"deployer-{scene.namespace}"
    patch = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]}
    probe = {"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]}
    scene.kube.apply(*role("deployer", user, [*reading(), patch, probe]))
    kubeconfig = scene.cluster.kubeconfig_for(user)
    ran = scene.deploy(good("one"), "--kubeconfig", str(kubeconfig)).ended(0, "deployed", "Complete")

    scene.look().runs(ran.image, 2)


def test_an_expired_token_is_told_as_such(scene: Scene) -> None:
    before = scene.create()
    kubeconfig = scene.cluster.kubeconfig_with_token("eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl", "expired")
    ran = scene.deploy(good("one"), "--kubeconfig", str(kubeconfig)).ended(4, "refused", "Forbidden")

    ran.says("does not accept the credentials", "log in to the cluster anew")
    assert "eyJhbGciOiJSUzI1NiJ9" not in ran.everything
    not_built(ran)
    scene.look().is_untouched_since(before)


def _lose_authority(cluster: dict[str, Any]) -> None:
    cluster.pop("certificate-authority-data", None)
    cluster.pop("certificate-authority", None)


def _point_nowhere(cluster: dict[str, Any]) -> None:
    cluster["server"] = "https://127.0.0.1:1"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_lose_authority, ("does not verify", "kdeploy does not go on unverified")),
        (_point_nowhere, ("nothing answers at https://127.0.0.1:1", "Connection refused")),
    ],
    ids=["TLS that does not verify", "a server that is not there"],
)
def test_a_cluster_that_cannot_be_reached_is_told_with_the_cause(
    scene: Scene, spoil: Callable[[dict[str, Any]], None], words: tuple[str, ...]
) -> None:
    scene.create()
    file = scene.write_kubeconfig("spoilt", lambda document: spoil(document["clusters"][0]["cluster"]))
    started = time.monotonic()
    ran = scene.deploy(good("one"), "--kubeconfig", str(file)).ended(4, "refused", "ClusterUnreachable").says(*words)

    not_built(ran)
    assert time.monotonic() - started < 60


def test_an_exec_plugin_that_fails_is_told_with_its_own_words(scene: Scene) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "interactiveMode": "Never",
        "command": "sh",
        "args": ["-c", "echo 'session expired, log in' >&2; exit 3"],
    }

    def change(document: dict[str, Any]) -> None:
        document["users"][0]["user"] = {"exec": plugin}

    file = scene.write_kubeconfig("plugin", change)
    ran = scene.deploy(good("one"), "--kubeconfig", str(file)).ended(4, "refused", "Forbidden")
    ran.says("login plugin", "session expired, log in")


def test_a_kubeconfig_that_is_missing_is_told_by_its_name(scene: Scene) -> None:
    scene.create()
    scene.checkout.commit(good("one"))
    scene.deploy(None, "--kubeconfig", "/nowhere/config").ended(2, "usage", "UsageError").says("/nowhere/config")
    scene.deploy(env={"KUBECONFIG": "/nowhere/else"}).ended(2, "usage", "UsageError").says("/nowhere/else")
    scene.deploy(None, "--context", "nowhere").ended(2, "usage", "UsageError").says("nowhere")


def test_no_docker_at_all_is_told_with_the_ways_out(scene: Scene) -> None:
    before = scene.create()
    nowhere = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    ran = scene.deploy(good("one"), env=nowhere).ended(3, "build-failed", "BuildFailed")

    ran.says("no Docker engine", "DOCKER_HOST", "--image")
    scene.look().is_untouched_since(before)


def test_a_dockerfile_that_fails_shows_its_last_lines(scene: Scene) -> None:
    before = scene.create()
    ran = scene.deploy(unbuildable("one")).ended(3, "build-failed", "BuildFailed")

    assert "the compiler says no" in ran.err
    scene.look().is_untouched_since(before)
    code, _, err = scene.program.show("deploy", "--quiet")
    assert (code, "the compiler says no" in err) == (3, True)
    classic = {"DOCKER_CONFIG": str(scene.cluster.docker_config_classic), "DOCKER_BUILDKIT": "0"}
    ran = scene.deploy(env=classic).ended(3, "build-failed", "BuildFailed")
    assert "the compiler says no" in ran.err


def test_changed_files_are_refused_in_ci_and_marked_elsewhere(scene: Scene) -> None:
    before = scene.create()
    commit = scene.checkout.commit(good("one"))
    scene.checkout.write(good("not committed"))
    ran = scene.deploy(env={"CI": "true"}).ended(3, "build-failed", "BuildFailed")
    ran.says("app/version", "CI=true")
    scene.look().is_untouched_since(before)

    ran = scene.deploy().ended(0, "deployed", "Complete")
    assert ran.deploy["image"]["tag"].startswith(f"{commit}-dirty-")
    scene.look().runs(ran.image, 2)


def test_an_older_commit_is_refused_unless_it_is_forced(scene: Scene) -> None:
    scene.create()
    first = scene.deployed(good("one"))
    older = scene.checkout.head
    second = scene.deployed(good("two"))
    before = scene.look()
    scene.checkout.switch(older)
    ran = scene.deploy().ended(4, "refused", "OlderCommit").says(older[:12], "--force")

    scene.look().is_untouched_since(before)
    before.runs(second.image, 2)
    not_built(ran)
    forced = scene.deploy(None, "--force").ended(0, "deployed", "Complete")
    assert forced.image == first.image, "its image is there already"
    scene.look().runs(first.image, 2)


def test_what_is_no_git_repository_needs_a_commit(scene: Scene) -> None:
    scene.create()
    scene.checkout.write(good("one"))
    (scene.checkout.folder / ".git").rename(scene.checkout.folder.parent / "git")
    scene.deploy().ended(2, "usage", "UsageError").says("not a git repository", "--commit")

    commit = "0123456789abcdef0123456789abcdef01234567"
    ran = scene.deploy(None, "--commit", commit).ended(0, "deployed", "Complete")
    assert ran.report["commit"] == ran.deploy["image"]["tag"] == commit
    scene.look().runs(ran.image, 2)
