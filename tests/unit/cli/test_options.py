from __future__ import annotations

import os
import re
from dataclasses import fields
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from kdeploy.cli.app import app, wanted_output
from kdeploy.cli.command import command
from kdeploy.cli.options import OPTIONS
from kdeploy.cli.run import Body
from kdeploy.config.flags import Flags

DEPLOY_FLAGS = (
    "-f --config -e --env -n --namespace --context --kubeconfig --commit --image --container --build-context"
    " --dockerfile --build-arg --platform --builder --tag --timeout --build-timeout --rollback-timeout --crash-budget"
    " --verify-http --rollback --no-rollback --on-interrupt --force --dry-run"
    " -o --output --report --junit --dotenv --trace -v -q"
)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Flags]:
    """The flags that commands are run with; they do nothing else."""
    seen: list[Flags] = []

    def run_command(flags: Flags, _: Body) -> None:
        seen.append(flags)

    monkeypatch.setattr("kdeploy.cli.run.run_command", run_command)
    for name in [name for name in os.environ if name.startswith("KDEPLOY_")]:
        monkeypatch.delenv(name)
    return seen


def invoke(*arguments: str, env: dict[str, str] | None = None) -> Any:
    return CliRunner().invoke(app, arguments, env=env)


def test_every_flag_is_declared_once_and_nothing_else_is() -> None:
    assert set(OPTIONS) == {part.name for part in fields(Flags)}


def test_deploy_has_the_flags_that_are_promised() -> None:
    shown = invoke("deploy", "--help").stdout
    missing = [flag for flag in DEPLOY_FLAGS.split() if not re.search(rf"(?<![\w-]){flag}(?![\w-])", shown)]
    assert not missing


def test_without_flags_all_is_left_open(given: list[Flags]) -> None:
    assert invoke("deploy").exit_code == 0
    assert given == [Flags()]


def test_flags_arrive_as_they_were_given(given: list[Flags]) -> None:
    line = "deploy web -e prod --build-arg A=1 --build-arg B=2 --no-rollback --crash-budget 0 --timeout 5m -o json -v"
    invoke(*line.split())
    assert given == [
        Flags(
            target=("web",),
            env="prod",
            build_arg=("A=1", "B=2"),
            rollback=False,
            crash_budget=0,
            timeout="5m",
            output="json",
            verbose=True,
        )
    ]


def test_every_flag_has_its_variable(given: list[Flags]) -> None:
    texts = {name: "x" for name in OPTIONS if name not in ("target", "to", "watch", "from_file")}
    texts |= {"rollback": "false", "force": "true", "dry_run": "1", "verbose": "true", "quiet": "true"}
    texts |= {"crash_budget": "7", "output": "jsonl", "on_interrupt": "leave", "container": "a b"}
    result = invoke("deploy", env={f"KDEPLOY_{name.upper()}": text for name, text in texts.items()})
    assert result.exit_code == 0
    for name in texts:
        assert getattr(given[0], name) != getattr(Flags(), name), name
    assert given[0].container == ("a", "b")


def test_a_flag_wins_over_its_variable(given: list[Flags]) -> None:
    invoke("deploy", "--timeout", "1m", env={"KDEPLOY_TIMEOUT": "2m"})
    assert given[0].timeout == "1m"


def test_an_empty_variable_counts_as_unset(given: list[Flags]) -> None:
    names = [name for name in OPTIONS if name not in ("target", "to", "watch", "from_file")]
    result = invoke("deploy", env={f"KDEPLOY_{name.upper()}": "" for name in names})
    assert result.exit_code == 0, result.output
    assert given == [Flags()]


@pytest.mark.parametrize(
    "arguments", [["--nope"], ["-o", "xml"], ["--crash-budget", "-1"], ["--on-interrupt", "x"], ["--timeout"]]
)
def test_a_flag_that_is_wrong_is_exit_2(given: list[Flags], arguments: list[str]) -> None:
    assert invoke("deploy", *arguments).exit_code == 2
    assert given == []


def test_every_command_is_there_and_has_help() -> None:
    names = list(getattr(get_command(app), "commands"))  # noqa: B009  (mypy does not know the group's type)
    assert names == [
        "deploy",
        "build",
        "status",
        "verify",
        "rollback",
        "history",
        "doctor",
        "init",
        "schema",
        "demo",
        "sandbox",
    ]
    for name in names:
        assert invoke(name, "--help").exit_code == 0


def test_the_decorator_keeps_the_name_and_the_help() -> None:
    @command("target")
    def look(_: object) -> Any:
        """Look."""

    assert (look.__name__, look.__doc__) == ("look", "Look.")
    other = typer.Typer()
    other.command()(look)
    assert "Look." in CliRunner().invoke(other, ["--help"]).stdout


@pytest.mark.parametrize(
    ("arguments", "env", "output"),
    [
        (["deploy", "-o", "json", "--nope"], {}, "json"),
        (["deploy", "--output=jsonl", "--nope"], {}, "jsonl"),
        (["deploy", "-ojson"], {}, "json"),
        (["deploy", "--nope"], {"KDEPLOY_OUTPUT": "json"}, "json"),
        (["deploy", "-o", "human"], {"KDEPLOY_OUTPUT": "json"}, "human"),
        (["deploy", "-o"], {}, "human"),
        (["deploy", "-o", "xml"], {}, "human"),
        ([], {}, "human"),
    ],
)
def test_what_output_is_wanted_is_known_even_where_the_line_is_wrong(
    arguments: list[str], env: dict[str, str], output: str
) -> None:
    assert wanted_output(arguments, env) == output
