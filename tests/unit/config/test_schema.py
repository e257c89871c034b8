from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any

import jsonschema
import pytest
import yaml

from kdeploy.config.duration import parse_duration
from kdeploy.config.schema import load_config_schema, make_config_schema
from kdeploy.model import HttpCheck, Limits

SCHEMA: dict[str, Any] = json.loads(load_config_schema())


def test_the_shipped_schema_is_the_shapes() -> None:
    assert load_config_schema() == make_config_schema(), "run: python -m kdeploy.config.schema"


def test_the_schema_is_valid_itself() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("block", "valid"),
    [
        ("{target: deploy/web}", True),
        ("{target: deploy/web, timeout: 10m, verify: [{http: {path: /, port: http}}]}", True),
        ("{target: deploy/web, timeout: 600}", False),
        ("{target: deploy/web, tiemout: 10m}", False),
        ("{}", False),
    ],
)
def test_an_editor_with_the_schema_sees_the_same_faults(block: str, valid: bool) -> None:
    document = yaml.safe_load(f"version: 1\nservices: {{web: {block}}}")
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(document) is valid


@pytest.mark.parametrize(("block", "kind"), [("Http", HttpCheck), ("Service", Limits)])
def test_the_defaults_in_the_descriptions_are_the_codes(block: str, kind: type) -> None:
    properties = SCHEMA["$defs"][block]["properties"]
    numbers = [part for part in fields(kind) if isinstance(part.default, int | float)]
    assert numbers
    for part in numbers:
        told = re.search(r"Default: `(.+?)`", properties[part.name]["description"])
        assert told, part.name
        value = float(told[1]) if re.fullmatch(r"[0-9.]+", told[1]) else parse_duration(told[1])
        assert value == part.default
