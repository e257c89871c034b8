"""Pull requests from forks: GitHub gives their runs no secrets, so that nothing can be deployed by them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdeploy.errors import ConfigError
from kdeploy.text import one_line

LARGEST = 32 * 1024 * 1024
"""Bytes. GitHub's own limit of an event is 25 MB: https://docs.github.com/webhooks/webhook-events-and-payloads."""


def read_event(env: Mapping[str, str]) -> Mapping[str, Any]:
    """The event that started the run (GITHUB_EVENT_PATH); empty where it cannot be read."""
    if env.get("GITHUB_EVENT_NAME") != "pull_request":
        return {}
    try:
        with Path(env.get("GITHUB_EVENT_PATH") or "/dev/null").open("rb") as stream:
            event = json.loads(stream.read(LARGEST))
    except (OSError, ValueError):
        return {}
    return event if isinstance(event, dict) else {}


def refuse_fork(event: Mapping[str, Any]) -> None:
    """Raises ConfigError where `event` is a pull request from another repository than the one that runs it.

    https://docs.github.com/actions/security-for-github-actions/security-guides/using-secrets-in-github-actions
    """
    try:
        sides = event["pull_request"]
        head, base = sides["head"]["repo"], sides["base"]["repo"]["full_name"]
        name = head["full_name"] if head else "a deleted repository"
    except (KeyError, TypeError):
        return
    if name != base:
        raise ConfigError(
            f"this run is of a pull request from the fork {one_line(str(name), 100)}, to which GitHub gives no secrets:"
            " the input kubeconfig is empty",
            hint="run this step for branches of the repository only: if: github.event.pull_request.head.repo.full_name"
            " == github.repository",
        )
