"""The JSON Schemas of what kdeploy writes. The lists of outcomes, reasons and the like follow the enums in the code.

`python -m kdeploy.report.schema` writes those lists into the files anew; a test fails while they differ.
"""

from __future__ import annotations

import json
from enum import Enum
from importlib.resources import files
from pathlib import Path
from typing import Any

from kdeploy.events import Phase
from kdeploy.model import Kind, Outcome, Reason, State

NAMES = ("report", "events")

_ENUMS: dict[str, type[Enum]] = {"outcome": Outcome, "reason": Reason, "kind": Kind, "phase": Phase, "state": State}


def load_schema(name: str) -> str:
    """The text of a schema: "report" (`-o json`, `--report`) or "events" (`-o jsonl`). ValueError for another name."""
    if name not in NAMES:
        raise ValueError(f"no schema {name!r}; there are {', '.join(NAMES)}")
    return files("kdeploy.report").joinpath(f"{name}.schema.json").read_text(encoding="utf-8")


def with_enums(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` with the values of each enum of the code in the definition of its name."""
    definitions = {
        name: definition | {"enum": [member.value for member in _ENUMS[name]]} if name in _ENUMS else definition
        for name, definition in schema["$defs"].items()
    }
    return schema | {"$defs": definitions}


def write_schemas() -> None:
    """Brings the files beside this module up to date with the enums."""
    for name in NAMES:
        updated = with_enums(json.loads(load_schema(name)))
        Path(__file__).with_name(f"{name}.schema.json").write_text(
            json.dumps(updated, indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    write_schemas()
