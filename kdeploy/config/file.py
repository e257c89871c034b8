"""Finding, reading and validating kdeploy.yaml: the bytes become a `Config`, or a ConfigError with file and line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from kdeploy.config import document
from kdeploy.config.nearest import did_you_mean
from kdeploy.config.shape import Environment, File, Service, decode_duration
from kdeploy.errors import ConfigError
from kdeploy.text import one_line

NAMES = ("kdeploy.yaml", "kdeploy.yml")
"""What is looked for in the current folder, in this order."""

_Step = str | int
_AT = re.compile(r" - at `(\$[^`]*)`\Z")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|(\[\.\.\.\])")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`\Z", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`\Z")
_WORDS = {
    "object": "keys and values",
    "array": "a list",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A valid kdeploy.yaml. `source` names it in messages; `folder` is what its relative paths start from."""

    services: Mapping[str, Service]
    environments: Mapping[str, Environment]
    source: str
    folder: str
    data: bytes

    def error(self, path: Sequence[_Step], problem: str, hint: str) -> ConfigError:
        """A ConfigError about the value at `path`, with file and line."""
        return _error(self.data, self.source, path, problem, hint)


def find_config(named: str | None, folder: Path) -> Config | None:
    """The file that `--config` names, else the one in `folder`, else None. Raises ConfigError."""
    if named:
        return read_config(Path(named))
    both = [folder / name for name in NAMES if (folder / name).is_file()]
    if len(both) > 1:
        raise ConfigError("both kdeploy.yaml and kdeploy.yml are here", hint="remove one, or name one with --config")
    return read_config(both[0], shown=both[0].name) if both else None


def read_config(path: Path, *, shown: str = "") -> Config:
    """Reads and validates the file at `path`, called `shown` in messages. Raises ConfigError."""
    shown = shown or str(path)
    try:
        with path.open("rb") as file:
            data = file.read(document.CONFIG_CAPS.size + 1)
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror}", hint="name the file with --config") from None
    return parse_config(data, shown, str(path.parent))


def parse_config(data: bytes, source: str, folder: str = ".") -> Config:
    """The `Config` in the bytes of a kdeploy.yaml. Raises ConfigError."""
    value = document.load(data, source)
    try:
        file = _convert(value)
    except msgspec.ValidationError as error:
        raise _explain(error, value, data, source) from None
    config = Config(services=file.services, environments=file.environments, source=source, folder=folder, data=data)
    _refuse_strangers(config)
    return config


def _refuse_strangers(config: Config) -> None:
    """An environment's block for a service that does not exist would silently do nothing."""
    for environment, block in config.environments.items():
        for name in block.services:
            if name not in config.services:
                path = ("environments", environment, "services", name)
                raise config.error(
                    path, f'no service is called "{one_line(name, 80)}"', did_you_mean(name, config.services)
                )


def _convert(value: Any) -> File:
    return msgspec.convert(value, File, strict=True, dec_hook=decode_duration)


def _explain(error: msgspec.ValidationError, value: Any, data: bytes, source: str) -> ConfigError:
    """The same error for a person. Msgspec writes "PROBLEM - at `$.services[...].build`"."""
    problem, path = _split(str(error), value)
    if unknown := _UNKNOWN.match(problem):
        key = unknown[1]
        valid = _keys_at(path)
        line = document.line_of(data, [*path, key])
        return _error(data, source, path, f'unknown key "{one_line(key, 80)}"', did_you_mean(key, valid), line)
    if missing := _MISSING.match(problem):
        return _error(data, source, path, f'the key "{missing[1]}" is missing', f"add {missing[1]}: to it")
    return _error(data, source, path, _plain(problem), _advice(path, problem))


def _plain(problem: str) -> str:
    """Msgspec's words without its types' names: "Expected `str | null`, got `int`" -> "expected a text, got ..."."""

    def types(match: re.Match[str]) -> str:
        names = [name for name in match[1].split(" | ") if name != "null"] or ["null"]
        return " or ".join(_WORDS.get(name, name) for name in names)

    plain = re.sub(r"`([a-z| ]+)`", types, problem)
    return one_line(plain[:1].lower() + plain[1:])


def _advice(path: Sequence[_Step], problem: str) -> str:
    if path == ["version"]:
        return "this kdeploy reads version: 1"
    if problem.startswith("Expected `str") and problem.endswith(("got `int`", "got `float`", "got `bool`")):
        return "write the value in quotes"
    if problem.startswith("Invalid enum value"):
        return "valid: " + " or ".join(_choices_at(path))
    if "unit" in problem or "duration" in problem:
        return "durations read like 90s, 10m, 1h30m or 250ms"
    return "see docs/config.md, or `kdeploy schema config`"


def _error(
    data: bytes, source: str, path: Sequence[_Step], problem: str, hint: str, line: int | None = None
) -> ConfigError:
    line = line or document.line_of(data, path)
    shown = one_line(_show(path), 120)
    return document.error_at(source, line, f"{shown}: {problem}" if shown else problem, hint)


def _show(path: Sequence[_Step]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def _split(message: str, value: Any) -> tuple[str, list[_Step]]:
    """Msgspec's problem and the path it names, with "[...]", which it writes for any key of a mapping, found out."""
    at = _AT.search(message)
    if at is None:
        return message, []
    path: list[_Step] = []
    for field, index, _ in _STEP.findall(at[1]):
        path.append(field or (int(index) if index else _guilty_key(value, path, message)))
    return message[: at.start()], path


def _guilty_key(value: Any, path: Sequence[_Step], message: str) -> str:
    """The first key of the mapping at `path` that gives the same error when it stands there alone."""
    keys = list(_get(value, path))
    for key in keys:
        try:
            _convert(_keep_only(value, path, key))
        except msgspec.ValidationError as error:
            if str(error) == message:
                return str(key)
    return str(keys[0])


def _get(value: Any, path: Sequence[_Step]) -> Any:
    for step in path:
        value = value[step]
    return value


def _keep_only(value: Any, path: Sequence[_Step], key: str) -> Any:
    """A copy of `value` in which the mapping at `path`, and those on the way to it, have one key alone."""
    if not path:
        return {key: value[key]}
    step, rest = path[0], path[1:]
    if isinstance(value, list):
        return [_keep_only(item, rest, key) if index == step else item for index, item in enumerate(value)]
    return value | {step: _keep_only(value[step], rest, key)}


def _keys_at(path: Sequence[_Step]) -> list[str]:
    """The keys that the shape allows at `path`."""
    kind = _type_at(path)
    return [field.encode_name for field in kind.fields] if isinstance(kind, msgspec.inspect.StructType) else []


def _choices_at(path: Sequence[_Step]) -> list[str]:
    """The values that the shape allows at `path`, where they are a few words."""
    kind = _type_at(path)
    return [str(value) for value in kind.values] if isinstance(kind, msgspec.inspect.LiteralType) else []


def _type_at(path: Sequence[_Step]) -> Any:
    kind: Any = _strip(msgspec.inspect.type_info(File))
    for step in path:
        kind = _strip(_inside(kind, step))
    return kind


def _inside(kind: Any, step: _Step) -> Any:
    match kind:
        case msgspec.inspect.StructType():
            return next((field.type for field in kind.fields if field.encode_name == step), None)
        case msgspec.inspect.DictType():
            return kind.value_type
        case msgspec.inspect.ListType():
            return kind.item_type
    return None


def _strip(kind: Any) -> Any:
    """`kind` without its description and without "or null"."""
    while isinstance(kind, msgspec.inspect.Metadata):
        kind = kind.type
    if isinstance(kind, msgspec.inspect.UnionType):
        kind = next((one for one in kind.types if not isinstance(one, msgspec.inspect.NoneType)), None)
    return kind
