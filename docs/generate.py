"""Writes docs/cli.md, docs/config.md, the tables of docs/github.md, both action.yml and the JSON Schemas from the code.

`make docs` runs it, and a test holds what it writes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from docs.make_action import action_file, composite_file, fill_tables
from kdeploy.cli.app import app
from kdeploy.config.duration import PATTERN
from kdeploy.config.schema import FILE, make_config_schema
from kdeploy.config.shape import config_schema
from kdeploy.report.schema import write_schemas

FOLDER = Path(__file__).parent

EXAMPLE = """\
version: 1
services:
  web:
    target: deployment/web-app
    namespace: shop
    containers: [web]
    image: ghcr.io/acme/web
    build: {context: ., dockerfile: Dockerfile, target: "", args: {}, secrets: [], platforms: []}
    timeout: 10m
    verify:
      - http: {path: /health, port: 8080, samples: 20, success_rate: 1.0, within: 60s, watch_for: 30s}
environments:
  staging: {context: kind-staging, namespace: shop}
  prod:
    context: prod
    url: https://shop.example
    services:
      web: {timeout: 20m}
"""

CLI_INTRODUCTION = """\
# The command line

Made by `make docs` from the code: change the flags there.

Each flag may be given by its environment variable instead; the flag wins, and an empty variable counts as unset. A flag
that is repeatable takes several values from its variable, separated by white space. Durations read like `90s`, `10m` or
`1h30m`. Progress goes to stderr, results to stdout.

Three variables have no flag, as they hold secrets: `KDEPLOY_REGISTRY_PASSWORD` with `KDEPLOY_REGISTRY_USERNAME` (on
GitHub and GitLab the user of the run by default) is the login for the registry that is pushed to, before any of
Docker's own configuration. `KDEPLOY_GITHUB_TOKEN` shows deploys among the repository's deployments on GitHub."""

CONFIG_INTRODUCTION = f"""\
# kdeploy.yaml

Made by `make docs` from the code (kdeploy/config/shape.py): change the keys there. `kdeploy schema config` prints the
JSON Schema for your editor.

```yaml
{EXAMPLE}```

What decides, the strongest first: a flag, its environment variable, the service's block in the environment, the
environment's block, the service's block, the default. Lists and maps replace each other whole; the keys of `build` do
so one by one.

The file is YAML 1.2 without tags and merge keys: `yes` is a text, and `true` a truth value. Paths start from the file's
folder. Durations read like `90s`, `10m` or `1h30m`; a number without a unit is refused."""

CONFIG_END = """\
## A service in an environment: `environments.NAME.services.NAME`

The keys of a service, none of them required: what stands here counts in this environment alone."""

_BLOCKS = {
    "File": "The file",
    "Service": "A service: `services.NAME`",
    "Build": "Building: `services.NAME.build`",
    "Http": "A health check: `services.NAME.verify[].http`",
    "Environment": "An environment: `environments.NAME`",
}
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}


def cli_page() -> str:
    """docs/cli.md: every command with its flags and their variables."""
    parts = (part for name, command in _commands(get_command(app)) for part in _command(name, command))
    return "\n\n".join([CLI_INTRODUCTION, *parts]) + "\n"


def _commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its whole name; those of groups too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = "".join(f" {param.metavar}" for param in command.params if param.param_type_name == "argument")
    yield f"## `kdeploy {name}{arguments}`"
    yield inspect.cleandoc(command.help)
    rows = [_flag(param) for param in command.params if param.param_type_name == "option"]
    if rows:
        yield _table(("flag", "variable", ""), rows)


def _flag(param: Any) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
    value = f" {param.metavar}" if param.metavar else ""
    variable = f"`{param.envvar}`" if param.envvar else ""
    return f"{names}{value}", variable, str(param.help)


def config_page() -> str:
    """docs/config.md: an example and every key of kdeploy.yaml."""
    blocks = config_schema()["$defs"]
    parts = (part for name, title in _BLOCKS.items() for part in _block(title, blocks[name]))
    return "\n\n".join([CONFIG_INTRODUCTION, *parts, CONFIG_END]) + "\n"


def _block(title: str, block: dict[str, Any]) -> Iterator[str]:
    required = block.get("required", ())
    yield f"## {title}"
    keys = sorted(block["properties"].items(), key=lambda item: item[0] not in required)
    rows = [(f"`{key}`", _type(value), _meaning(value, key in required)) for key, value in keys]
    yield _table(("key", "value", ""), rows)


def _meaning(value: dict[str, Any], required: bool) -> str:
    return str(value["description"]) + (" **(required)**" if required else "")


def _type(value: dict[str, Any]) -> str:
    if "anyOf" in value:
        return " or ".join(_type(one) for one in value["anyOf"] if one != {"type": "null"})
    if "$ref" in value:
        return "see below"
    if "enum" in value:
        return " or ".join(f"`{one}`" for one in value["enum"])
    if value["type"] == "array":
        items = _type(value["items"])
        return "list" if items == "see below" else f"list of {items}s"
    if value["type"] == "object":
        inside = _type(value.get("additionalProperties", {"$ref": ""}))
        return "map" if inside == "see below" else f"map to {inside}s"
    return "duration" if value.get("pattern") == PATTERN else _TYPES[value["type"]]


def _table(head: tuple[str, ...], rows: list[tuple[str, str, str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in line) + " |" for line in lines)


def github_page() -> str:
    """docs/github.md: written by hand but for its two tables."""
    return fill_tables((FOLDER / "github.md").read_text(encoding="utf-8"))


PAGES = {
    "github.md": github_page,
    "cli.md": cli_page,
    "config.md": config_page,
    "../action.yml": action_file,
    "../composite/action.yml": composite_file,
}


def main() -> None:
    """Writes them all."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
    FILE.write_text(make_config_schema(), encoding="utf-8")
    write_schemas()


if __name__ == "__main__":
    main()
