"""What the cluster refuses, or cannot be asked, before the workload is touched."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.scene import Scene
from tests.scenarios.program import Ran
from tests.scenarios.versions import good
from tests.scenarios.workloads import reading, role


def not_built(ran: Ran) -> None:
    """Asserts that no build was begun."""
    assert ran.timings["build"] is None
    assert [event for event in ran.events if event["type"] == "build-output"] == []


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


PATCH = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"], "resourceNames": ["app"]}
FORWARD = {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]}


def test_a_user_whose_checks_could_not_reach_the_pods_is_refused_before_the_build(scene: Scene) -> None:
    before = scene.create()
    user = f"blind-{scene.namespace}"
    scene.kube.apply(*role("blind", user, [*reading(), PATCH]))
    kubeconfig = scene.cluster.kubeconfig_for(user)
    ran = scene.deploy(good("one"), "--kubeconfig", str(kubeconfig)).ended(4, "refused", "Forbidden")

    ran.says(f"grant: get pods/proxy in namespace {scene.namespace}")
    not_built(ran)
    scene.look().is_untouched_since(before)


def test_a_user_with_port_forward_alone_can_deploy_and_is_told_what_a_failure_would_lack(scene: Scene) -> None:
    scene.create()
    user = f"forwarder-{scene.namespace}"
    look = {"apiGroups": ["apps", ""], "resources": ["deployments", "replicasets", "pods"]}
    rules = [{**look, "verbs": ["get", "list", "watch"]}, PATCH, FORWARD]
    scene.kube.apply(*role("forwarder", user, rules))
    kubeconfig = scene.cluster.kubeconfig_for(user)
    ran = scene.deploy(good("one"), "--kubeconfig", str(kubeconfig)).ended(0, "deployed", "Complete")

    ran.says("without list events", "without get pods/log")
    scene.look().runs(ran.image, 2)


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
