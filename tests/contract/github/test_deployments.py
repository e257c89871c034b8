"""A deploy among the repository's deployments."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import pytest

from kdeploy.config.flags import Flags
from kdeploy.events import Phase, PhaseStarted
from kdeploy.github.plan import Deployment, deployed_commit, deployment_of
from kdeploy.github.sink import PATIENCE, DeploymentSink
from kdeploy.model import Kind, Outcome, Reason, Target
from kdeploy.report.redact import Redactor
from kdeploy.report.value import Report, TargetReport
from kdeploy.secret import Secret
from tests.contract.github.fake import TOKEN, Github, github
from tests.unit.report.github.runner import commands

OLD, NEW = "a" * 40, "b" * 40
WEB = Target(kind=Kind.DEPLOYMENT, name="web", namespace="shop")


def env_of(fake: Github) -> dict[str, str]:
    return {
        "KDEPLOY_GITHUB_TOKEN": TOKEN,
        "GITHUB_API_URL": fake.url,
        "GITHUB_REPOSITORY": "acme/web",
        "GITHUB_SHA": "d" * 40,
        "GITHUB_RUN_ID": "7",
    }


def ended(outcome: Outcome, restored: str | None = None, url: str | None = "https://shop.example") -> Report:
    image = f"ghcr.io/acme/web:{restored}@sha256:{'c' * 64}" if restored else None
    entry = TargetReport(
        outcome=outcome, reason=Reason.COMPLETE, message="m", target=WEB, cluster="c", rolled_back_to=image, url=url
    )
    return Report(
        outcome=outcome, exit_code=outcome.exit_code, reason=Reason.COMPLETE, message="it runs", deploys=(entry,)
    )


def run(
    fake: Github, report: Report, *, commit: str | None = NEW, begins: bool = True, env: dict[str, str] | None = None
) -> str:
    """One run of a deploy; what it wrote."""
    deployment = deployment_of(env or env_of(fake), Flags(env="prod"), commit)
    assert isinstance(deployment, Deployment)
    stream = io.StringIO()
    sink = DeploymentSink(stream, deployment, redact=Redactor([Secret(TOKEN)]))
    if begins:
        sink.emit(PhaseStarted(phase=Phase.PREFLIGHT))
        sink.emit(PhaseStarted(phase=Phase.BUILD))
    sink.finish(report)
    sink.close()
    return stream.getvalue()


def test_a_good_deploy_is_in_progress_then_the_active_one_at_its_address() -> None:
    with github() as fake:
        run(fake, ended(Outcome.DEPLOYED), commit=OLD)
        assert run(fake, ended(Outcome.DEPLOYED)) == ""
        assert [each.states for each in fake.made] == [
            ["in_progress", "success", "inactive"],
            ["in_progress", "success"],
        ]
        assert fake.active() == [NEW]
        assert fake.made[1].environment == "prod"
        last = fake.made[1].statuses[-1]
        assert last["environment_url"] == "https://shop.example"
        assert last["log_url"] == "https://github.com/acme/web/actions/runs/7"


def test_after_a_rollback_the_old_commit_is_the_active_one_again() -> None:
    with github() as fake:
        run(fake, ended(Outcome.DEPLOYED), commit=OLD)
        run(fake, ended(Outcome.ROLLED_BACK, OLD))
        assert fake.made[1].states == ["in_progress", "failure"]
        assert fake.active() == [OLD]
        assert len(fake.made) == 2


def test_after_a_rollback_to_an_earlier_image_of_the_same_commit_its_earlier_deployment_stays_active() -> None:
    with github() as fake:
        run(fake, ended(Outcome.DEPLOYED))
        for _ in range(2):  # with other build arguments, say
            run(fake, ended(Outcome.ROLLED_BACK, NEW))
        assert [each.states for each in fake.made] == [["in_progress", "success"], *[["in_progress", "failure"]] * 2]


def test_after_a_rollback_to_a_version_that_somebody_put_there_no_later_deployment_is_active() -> None:
    with github() as fake:
        run(fake, ended(Outcome.DEPLOYED), commit=OLD)
        run(fake, ended(Outcome.DEPLOYED), commit="e" * 40)  # then a person put OLD back, with kubectl
        run(fake, ended(Outcome.ROLLED_BACK, OLD))
        assert fake.active() == [OLD]


def test_after_a_rollback_by_hand_the_old_commit_is_active_and_the_newer_one_is_not() -> None:
    with github() as fake:
        run(fake, ended(Outcome.DEPLOYED), commit=OLD)
        run(fake, ended(Outcome.DEPLOYED))
        run(fake, ended(Outcome.RESTORED, OLD), commit=None, begins=False)
        assert fake.active() == [OLD]
        assert fake.made[1].states[-1] == "inactive"


@pytest.mark.parametrize("outcome", [Outcome.ROLLED_BACK, Outcome.RESTORED])
def test_a_commit_that_github_knows_no_deployment_of_gets_one(outcome: Outcome) -> None:
    with github() as fake:
        run(fake, ended(Outcome.DEPLOYED))
        run(fake, ended(outcome, OLD), begins=outcome is Outcome.ROLLED_BACK)
        assert fake.active() == [OLD]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.UNCHANGED, "success"),
        (Outcome.BUILD_FAILED, "failure"),
        (Outcome.NOT_ROLLED_BACK, "failure"),
        (Outcome.ROLLBACK_FAILED, "failure"),
        (Outcome.REFUSED, "failure"),
        (Outcome.SUPERSEDED, "inactive"),
        (Outcome.INTERRUPTED, "error"),
        (Outcome.INTERNAL, "error"),
    ],
)
def test_each_outcome_has_its_status(outcome: Outcome, state: str) -> None:
    with github() as fake:
        run(fake, ended(outcome))
        assert fake.made[0].states == ["in_progress", state]


def test_what_github_refuses_is_a_warning_with_the_permission_to_give() -> None:
    with github(refuses=403) as fake:
        (warning,) = commands(run(fake, ended(Outcome.DEPLOYED)))
    assert warning.name == "warning"
    assert "deployments: write" in warning.data


def test_nothing_is_told_where_no_deploy_began() -> None:
    with github() as fake:
        assert run(fake, ended(Outcome.PASSED), begins=False) == ""
        assert fake.made == []


def test_a_github_that_does_not_answer_holds_nobody_up_for_long() -> None:
    with github(is_silent=True) as fake:
        began = time.monotonic()
        assert "no answer" in run(fake, ended(Outcome.DEPLOYED))
        assert time.monotonic() - began < PATIENCE + 2


def test_the_token_is_in_no_warning_and_goes_nowhere_in_plain_http() -> None:
    with github() as fake:
        env = env_of(fake) | {"KDEPLOY_GITHUB_TOKEN": "ghs_wrong_wrong_wrong"}
        said = run(fake, ended(Outcome.DEPLOYED), env=env)
        assert "Bad credentials" in said
        assert "ghs_wrong" not in said
    assert isinstance(deployment_of(env_of(fake) | {"GITHUB_API_URL": "http://github.example"}, Flags(), NEW), str)


def test_without_a_token_or_in_a_dry_run_there_is_no_deployment() -> None:
    fake = Github(url="https://api.github.example")
    assert deployment_of(env_of(fake) | {"KDEPLOY_GITHUB_TOKEN": " "}, Flags(), NEW) is None
    assert deployment_of(env_of(fake), Flags(dry_run=True), "") is None


@pytest.mark.parametrize(
    ("commit", "image", "deployed"),
    [
        (NEW, "ghcr.io/acme/web", NEW),
        (NEW, f"ghcr.io/acme/web:{OLD}", NEW),
        (None, f"ghcr.io/acme/web:{OLD}@sha256:{'c' * 64}", OLD),
        (OLD[:7], f"ghcr.io/acme/web:{OLD}", OLD),
        (NEW[:7], f"ghcr.io/acme/web:{OLD}", ""),
        (None, f"ghcr.io/acme/web@sha256:{'c' * 64}", ""),
        ("main", "ghcr.io/acme/web:1.2", ""),
    ],
)
def test_the_commit_is_the_images_and_not_the_workflows(commit: str | None, image: str, deployed: str) -> None:
    assert deployed_commit(commit, image) == deployed
    fake = Github(url="https://api.github.example")
    found = deployment_of(env_of(fake), Flags(), deployed)
    assert found.commit == deployed if isinstance(found, Deployment) else "--commit" in str(found)


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        (Flags(), "production"),
        (Flags(target=("deployment/web",)), "production"),
        (Flags(env="prod", target=("web",)), "prod/web"),
    ],
)
def test_a_named_service_has_an_environment_of_its_own(flags: Flags, environment: str) -> None:
    found = deployment_of(env_of(Github(url="https://api.github.example")), flags, NEW)
    assert isinstance(found, Deployment)
    assert found.environment == environment


def test_an_address_that_is_none_is_not_sent() -> None:
    with github() as fake:
        run(fake, replace(ended(Outcome.DEPLOYED, url="javascript:alert(1)")))
        assert "environment_url" not in fake.made[0].statuses[-1]
