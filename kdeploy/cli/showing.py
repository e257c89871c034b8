"""A deploy among the repository's deployments on GitHub, shown by the commands that change what runs."""

from __future__ import annotations

from kdeploy.cli.run import Session
from kdeploy.events import Warned
from kdeploy.github.plan import deployment_of


def show_on_github(session: Session, commit: str | None) -> None:
    """Shows what comes from here on, where a token is given. `commit`: see `deployment_of`."""
    if session.env.get("GITHUB_ACTIONS") != "true":
        return
    found = deployment_of(session.env, session.flags, commit)
    if isinstance(found, str):
        session.emit(Warned(message=f"GitHub is told of no deployment: {found}"))
    elif found is not None:
        from kdeploy.github.sink import DeploymentSink

        session.shown.add(DeploymentSink(session.err, found, redact=session.redactor))
