from __future__ import annotations

import pytest
from typer.main import get_command

from kdeploy.cli.app import app
from kdeploy.cli.inputs import COMMANDS, FLAGS, INPUTS, Inputs, as_inputs, read_inputs
from kdeploy.cli.pull_request import refuse_fork
from kdeploy.errors import ConfigError
from kdeploy.model import Outcome, Reason
from kdeploy.report.value import Report

REPORT = "--report=kdeploy-report.json"


def given(inputs: dict[str, str] | None = None, *, has_config: bool = True, **more: str) -> Inputs:
    named = {**(inputs or {}), **{name.replace("_", "-"): text for name, text in more.items()}}
    return read_inputs({f"INPUT_{name.upper()}": text for name, text in named.items()}, has_config=has_config)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_inputs_of_a_command_are_its_flags_but_what_goes_to_stdout(command: str) -> None:
    found = getattr(get_command(app), "commands")[command]  # noqa: B009  (mypy does not know the group's type)
    names = {param.name.replace("_", "-") for param in found.params}
    assert COMMANDS[command] | {"kubeconfig"} == names - {"output", "help"}
    assert COMMANDS[command] <= set(INPUTS)


def test_a_rollback_by_hand_needs_a_target_and_nothing_else() -> None:
    inputs = given(has_config=False, command="rollback", target="deployment/web", to="3")
    assert inputs.arguments("/tmp/k") == ["rollback", REPORT, "--to=3", "--kubeconfig=/tmp/k", "--", "deployment/web"]
    with pytest.raises(ConfigError, match="input target is missing"):
        given(has_config=False, command="rollback")


def test_the_command_line_is_that_of_a_person() -> None:
    line = given(target="web", image="ghcr.io/acme/web", build_arg="A=1\n\n B=two words\n", rollback="False").arguments
    assert line("/tmp/k") == [
        "deploy", REPORT, "--image=ghcr.io/acme/web", "--build-arg=A=1", "--build-arg=B=two words", "--no-rollback",
        "--kubeconfig=/tmp/k", "--", "web",
    ]  # fmt: skip


def test_empty_inputs_count_as_unset() -> None:
    assert given(dict.fromkeys(INPUTS, "")).arguments() == ["deploy", REPORT, "--"]


def test_a_value_that_looks_like_a_flag_stays_a_value() -> None:
    assert given(target="--force", tag="--force").arguments() == ["deploy", REPORT, "--tag=--force", "--", "--force"]


@pytest.mark.parametrize("name", [name for name, shape in FLAGS.items() if shape.name == "SWITCH"])
def test_a_switch_is_true_or_false(name: str) -> None:
    assert given({name: "true"}).arguments() == ["deploy", REPORT, f"--{name}", "--"]
    with pytest.raises(ConfigError, match=f"input {name} is"):
        given({name: "yes"})


@pytest.mark.parametrize(
    ("inputs", "problem", "hint"),
    [
        ({"verify-htpp": "/health"}, 'no input "verify-htpp"', 'did you mean "verify-http"'),
        ({"verify-htpp": ""}, 'no input "verify-htpp"', 'did you mean "verify-http"'),
        ({"namespace": "a\nb"}, "several lines", "one line"),
        ({"command": "rolback"}, 'no command "rolback"', "deploy or rollback"),
        ({"command": "rollback", "image": "acme/web"}, "rollback has no input image", "leave it out"),
        ({"to": "3"}, "deploy has no input to", "leave it out"),
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


def test_the_report_is_written_where_one_says_and_else_in_the_workspace() -> None:
    assert given(report="out/r.json").arguments() == ["deploy", "--report=out/r.json", "--"]


def test_logins_and_tokens_are_variables_and_on_no_command_line() -> None:
    inputs = given(registry_username="ann", registry_password="hunter2", github_token="gh", kubeconfig="k: v")
    assert inputs.variables == {
        "KDEPLOY_REGISTRY_USERNAME": "ann",
        "KDEPLOY_REGISTRY_PASSWORD": "hunter2",
        "KDEPLOY_GITHUB_TOKEN": "gh",
    }
    assert inputs.arguments("/tmp/k") == ["deploy", REPORT, "--kubeconfig=/tmp/k", "--"]


def pull_request(head: dict[str, str] | None) -> dict[str, object]:
    return {"pull_request": {"head": {"repo": head}, "base": {"repo": {"full_name": "acme/web"}}}}


@pytest.mark.parametrize("head", [{"full_name": "mallory/web"}, None])
def test_a_pull_request_from_a_fork_is_refused_with_the_condition_to_write(head: dict[str, str] | None) -> None:
    with pytest.raises(ConfigError, match="fork") as caught:
        refuse_fork(pull_request(head))
    assert "head.repo.full_name == github.repository" in caught.value.hint


@pytest.mark.parametrize("event", [{}, {"pull_request": []}, {"pull_request": {"head": 1}}])
def test_any_other_event_is_no_pull_request(event: dict[str, object]) -> None:
    refuse_fork(event)
    refuse_fork(pull_request({"full_name": "acme/web"}))


@pytest.mark.parametrize(
    ("outcome", "message", "hint", "expected"),
    [
        (Outcome.USAGE, "no commit", "give --commit SHA", "give --commit SHA (in the action: the input commit)"),
        (Outcome.USAGE, "--no-rollback, '--env' or --env?", "", "(in the action: the inputs rollback and env)"),
        (Outcome.BUILD_FAILED, "RUN x --tag y", "raise --build-timeout, --max", "build-timeout"),
        (Outcome.REFUSED, "", "kubectl create deployment x --image=IMAGE, git config --global", ""),
    ],
)
def test_a_hint_that_names_a_flag_says_which_input_that_is(
    outcome: Outcome, message: str, hint: str, expected: str
) -> None:
    report = Report(outcome=outcome, exit_code=2, reason=Reason.USAGE_ERROR, message=message, hint=hint)
    told = as_inputs(report).hint
    assert told.removesuffix(")").endswith(expected.removesuffix(")"))
    assert ("in the action" in told, "tag" in told) == (bool(expected), False)


def test_the_file_that_holds_the_input_kubeconfig_is_called_by_the_inputs_name() -> None:
    report = Report(
        outcome=Outcome.USAGE, exit_code=2, reason=Reason.USAGE_ERROR,
        message='the kubeconfig /t/k is not valid YAML: in "/t/k"', hint="correct /t/k",
    )  # fmt: skip
    told = as_inputs(report, "/t/k")
    assert told.message == 'the input kubeconfig is not valid YAML: in "the input kubeconfig"'
    assert told.hint == "correct the input kubeconfig"
