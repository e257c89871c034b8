from __future__ import annotations

from datetime import UTC, datetime

from kdeploy.provenance import Provenance, new_deploy_id, provenance

GITHUB = {
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/web",
    "GITHUB_RUN_ID": "99",
    "GITHUB_RUN_NUMBER": "123",
    "GITHUB_WORKFLOW_REF": "acme/web/.github/workflows/deploy.yml@refs/heads/main",
    "GITHUB_ACTOR": "mona",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_JOB_URL": "https://gitlab.example/acme/web/-/jobs/7",
    "CI_PROJECT_PATH": "acme/web",
    "CI_PIPELINE_IID": "45",
    "GITLAB_USER_LOGIN": "tanuki",
}
JENKINS = {
    "JOB_NAME": "web/main",
    "BUILD_NUMBER": "6",
    "BUILD_URL": "https://ci.example/job/web/6/",
    "BUILD_USER": "jo",
}


def test_on_github_it_is_the_workflow_and_its_run() -> None:
    assert provenance(GITHUB, "root", "vm") == Provenance(
        actor="mona", run_url="https://github.com/acme/web/actions/runs/99", run="github/acme/web/deploy.yml#123"
    )


def test_on_github_who_starts_a_run_again_is_the_actor() -> None:
    assert provenance(GITHUB | {"GITHUB_TRIGGERING_ACTOR": "hubot"}, "", "").actor == "hubot"


def test_on_gitlab_it_is_the_job_and_the_pipeline() -> None:
    assert provenance(GITLAB, "root", "vm") == Provenance(
        actor="tanuki", run_url="https://gitlab.example/acme/web/-/jobs/7", run="gitlab/acme/web#45"
    )


def test_on_jenkins_it_is_the_build() -> None:
    assert provenance(JENKINS, "root", "vm") == Provenance(
        actor="jo", run_url="https://ci.example/job/web/6/", run="jenkins/web/main#6"
    )


def test_by_hand_it_is_the_user_and_the_machine() -> None:
    assert provenance({}, "jane", "laptop") == Provenance(actor="jane@laptop")


def test_half_of_an_environment_is_no_run() -> None:
    assert provenance({"GITHUB_RUN_ID": "1", "BUILD_NUMBER": "2"}, "jane", "laptop").run == ""


def test_an_actor_cannot_break_a_line() -> None:
    assert provenance(GITHUB | {"GITHUB_ACTOR": "a\n::error::b\x1b[31m"}, "", "").actor == "a ::error::b"


def test_deploy_ids_sort_by_time() -> None:
    early = new_deploy_id(datetime(2025, 1, 31, 12, 0, 0, tzinfo=UTC), b"\xff\xff\xff\xff")
    late = new_deploy_id(datetime(2025, 1, 31, 12, 0, 0, 1000, tzinfo=UTC), b"\0\0\0\0")
    assert early == "20250131t120000000z-ffffffff"
    assert early < late
