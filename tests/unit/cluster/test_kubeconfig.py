from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kdeploy.cluster.kubeconfig import Context, choose_context, default_namespace, knows_a_cluster
from kdeploy.errors import ConfigError
from kdeploy.model import Outcome

CLUSTER = "{name: c, cluster: {server: 'https://c'}}"
FTP = "{name: d, cluster: {server: 'ftp://d'}}"


def config(
    *names: str, current: str | None = None, user: dict[str, Any] | None = None, **cluster: Any
) -> dict[str, Any]:
    """A kubeconfig with a context, a cluster and a user of each name."""
    return {
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": f"ns-{name}"}} for name in names
        ],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443/"}} for name in names],
        "users": [{"name": name, "user": user or {"token": "t"}} for name in names],
        **({"current-context": current} if current else {}),
    }


def written(path: Path, content: Any) -> str:
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return str(path)


def chosen(path: str, context: str | None = None) -> Context:
    return choose_context(kubeconfig=path, context=context, environ={})


def test_the_current_context_gives_server_and_namespace(tmp_path: Path) -> None:
    context = chosen(written(tmp_path / "a", config("dev", "prod", current="prod")))
    assert (context.name, context.server, context.namespace) == ("prod", "https://prod:6443", "ns-prod")


def test_the_flag_chooses_another_context(tmp_path: Path) -> None:
    assert chosen(written(tmp_path / "a", config("dev", "prod", current="prod")), "dev").name == "dev"


@pytest.mark.parametrize("key", ["server", "proxy-url"])
def test_an_address_that_cannot_be_read_is_refused_and_not_shown(tmp_path: Path, key: str) -> None:
    found = config("dev", current="dev")
    found["clusters"][0]["cluster"][key] = "http://user:canary#pw@host:3128"
    with pytest.raises(ConfigError, match=f"the {key} of the cluster of context 'dev'") as caught:
        chosen(written(tmp_path / "a", found))
    assert "canary" not in caught.value.message + caught.value.hint


def test_the_passwords_of_addresses_are_secrets_and_the_servers_is_left_out(tmp_path: Path) -> None:
    found = config("dev", current="dev")
    found["clusters"][0]["cluster"] = {"server": "https://a:b@c:d@host:6443/k8s/", "proxy-url": "http://u:pw@proxy:1"}
    context = chosen(written(tmp_path / "a", found))
    assert context.server == "https://host:6443/k8s"
    assert {secret.reveal() for secret in context.secrets} >= {"pw"}


def test_a_namespace_comes_from_the_flag_the_context_or_is_default(tmp_path: Path) -> None:
    context = chosen(written(tmp_path / "a", config("dev", current="dev")))
    assert default_namespace("mine", context) == "mine"
    assert default_namespace(None, context) == "ns-dev"
    assert default_namespace(None, Context(name="x", server="https://x", namespace=None)) == "default"


def test_of_several_files_the_first_to_say_something_wins_as_in_kubectl(tmp_path: Path) -> None:
    first, second = config("dev", current="dev"), config("dev", "prod", current="prod")
    second["clusters"][0]["cluster"]["server"] = "https://other"
    paths = [written(tmp_path / "a", first), str(tmp_path / "absent"), written(tmp_path / "b", second)]
    environ = {"KUBECONFIG": ":".join(paths)}
    context = choose_context(kubeconfig=None, context=None, environ=environ)
    assert (context.name, context.server) == ("dev", "https://dev:6443")
    assert choose_context(kubeconfig=None, context="prod", environ=environ).server == "https://prod:6443"


def test_the_flag_comes_before_the_variable_and_that_before_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    home = written(tmp_path / ".kube" / "config", config("home", current="home"))
    flag, variable = (written(tmp_path / name, config(name, current=name)) for name in ("flag", "variable"))
    environ = {"HOME": str(tmp_path), "KUBECONFIG": variable}
    assert choose_context(kubeconfig=flag, context=None, environ=environ).paths == (flag,)
    assert choose_context(kubeconfig=None, context=None, environ=environ).paths == (variable,)
    assert choose_context(kubeconfig=None, context=None, environ={"HOME": str(tmp_path)}).paths == (home,)


def test_a_cluster_is_known_by_a_variable_the_home_folder_or_the_pod(tmp_path: Path) -> None:
    def known(**environ: str) -> bool:
        return knows_a_cluster({"HOME": str(tmp_path), **environ}, service_account=tmp_path)

    assert not known(KUBECONFIG="")
    assert known(KUBECONFIG="/absent")
    assert known(KDEPLOY_KUBECONFIG="/absent")
    assert not known(KUBERNETES_SERVICE_HOST="10.0.0.1")
    written(tmp_path / "token", "t")
    assert known(KUBERNETES_SERVICE_HOST="10.0.0.1")
    (tmp_path / ".kube").mkdir()
    written(tmp_path / ".kube" / "config", "")
    assert known()


def test_in_a_pod_the_service_account_is_used(tmp_path: Path) -> None:
    written(tmp_path / "token", "t")
    written(tmp_path / "namespace", "shop\n")
    environ = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    context = choose_context(kubeconfig=None, context=None, environ=environ, service_account=tmp_path)
    assert (context.name, context.server, context.namespace) == ("in-cluster", "https://[fd00::1]:443", "shop")


def test_impersonation_becomes_headers(tmp_path: Path) -> None:
    user = {"token": "t", "as": "jane", "as-groups": ["a", "b"], "as-user-extra": {"acme.io/why": ["night"]}}
    context = chosen(written(tmp_path / "a", config("dev", current="dev", user=user)))
    assert context.impersonate == (
        ("Impersonate-User", "jane"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-acme.io%2Fwhy", "night"),
    )


def test_an_empty_file_adds_nothing_to_the_others(tmp_path: Path) -> None:
    full, empty = written(tmp_path / "a", config("dev", current="dev")), tmp_path / "empty"
    empty.touch()
    context = choose_context(kubeconfig=None, context=None, environ={"KUBECONFIG": f"{empty}:{full}"})
    assert (context.name, context.paths) == ("dev", (str(full),))


def refusal(**how: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        choose_context(**{"kubeconfig": None, "context": None, "environ": {}, **how})
    assert caught.value.outcome is Outcome.USAGE
    assert caught.value.hint
    return caught.value


def test_a_kubeconfig_that_is_missing_is_named(tmp_path: Path) -> None:
    assert "absent" in refusal(kubeconfig=str(tmp_path / "absent")).message
    assert "absent" in refusal(environ={"KUBECONFIG": str(tmp_path / "absent")}).message
    assert "no kubeconfig" in refusal(environ={"HOME": str(tmp_path)}).message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("a: [", "not valid YAML"),
        ("\x00", "not valid YAML"),
        ("- a", "not a mapping"),
        ("contexts: 7\ncurrent-context: x", "not a list"),
        ("contexts: [x]\ncurrent-context: x", "not a list"),
        ("contexts: []", "no current-context"),
        ("contexts: [{name: x}]\ncurrent-context: x", "names the cluster ''"),
        ("contexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x\nclusters: [{name: c}]", "no server"),
        (
            "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\nclusters: [" + CLUSTER + "]",
            "names the user 'u'",
        ),
        (
            "contexts: [{name: x, context: {cluster: d}}]\ncurrent-context: x\nclusters: [" + FTP + "]",
            "no server",
        ),
    ],
)
def test_a_kubeconfig_that_is_wrong_says_how(tmp_path: Path, content: str, said: str) -> None:
    assert said in refusal(kubeconfig=written(tmp_path / "a", content)).message


@pytest.mark.parametrize(
    "value", ["!t0ken x", "*t0ken", "!t0!ken x", '"t0ken" t0ken', "%t0ken", "@t0ken", "t0ken: t0ken"]
)
def test_a_kubeconfig_that_is_no_yaml_is_told_by_its_line_and_not_quoted(tmp_path: Path, value: str) -> None:
    found = refusal(kubeconfig=written(tmp_path / "a", f"users:\n- name: x\n  user: {value}\n"))
    assert found.message.endswith("is not valid YAML: look at line 3")
    assert "t0" not in found.message.replace(str(tmp_path), "") + found.hint


def test_an_unknown_context_comes_with_the_nearest_names(tmp_path: Path) -> None:
    path = written(tmp_path / "a", config("kind-staging", "prod", current="prod"))
    near = refusal(kubeconfig=path, context="kind-stagin")
    assert "kind-stagin" in near.message
    assert near.hint == "did you mean kind-staging?"
    assert refusal(kubeconfig=path, context="zzz").hint == "there is: kind-staging, prod"


SECRET = "t0ken-of-the-cluster"
CONTENTS = [
    f"apiVersion: v1\nusers:\n- name: ci\n  user: {{token: {SECRET}}}\n",
    yaml.safe_dump(config("a", user={"token": SECRET})).replace("\n", " "),
    "LS0t" * 200,
    f"{{apiVersion: v1, users: [{{user: {{token: {SECRET}}}}}]}}",
]


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("by_flag", [True, False])
def test_a_kubeconfigs_content_in_the_place_of_its_path_is_told_and_not_shown(content: str, by_flag: bool) -> None:
    with pytest.raises(ConfigError, match="and not the path of one") as caught:
        choose_context(
            kubeconfig=content if by_flag else None,
            context=None,
            environ={} if by_flag else {"KUBECONFIG": content},
        )
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"
    assert "LS0t" not in caught.value.message
