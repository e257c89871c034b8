"""Who deploys, from where: read off the environment of GitHub, GitLab, Jenkins or a shell. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from kdeploy.text import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """`actor`: a person's or a bot's name. `run_url`: the CI run's page. `run`: "github/acme/web/deploy.yml#123", the
    pipeline and the number of its run, by which runs of one pipeline are ordered. "" for what is unknown.
    """

    actor: str
    run_url: str = ""
    run: str = ""


def provenance(env: Mapping[str, str], user: str, host: str) -> Provenance:
    """What `env` says; `user` and `host` are those of this machine, for a run by hand."""
    for read in (_github, _gitlab, _jenkins):
        found = read(env)
        if found is not None:
            return found
    return Provenance(actor=one_line(f"{user or 'unknown'}@{host or 'unknown'}", 100))


def new_deploy_id(at: datetime, entropy: bytes) -> str:
    """A short id that sorts by time, to the millisecond: "20250131t120000123z-3f2c1a9b". `at` is in UTC, `entropy` four
    random bytes.
    """
    return f"{at:%Y%m%dt%H%M%S}{at.microsecond // 1000:03}z-{entropy.hex()}"


def _github(env: Mapping[str, str]) -> Provenance | None:
    """https://docs.github.com/actions/reference/workflows-and-actions/variables."""
    repository = env.get("GITHUB_REPOSITORY")
    if not repository or not env.get("GITHUB_RUN_ID"):
        return None
    server = env.get("GITHUB_SERVER_URL") or "https://github.com"
    # "acme/web/.github/workflows/deploy.yml@refs/heads/main"
    workflow = env.get("GITHUB_WORKFLOW_REF", "").partition("@")[0].rpartition("/")[2]
    number = env.get("GITHUB_RUN_NUMBER")
    return _found(
        actor=env.get("GITHUB_TRIGGERING_ACTOR") or env.get("GITHUB_ACTOR"),
        run_url=f"{server}/{repository}/actions/runs/{env['GITHUB_RUN_ID']}",
        run=f"github/{repository}/{workflow}#{number}" if workflow and number else "",
    )


def _gitlab(env: Mapping[str, str]) -> Provenance | None:
    """https://docs.gitlab.com/ci/variables/predefined_variables."""
    if not env.get("GITLAB_CI") and not env.get("CI_JOB_URL"):
        return None
    project, number = env.get("CI_PROJECT_PATH"), env.get("CI_PIPELINE_IID")
    return _found(
        actor=env.get("GITLAB_USER_LOGIN"),
        run_url=env.get("CI_JOB_URL", ""),
        run=f"gitlab/{project}#{number}" if project and number else "",
    )


def _jenkins(env: Mapping[str, str]) -> Provenance | None:
    """https://www.jenkins.io/doc/book/pipeline/jenkinsfile; BUILD_USER comes from its build user vars plugin."""
    job, number = env.get("JOB_NAME"), env.get("BUILD_NUMBER")
    if not job or not number:
        return None
    return _found(
        actor=env.get("BUILD_USER_ID") or env.get("BUILD_USER"),
        run_url=env.get("BUILD_URL", ""),
        run=f"jenkins/{job}#{number}",
    )


def _found(*, actor: str | None, run_url: str, run: str) -> Provenance:
    return Provenance(actor=one_line(actor or "unknown", 100), run_url=one_line(run_url), run=one_line(run))
