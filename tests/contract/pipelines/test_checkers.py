"""The checkers of `make check` are given every file, and do find what is wrong in one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.pipelines.workflow import ROOT

BIN = Path(sys.executable).parent

CARELESS = """\
name: Careless
on: pull_request_target
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
        with: {ref: "${{ github.event.pull_request.head.sha }}"}
      - run: echo "${{ github.event.pull_request.title }}"
      - uses: somebody/action@main
"""


def recipe() -> dict[str, list[str]]:
    """The commands of `make check` by their program and schema, as make would run them."""
    shown = subprocess.run(
        ["make", "-n", "-s", "-o", ".venv/.installed", "check"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in shown.stdout.splitlines()]
    return {next((word for word in line if word.startswith("vendor.")), Path(line[0]).name): line for line in lines}


def check(command: list[str], **replaced: str) -> subprocess.CompletedProcess[str]:
    """Runs one of them, with a file put in the place of its own."""
    words = [word for word in command[1:] if not word.endswith((".yml", ".yaml")) or word == "zizmor.yml"]
    program = str(BIN / Path(command[0]).name)
    return subprocess.run(
        [program, *words, *replaced.values()], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


def test_every_workflow_and_action_is_given_to_them() -> None:
    commands = recipe()
    workflows = {str(path.relative_to(ROOT)) for path in (ROOT / "examples/workflows").iterdir()}
    actions = {str(path.relative_to(ROOT)) for path in ROOT.rglob("action.y*ml") if ".venv" not in str(path)}
    assert len(workflows) == 7
    assert actions == {"action.yml", "composite/action.yml"}
    assert workflows | actions <= set(commands["zizmor"])
    assert workflows <= set(commands["vendor.github-workflows"])
    assert actions <= set(commands["vendor.github-actions"])
    assert "examples/gitlab/.gitlab-ci.yml" in commands["vendor.gitlab-ci"]


def test_zizmor_finds_what_is_wrong_in_a_careless_workflow(tmp_path: Path) -> None:
    file = tmp_path / "careless.yml"
    file.write_text(CARELESS)
    done = check([*recipe()["zizmor"], "--format=json"], file=str(file))
    found = {each["ident"] for each in json.loads(done.stdout)}
    assert done.returncode != 0
    assert {"dangerous-triggers", "template-injection", "unpinned-uses", "artipacked", "excessive-permissions"} <= found


def test_zizmor_wants_foreign_actions_pinned_and_takes_a_tag_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "workflow.yml"
    text = (ROOT / "examples/workflows/kind.yml").read_text()
    file.write_text(text)
    assert check(recipe()["zizmor"], file=str(file)).returncode == 0
    file.write_text(text.replace("@ef37e7f390d99f746eb8b610417061a60e82a6cc", "@v1"))
    assert "unpinned-uses" in check(recipe()["zizmor"], file=str(file)).stdout


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "vendor.github-actions", "vendor.gitlab-ci"])
def test_check_jsonschema_finds_what_is_wrong(tmp_path: Path, schema: str) -> None:
    file = tmp_path / "bad.yml"
    file.write_text("jobs: 1\nruns: 1\ndeploy: {script: 1}\n")
    assert check(recipe()[schema], file=str(file)).returncode == 1
