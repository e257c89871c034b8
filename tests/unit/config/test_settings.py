from __future__ import annotations

from typing import Any

import pytest

from kdeploy.config.file import Config, parse_config
from kdeploy.config.flags import Flags
from kdeploy.config.settings import Settings, resolve
from kdeploy.config.target import Workload
from kdeploy.errors import ConfigError
from kdeploy.model import HttpCheck, Kind, Limits
from kdeploy.reference import Reference

FULL = """\
version: 1
services:
  web:
    target: deployment/web-app
    namespace: shop
    containers: [web]
    image: ghcr.io/acme/web
    build: {context: ., dockerfile: Dockerfile, target: "", args: {}, secrets: [], platforms: []}
    timeout: 10m
    verify:
      - http: {path: /health, port: 8080, scheme: http, headers: {}, status: 200, timeout: 2s, interval: 250ms,
               samples: 20, success_rate: 1.0, within: 60s, watch_for: 0s, pods: 5}
environments:
  staging: {context: kind-staging, namespace: shop}
  prod: {context: prod, namespace: shop, services: {web: {timeout: 20m}}}
"""


def config(text: str, folder: str = ".") -> Config:
    return parse_config(text.encode(), "kdeploy.yaml", folder)


def web(extra: str = "", environments: str = "") -> Config:
    """A file with one service, `extra` in its block."""
    return config(f"version: 1\nservices:\n  web:\n    target: deploy/web\n{extra}{environments}")


def refused(settings_of: Config | None, flags: Flags) -> tuple[str, str]:
    with pytest.raises(ConfigError) as caught:
        resolve(settings_of, flags)
    assert caught.value.hint
    return caught.value.message, caught.value.hint


def test_the_whole_file_of_the_documentation_is_understood() -> None:
    settings = resolve(config(FULL), Flags(env="prod"))
    assert settings == Settings(
        workload=Workload(kind=Kind.DEPLOYMENT, name="web-app"),
        service="web",
        environment="prod",
        namespace="shop",
        context="prod",
        containers=("web",),
        image=Reference(repository="ghcr.io/acme/web"),
        checks=(HttpCheck(name="http /health", path="/health", port=8080),),
        limits=Limits(timeout=1200),
    )


def test_without_a_file_a_workload_is_enough() -> None:
    settings = resolve(None, Flags(target=("sts/db",), image="db:1"))
    assert settings == Settings(
        workload=Workload(kind=Kind.STATEFULSET, name="db"), image=Reference(repository="db", tag="1")
    )
    assert not settings.builds


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("deployment/x", Kind.DEPLOYMENT),
        ("deploy/x", Kind.DEPLOYMENT),
        ("Deployment/x", Kind.DEPLOYMENT),
        ("sts/x", Kind.STATEFULSET),
        ("statefulset/x", Kind.STATEFULSET),
        ("ds/x", Kind.DAEMONSET),
        ("daemonset/x", Kind.DAEMONSET),
    ],
)
def test_kinds_have_kubectls_short_forms(text: str, kind: Kind) -> None:
    assert resolve(None, Flags(target=(text,))).workload == Workload(kind=kind, name="x")


@pytest.mark.parametrize("text", ["cronjob/x", "pod/x", "/x", "rs/x"])
def test_an_unsupported_kind_is_refused(text: str) -> None:
    assert "is not supported" in refused(None, Flags(target=(text,)))[0]


@pytest.mark.parametrize("text", ["deploy/", "deploy/A", "deploy/a/b", "deploy/-x", "deploy/x\n"])
def test_a_name_that_kubernetes_would_not_take_is_refused(text: str) -> None:
    assert "cannot be a workload's name" in refused(None, Flags(target=(text,)))[0]


def test_no_file_and_no_target_says_what_to_do() -> None:
    message, hint = refused(None, Flags())
    assert message.startswith("nothing to act on")
    assert "deployment/web" in hint
    assert "check it out first" in hint


def test_a_bare_name_without_a_file_says_what_to_do() -> None:
    assert "deployment/web" in refused(None, Flags(target=("web",)))[1]


@pytest.mark.parametrize("file", [None, config(FULL)])
def test_several_targets_are_refused(file: Config | None) -> None:
    assert refused(file, Flags(target=("deploy/a", "deploy/b")))[0].startswith("one target a run")


def test_an_unknown_service_gets_the_nearest_name() -> None:
    message, hint = refused(config(FULL), Flags(target=("wbe",)))
    assert message == 'kdeploy.yaml has no service "wbe"'
    assert hint == 'did you mean "web"? valid: web'


def test_an_unknown_environment_gets_the_nearest_name() -> None:
    message, hint = refused(config(FULL), Flags(env="prd"))
    assert message == 'kdeploy.yaml has no environment "prd"'
    assert hint.startswith('did you mean "prod"?')


def test_an_environment_without_a_file_is_refused() -> None:
    assert "--env needs a kdeploy.yaml" in refused(None, Flags(env="prod", target=("deploy/x",)))[0]


def test_of_several_services_one_must_be_named() -> None:
    two = config("version: 1\nservices: {a: {target: deploy/a}, b: {target: deploy/b}}\n")
    assert refused(two, Flags())[1] == "name one: a, b"
    assert resolve(two, Flags(target=("b",))).workload.name == "b"


def test_a_workload_that_is_a_services_has_its_settings() -> None:
    assert resolve(config(FULL), Flags(target=("deploy/web-app",))).service == "web"


def test_a_workload_that_is_no_services_has_the_environments_settings_alone() -> None:
    settings = resolve(config(FULL), Flags(target=("deploy/other",), env="staging"))
    assert (settings.service, settings.context, settings.image, settings.checks) == (None, "kind-staging", None, ())


def test_a_bad_target_in_the_file_is_refused_with_its_line() -> None:
    assert refused(config("version: 1\nservices: {web: {target: cron/x}}\n"), Flags())[0].startswith("kdeploy.yaml:2: ")


def test_another_service_s_bad_target_does_not_stop_a_workload() -> None:
    file = config("version: 1\nservices: {job: {target: cronjob/x}, web: {target: deployment/web}}\n")
    assert resolve(file, Flags(target=("deployment/web",))).service == "web"


LAYERS = """\
environments:
  prod:
    timeout: 3m
    services: {web: {timeout: 4m}}
  test: {timeout: 3m}
  dev: {}
"""


@pytest.mark.parametrize(
    ("flags", "seconds"),
    [
        (Flags(env="prod", timeout="5m"), 300),
        (Flags(env="prod"), 240),
        (Flags(env="test"), 180),
        (Flags(env="dev"), 120),
        (Flags(), 120),
    ],
)
def test_the_strongest_block_that_speaks_decides(flags: Flags, seconds: float) -> None:
    assert resolve(web("    timeout: 2m\n", LAYERS), flags).limits.timeout == seconds


def test_without_a_word_the_defaults_hold() -> None:
    settings = resolve(web(), Flags())
    assert settings.limits == Limits()
    assert (settings.rollback, settings.on_interrupt) == (True, "rollback")


def test_every_policy_may_stand_in_a_service_or_an_environment() -> None:
    policy = (
        "{timeout: 1m, build_timeout: 2m, rollback_timeout: 3m, crash_budget: 0, containers: [a],"
        " rollback: false, on_interrupt: leave, url: https://x.example}"
    )
    in_environment = web(environments=f"environments:\n  e: {policy}\n")
    in_service = config(f"version: 1\nservices:\n  web: {policy.replace('{', '{target: deploy/web, ')}\n")
    for settings in (resolve(in_environment, Flags(env="e")), resolve(in_service, Flags())):
        assert settings.limits == Limits(timeout=60, build_timeout=120, rollback_timeout=180, crash_budget=0)
        assert (settings.containers, settings.rollback) == (("a",), False)
        assert (settings.on_interrupt, settings.url) == ("leave", "https://x.example")


def test_flags_win_over_false_and_zero_too() -> None:
    settings = resolve(web("    rollback: false\n    crash_budget: 5\n"), Flags(rollback=True, crash_budget=0))
    assert settings.rollback
    assert settings.limits.crash_budget == 0


def test_an_environments_build_changes_single_keys() -> None:
    file = web(
        "    build: {context: app, args: {A: '1'}}\n",
        "environments: {e: {services: {web: {build: {target: slim}}}}}\n",
    )
    build = resolve(file, Flags(env="e", build_arg=("B=2=3", "A=x"))).build
    assert (build.target, build.context, build.args) == ("slim", "app", (("A", "x"), ("B", "2=3")))


def test_paths_of_the_file_start_from_its_folder_and_those_of_flags_do_not() -> None:
    file = config(
        "version: 1\nservices: {web: {target: deploy/web, build: {context: app, dockerfile: docker/prod}}}\n", "deploy"
    )
    build = resolve(file, Flags()).build
    assert (build.context, build.dockerfile) == ("deploy/app", "deploy/app/docker/prod")
    build = resolve(file, Flags(build_context="here", dockerfile="there")).build
    assert (build.context, build.dockerfile) == ("here", "there")


@pytest.mark.parametrize("image", ["Web", "acme/WEB", "a:b:c", "web:-x", "web@sha256:12", "https://x/y", "web:"])
def test_a_bad_image_is_refused_from_flag_and_file(image: str) -> None:
    refused(None, Flags(target=("deploy/x",), image=image))
    assert refused(web(f"    image: {image!r}\n"), Flags())[0].startswith("kdeploy.yaml:5: services.web.image: ")


def test_a_bad_tag_is_refused() -> None:
    assert "is not a valid image tag" in refused(web(), Flags(tag="a b"))[0]


def test_a_tag_for_an_image_that_is_not_built_is_refused() -> None:
    assert "--tag names what is built" in refused(web(), Flags(image="a:b", tag="c"))[0]


@pytest.mark.parametrize("flag", ["timeout", "build_timeout", "rollback_timeout"])
@pytest.mark.parametrize("text", ["600", "ten", "0s"])
def test_a_flag_that_is_no_duration_is_refused_by_its_name(flag: str, text: str) -> None:
    given: dict[str, Any] = {flag: text}
    assert refused(web(), Flags(**given))[0].startswith(f"--{flag.replace('_', '-')}")


@pytest.mark.parametrize("text", ["b3BlbnNzaC1r", "b3Bl+bnNz/aC1r=", "=b3BlbnNzaC1r", "", "b3Bl bnNz=x", "-----b3Bl=x"])
def test_a_build_argument_that_has_no_variables_name_is_refused_and_not_shown(text: str) -> None:
    message, hint = refused(web(), Flags(build_arg=("SSH_KEY=-----BEGIN KEY-----", text)))
    assert message == "the 2nd --build-arg is not NAME=VALUE"
    assert "b3Bl" not in hint


def test_a_build_argument_may_be_empty_and_have_dots_and_dashes_in_its_name() -> None:
    given = ("A=", " spring.profile-1 = x = y", "_B=1\n2")
    args = resolve(web(), Flags(build_arg=given)).build.args
    assert args == (("A", ""), ("spring.profile-1", " x = y"), ("_B", "1\n2"))


def test_an_unknown_answer_to_interrupts_is_refused() -> None:
    assert refused(web(), Flags(on_interrupt="stop"))[1] == "valid: rollback, leave"


def test_empty_flags_are_as_good_as_none() -> None:
    empty = Flags(namespace="", context="", timeout="", image="", tag="", env="", on_interrupt="", kubeconfig="")
    assert resolve(config(FULL), empty) == resolve(config(FULL), Flags())
