"""The JSON Schema of kdeploy.yaml, made of the shape and shipped as a file for editors.

`python -m kdeploy.config.schema` writes the file anew; a test fails while it differs.
"""

from __future__ import annotations

import json
from pathlib import Path

from kdeploy.config.shape import config_schema

FILE = Path(__file__).with_name("config.schema.json")


def load_config_schema() -> str:
    """The text of the file."""
    return FILE.read_text(encoding="utf-8")


def make_config_schema() -> str:
    """What the file must hold."""
    return json.dumps(config_schema(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(make_config_schema(), encoding="utf-8")
