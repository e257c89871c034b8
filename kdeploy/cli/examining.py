"""The work of `kdeploy doctor`: asks all that a deploy will need, each within some seconds, and changes nothing."""

from __future__ import annotations

import sys
from pathlib import Path

from kdeploy.cli.examining_cluster import examine_cluster
from kdeploy.cli.examining_image import examine_image
from kdeploy.cli.questions import Questions
from kdeploy.cli.run import Result, Session
from kdeploy.cli.wiring import load_settings
from kdeploy.config.blocks import refuse_several
from kdeploy.config.file import find_config
from kdeploy.config.settings import Settings
from kdeploy.config.target import parse_workload
from kdeploy.doctor.check import REFUSED, Check, bad, document, good, passed, text
from kdeploy.errors import ConfigError
from kdeploy.report.wording import marks_for


def doctor_result(session: Session) -> Result:
    """All checks as text and as JSON. Raises ConfigError for a TARGET that cannot be one."""
    refuse_several(session.flags.target)
    for target in session.flags.target:
        if "/" in target:
            parse_workload(target)
    checks = examine(session)
    shown = text(checks, marks_for(sys.stdout.encoding), only_problems=session.flags.quiet)
    return Result(exit_code=0 if passed(checks) else REFUSED, text=shown, document=document(checks))


def examine(session: Session) -> tuple[Check, ...]:
    """Every check, whatever the others found."""
    settings, config = _config(session)
    questions = Questions(session)
    commit, image = examine_image(session, settings, questions)
    return (config, *image, *examine_cluster(session, settings, commit, questions))


def _config(session: Session) -> tuple[Settings | None, Check]:
    try:
        settings = load_settings(session)
        file = find_config(session.flags.config, Path())
    except ConfigError as error:
        return None, bad("config", error)
    source = file.source if file else "no kdeploy.yaml, flags alone"
    service = f"service {settings.service}, " if settings.service else ""
    environment = f" in environment {settings.environment}" if settings.environment else ""
    return settings, good("config", f"{source}: {service}{settings.workload}{environment}")
