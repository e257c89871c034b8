from __future__ import annotations

import pytest
from typer.main import get_command

from kdeploy.cli.app import app
from kdeploy.cli.inputs import FLAGS, INPUTS, Inputs, read_inputs
from kdeploy.errors import ConfigError


def given(inputs: dict[str, str] | None = None, *, has_config: bool = True, **more: str) -> Inputs:
    named = {**(inputs or {}), **{name.replace("_", "-"): text for name, text in more.items()}}
    return read_inputs({f"INPUT_{name.upper()}": text for name, text in named.items()}, has_config=has_config)


def test_the_inputs_are_the_flags_of_deploy_but_what_goes_to_stdout() -> None:
    deploy = getattr(get_command(app), "commands")["deploy"]  # noqa: B009  (mypy does not know the group's type)
    names = {param.name.replace("_", "-") for param in deploy.params}
    assert set(INPUTS) == names - {"output", "help"}


def test_the_command_line_is_that_of_a_person() -> None:
    line = given(target="web", image="ghcr.io/acme/web", build_arg="A=1\n\n B=two words\n", rollback="False").arguments
    assert line("/tmp/k") == [
        "deploy", "--image=ghcr.io/acme/web", "--build-arg=A=1", "--build-arg=B=two words", "--no-rollback",
        "--kubeconfig=/tmp/k", "--", "web",
    ]  # fmt: skip


def test_empty_inputs_count_as_unset() -> None:
    assert given(dict.fromkeys(INPUTS, "")).arguments() == ["deploy", "--"]


def test_a_value_that_looks_like_a_flag_stays_a_value() -> None:
    assert given(target="--force", tag="--force").arguments() == ["deploy", "--tag=--force", "--", "--force"]


@pytest.mark.parametrize("name", [name for name, shape in FLAGS.items() if shape.name == "SWITCH"])
def test_a_switch_is_true_or_false(name: str) -> None:
    assert given({name: "true"}).arguments() == ["deploy", f"--{name}", "--"]
    with pytest.raises(ConfigError, match=f"input {name} is"):
        given({name: "yes"})


@pytest.mark.parametrize(
    ("inputs", "problem", "hint"),
    [
        ({"verify-htpp": "/health"}, 'no input "verify-htpp"', 'did you mean "verify-http"'),
        ({"verify-htpp": ""}, 'no input "verify-htpp"', 'did you mean "verify-http"'),
        ({"namespace": "a\nb"}, "several lines", "one line"),
        ({"image": "acme/web:1", "build-arg": "A=1"}, "finished image", "without tag"),
        ({"image": "acme/web@sha256:" + "a" * 64, "dockerfile": "D"}, "finished image", "without tag"),
    ],
)
def test_bad_input_is_refused(inputs: dict[str, str], problem: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        given(inputs)
    assert hint in caught.value.hint


def test_what_is_required_is_named_where_there_is_no_kdeploy_yaml() -> None:
    with pytest.raises(ConfigError, match="input target is missing"):
        given(has_config=False, image="acme/web")
    with pytest.raises(ConfigError, match="input image is missing"):
        given(has_config=False, target="deployment/web")
    assert given(has_config=False, target="deployment/web", image="acme/web").given
    assert given(has_config=False, config="other.yaml").given


def test_the_content_of_a_kubeconfig_is_on_no_command_line() -> None:
    inputs = given(kubeconfig="a: 1\nb: 2\n")
    assert inputs.kubeconfig == "a: 1\nb: 2"
    assert inputs.arguments("/tmp/k") == ["deploy", "--kubeconfig=/tmp/k", "--"]
