"""The report as JSON: the contract "kdeploy.report/v1". Texts are cleaned here, seconds rounded to milliseconds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from kdeploy.model import Image
from kdeploy.report.value import SCHEMA, Report, TargetReport
from kdeploy.text import clean

LOG_LIMIT = 16_000
"""Characters of a log's end that are kept."""

# "##[command]" anywhere in a line of a job's log is an old form of GitHub's and Azure's workflow commands.
_OLD_COMMAND = re.compile(r"##(?=[A-Za-z]*\[)")


def encode_report(report: Report) -> dict[str, Any]:
    """The report as a JSON object that kdeploy/report/report.schema.json describes."""
    encoded = {"schema": SCHEMA} | encode_fields(report)
    encoded["deploys"] = [_encode_target(entry) for entry in report.deploys]
    return encoded


def _encode_target(entry: TargetReport) -> dict[str, Any]:
    encoded = encode_fields(entry)
    where = {"cluster": encoded.pop("cluster"), "containers": encoded.pop("containers")}
    target = {"cluster": where["cluster"], **encode_fields(entry.target), "containers": where["containers"]}
    return encoded | {"target": target}


def encode_fields(value: Any) -> dict[str, Any]:
    """A dataclass as a JSON object: its fields by name, in their order."""
    encoded = {part.name: encode_value(getattr(value, part.name)) for part in fields(value)}
    if "log_tail" in encoded:
        encoded["log_tail"] = log_end(value.log_tail)
    if isinstance(value, Image):
        encoded = {"reference": clean(value.reference), **encoded}
    return encoded


def encode_value(value: Any) -> Any:
    """Any of kdeploy's frozen values as JSON: enums by value, texts cleaned, floats to three places."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, tuple | list):
        return [encode_value(item) for item in value]
    if isinstance(value, Mapping):
        return {clean(str(key)): encode_value(item) for key, item in value.items()}
    if is_dataclass(value):
        return encode_fields(value)
    return value


def log_end(text: str) -> str:
    """The end of a container's log, cleaned: its last lines tell why it died."""
    return clean(text, limit=len(text) + 1)[-LOG_LIMIT:]


def dumps(value: Any, *, indent: int | None = None) -> str:
    """JSON in ASCII, fit for any stream, and without a text that a CI's log reader would take for a command."""
    text = json.dumps(value, indent=indent, ensure_ascii=True, allow_nan=False)
    return _OLD_COMMAND.sub(r"#\\u0023", text)
