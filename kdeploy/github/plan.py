"""What GitHub is told of a deploy: which deployment, which status. Pure.

The API: https://docs.github.com/rest/deployments/deployments and https://docs.github.com/rest/deployments/statuses. A
success makes the earlier ones of the same environment inactive; a failure leaves the one that was active as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from kdeploy.config.flags import Flags
from kdeploy.model import Outcome
from kdeploy.provenance import provenance
from kdeploy.reference import commit_of_tag
from kdeploy.report.value import Report
from kdeploy.secret import GITHUB_TOKEN, Secret
from kdeploy.text import one_line

State = Literal["in_progress", "success", "failure", "error", "inactive"]

_REPOSITORY = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LONGEST = 140
"""Characters of a description."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Of which commit ("" before a rollback by hand), to which environment, in which repository; `api` is the API's
    address, `run` the run's page.
    """

    api: str
    repository: str
    token: Secret
    commit: str
    environment: str
    run: str = ""

    @property
    def path(self) -> str:
        """Where deployments are made and listed."""
        return f"{self.api}/repos/{self.repository}/deployments"


def deployed_commit(commit: str | None, image: str) -> str:
    """The full commit that is deployed: what was built, or --commit names; else what the tag of a finished image names;
    "" where neither does. Not GITHUB_SHA: after a checkout with a `ref` the run is of another commit than the image.
    """
    if commit and _COMMIT.fullmatch(commit):
        return commit
    tagged = commit_of_tag(image) or ""
    return tagged if tagged.startswith(commit or "") else ""


def deployment_of(env: Mapping[str, str], flags: Flags, commit: str | None) -> Deployment | str | None:
    """The deployment that a run is; None where no token is given or nothing is changed, a sentence where it cannot be
    told. `commit`: see `deployed_commit`; None for a rollback by hand, whose version is known at its end.

    The environment is called as in kdeploy.yaml, else "production", GitHub's own default. A service that is named has
    one of its own ("prod/web"), or a success of one would make the others' deployments inactive.
    """
    token = env.get(GITHUB_TOKEN, "").strip()
    if not token or flags.dry_run:
        return None
    api = env.get("GITHUB_API_URL") or "https://api.github.com"
    repository = env.get("GITHUB_REPOSITORY", "")
    if not _is_safe(api):
        return "GITHUB_API_URL is no https address"
    if not _REPOSITORY.fullmatch(repository):
        return "GITHUB_REPOSITORY is not known"
    if commit == "":
        return "nothing says which commit the image was built of; give --commit with all its 40 digits"
    service = [name for name in flags.target[:1] if "/" not in name]
    return Deployment(
        api=api.rstrip("/"),
        repository=repository,
        token=Secret(token),
        commit=commit or "",
        environment="/".join([flags.env or "production", *service]),
        run=provenance(env, "", "").run_url,
    )


def creation(deployment: Deployment, commit: str) -> dict[str, Any]:
    """The body that makes a deployment of `commit`: at once, whatever the commit's checks say, and merging nothing."""
    return {
        "ref": commit,
        "environment": deployment.environment,
        "auto_merge": False,
        "required_contexts": [],
        "description": "kdeploy",
    }


def status(deployment: Deployment, state: State, report: Report | None = None) -> dict[str, Any]:
    """The body of a status; `report` says how it ended."""
    entry = report.deploys[0] if report and report.deploys else None
    said = one_line(f"{report.outcome.value}: {report.reason.value}: {report.message}", _LONGEST) if report else ""
    body = {"state": state, "log_url": deployment.run, "description": said}
    url = entry.url if entry and entry.url else ""
    is_address = url.startswith(("https://", "http://"))
    return {key: text for key, text in body.items() if text} | ({"environment_url": url} if is_address else {})


def state_of(report: Report) -> State:
    """The status that a deploy ends with."""
    if report.outcome.exit_code == 0:
        return "success"
    if report.outcome is Outcome.SUPERSEDED:
        return "inactive"
    return "error" if report.outcome in (Outcome.INTERNAL, Outcome.INTERRUPTED) else "failure"


def restored_commit(report: Report) -> str | None:
    """The commit that runs again after a rollback, which its image's tag names; None where nothing was put back."""
    entry = report.deploys[0] if report.deploys else None
    if entry is None or report.outcome not in (Outcome.ROLLED_BACK, Outcome.RESTORED):
        return None
    return commit_of_tag(entry.rolled_back_to or "")


def _is_safe(api: str) -> bool:
    try:
        address = urlsplit(api)
    except ValueError:
        return False
    return address.scheme == "https" or (address.scheme == "http" and address.hostname in _LOOPBACK)
