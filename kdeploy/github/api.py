"""The requests about deployments."""

from __future__ import annotations

from typing import Any

import requests

from kdeploy.github.plan import Deployment
from kdeploy.secret import Secret
from kdeploy.text import one_line

TIMEOUT = 5.0
"""Seconds for an answer to begin."""
_VERSION = "2022-11-28"
_LOOKED_AT = 5
"""Deployments of one commit, the newest first: each costs a request at the end of a deploy."""


class GithubError(Exception):
    """GitHub did not answer, or said no."""


class Api:
    """Deployments of one repository. Every method raises GithubError."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._session = requests.Session()
        self._session.auth = _Bearer(deployment.token)
        self._session.headers.update({"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": _VERSION})

    def create(self, body: dict[str, Any]) -> int:
        """Makes a deployment; its number."""
        return _number(self._ask("POST", self._deployment.path, body))

    def is_active(self, commit: str) -> bool:
        """Whether one of the newest deployments of `commit` to the environment is its active one."""
        query = {"sha": commit, "environment": self._deployment.environment, "per_page": str(_LOOKED_AT)}
        found = self._ask("GET", self._deployment.path, params=query)
        return any(self._state(_number(one)) == "success" for one in (found if isinstance(found, list) else []))

    def _state(self, number: int) -> str:
        """The state that the deployment has now: that of its newest status."""
        found = self._ask("GET", f"{self._deployment.path}/{number}/statuses", params={"per_page": "100"})
        statuses = found if isinstance(found, list) else []
        return str(max(statuses, key=_number).get("state")) if statuses else ""

    def set_status(self, number: int, body: dict[str, Any]) -> None:
        """Gives a deployment a status."""
        self._ask("POST", f"{self._deployment.path}/{number}/statuses", body)

    def _ask(
        self, method: str, url: str, body: dict[str, Any] | None = None, params: dict[str, str] | None = None
    ) -> Any:
        try:
            answer = self._session.request(
                method, url, json=body, params=params, timeout=TIMEOUT, allow_redirects=False
            )
            content = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise GithubError(one_line(str(error))) from error
        if answer.ok and answer.status_code in (200, 201):
            return content
        said = content.get("message", "") if isinstance(content, dict) else ""
        advice = "; give the job the permission deployments: write" if answer.status_code in (403, 404) else ""
        raise GithubError(one_line(f"HTTP {answer.status_code}: {said}") + advice)


class _Bearer(requests.auth.AuthBase):
    """The token; set so that no .netrc takes its place."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


def _number(deployment: object) -> int:
    number = deployment.get("id") if isinstance(deployment, dict) else None
    if not isinstance(number, int):
        raise GithubError("its answer is no deployment")
    return number
