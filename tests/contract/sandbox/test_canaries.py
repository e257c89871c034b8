"""Secrets where a run meets them, and not a byte of them in anything that it leaves, in whatever way it ends.

The rows are those of tests/scenarios, where the versions' builds and pods print what they were given. A good deploy,
a crash, an unhealthy version and what is refused: on a real cluster, tests/e2e/test_canaries.py.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.contract.github.fake import github
from tests.scenarios.canaries import canary, found
from tests.scenarios.kube import Kube
from tests.scenarios.outside import Outside
from tests.scenarios.places import Sandbox, Send, open_sandbox
from tests.scenarios.rows.common import deployed
from tests.scenarios.scenario import Dump, Ends, Prints, Run, Scenario, Step
from tests.scenarios.stage import play
from tests.scenarios.table import ROWS
from tests.scenarios.versions import Version, crashing, good

PRINTED = {name: canary(name).replace("\u00e9", "") for name in ("template-password", "header", "build-argument")}
"""Those that builds and pods print; a label of the image says so, in a Dockerfile's string."""
SECRETS = {**PRINTED, **{name: canary(name) for name in ("registry-password", "github-token", "argument-of-a-flag")}}
MADE = ("out", "err", "report", "trace")

LEFT_CRASHING = Scenario(
    name="status of a crash",
    says="A version that was left as it is, looked at in each way.",
    steps=(
        deployed(good("one")),
        Run(
            words="deploy --crash-budget 0 --no-rollback",
            commit=crashing("two"),
            ends=Ends(code=12, outcome="not-rolled-back", reason="CrashLoop"),
        ),
        Dump(),
        *(
            Run(words=words, ends=Prints(code=12, fields={"state": "failed", "reason": "CrashLoop"}))
            for words in (
                "status --crash-budget 0",
                "status --watch --crash-budget 0",
                "status $target --crash-budget 0 --from-file $dump",
            )
        ),
    ),
)
WAYS = (
    "old and new alike",
    "foreign image meanwhile",
    "SIGINT puts the old version back",
    "SIGTERM puts the old version back",
    "verify",
)
"""Rollback failed, superseded, interrupted, a failed verify; and above, each kind of status."""
TABLE = (LEFT_CRASHING, *(row for row in ROWS if row.name in WAYS))


@dataclass(frozen=True, slots=True, kw_only=True)
class GithubStep(Sandbox):
    """The sandbox, for runs in a step on GitHub that is given secrets."""

    variables: Mapping[str, str] = field(default_factory=dict)

    def environment_in(self, namespace: str, send: Send) -> Mapping[str, str]:
        """With those variables."""
        return {**self.environment, **self.variables}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with open_sandbox(tmp_path_factory.mktemp("canaries")) as opened:
        yield opened


@pytest.fixture(scope="module")
def outside(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Outside:
    return Outside.make(sandbox, tmp_path_factory.mktemp("outside"))


def leaking(version: Version) -> Version:
    """Its build and its pods print all that they know."""
    printed = shlex.quote(" ".join(PRINTED.values()))
    build = version.dockerfile.replace("FROM {base}\n", "FROM {base}\nARG NPM_TOKEN\nARG DEPLOY_KEY\n")
    return replace(version, behaviour=f"log={printed} {version.behaviour}", dockerfile=build)


def given(step: Step) -> Step:
    """The step with a secret header in its check, whose name shows it in every output, and with leaking versions."""
    if not isinstance(step, Run):
        return step
    check = {"headers": {"X-Api-Key": SECRETS["header"]}, "name": f"health {SECRETS['header']}"}
    meanwhile: Any = tuple(given(each) if isinstance(each, Run) else each for each in step.meanwhile)
    commit = step.commit and leaking(step.commit)
    service = {**step.service, "build": {"args": {"NPM_TOKEN": SECRETS["build-argument"]}}}
    return replace(step, commit=commit, check={**(step.check or {}), **check}, service=service, meanwhile=meanwhile)


def with_secrets(row: Scenario) -> Scenario:
    """The same row, whose workload has secrets in its pod template."""
    env = [{"name": "DB_PASSWORD", "value": SECRETS["template-password"]}]
    workload = replace(row.workload, container={**row.workload.container, "env": env})
    return replace(row, workload=workload, steps=tuple(map(given, row.steps)))


def test_every_way_to_end_is_a_row_of_the_table() -> None:
    assert {row.name for row in TABLE} == {LEFT_CRASHING.name, *WAYS}


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_however_a_run_ends_no_secret_is_left(
    row: Scenario, sandbox: Sandbox, outside: Outside, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    with github() as fake:
        variables = {
            **{name: str(files / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")},
            "GITHUB_ACTIONS": "true", "GITHUB_API_URL": fake.url, "GITHUB_REPOSITORY": "acme/web",
            "GITHUB_SHA": "a" * 40, "KDEPLOY_GITHUB_TOKEN": SECRETS["github-token"],
            "KDEPLOY_REGISTRY_USERNAME": "ann", "KDEPLOY_REGISTRY_PASSWORD": SECRETS["registry-password"],
            "KDEPLOY_BUILD_ARG": f"DEPLOY_KEY={SECRETS['argument-of-a-flag']}", "KDEPLOY_VERBOSE": "true",
            "KDEPLOY_JUNIT": str(files / "junit"), "KDEPLOY_DOTENV": str(files / "dotenv"),
        }  # fmt: skip
        place = GithubStep(kubeconfig=sandbox.kubeconfig, registry=sandbox.registry, variables=variables)
        play(with_secrets(row), place, Kube.open(sandbox.kubeconfig), outside, tmp_path)

    token = json.loads(sandbox.kubeconfig.read_text())["users"][0]["user"]["token"]
    written = [file for file in (tmp_path / "outputs").rglob("*") if file.name in MADE]
    texts = {
        str(file.relative_to(tmp_path)): file.read_text("utf-8", "replace") for file in (*written, *files.iterdir())
    }
    assert {file.name for file in files.iterdir()} == {"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "junit", "dotenv"}
    assert found({**SECRETS, "cluster-token": token}, texts) == []
    masked = {Path(name).name for name, text in texts.items() if "***" in unescape(text)}
    assert {*MADE, "GITHUB_STEP_SUMMARY"} <= masked, "nothing was printed that had to be masked"
