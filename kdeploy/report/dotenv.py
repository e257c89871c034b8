"""The outputs as a file of variables, which GitLab gives to the jobs that come later. Pure.

GitLab's rules: one NAME=VALUE a line, no quotes, comments or blank lines, 5 kB and 20 variables at most:
https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv.
"""

from __future__ import annotations

from collections.abc import Mapping

PREFIX = "DEPLOY_"
"""Not KDEPLOY_: a later job's kdeploy would take KDEPLOY_IMAGE for its own --image."""

_LONGEST = 400


def dotenv(values: Mapping[str, str]) -> str:
    """The file's text: `values` (see `github.outputs.outputs`) as DEPLOY_PREVIOUS_IMAGE=... for
    "previous-image". One that is too long for the file is left empty.
    """
    named = {f"{PREFIX}{name.replace('-', '_').upper()}": value for name, value in values.items()}
    return "".join(f"{name}={value if len(value.encode()) <= _LONGEST else ''}\n" for name, value in named.items())
