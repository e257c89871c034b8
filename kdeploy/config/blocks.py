"""Which blocks of kdeploy.yaml speak about this run, and what they say, the strongest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kdeploy.config.file import Config
from kdeploy.config.flags import Flags
from kdeploy.config.nearest import did_you_mean
from kdeploy.config.target import Workload, parse_workload
from kdeploy.errors import ConfigError
from kdeploy.text import one_line

Path = tuple[str, ...]
"""The keys that lead to a block of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """`layers`: the blocks, with their paths in the file. `service`: None where TARGET is no service's."""

    config: Config | None = None
    service: str | None = None
    layers: Sequence[tuple[Path, Any]] = ()

    def first(self, key: str) -> Any:
        """The strongest block's value of `key`; None where no block has one."""
        return self.found(key)[1]

    def found(self, key: str) -> tuple[Path, Any]:
        """The same, with its path in the file."""
        for path, block in self.layers:
            value = getattr(block, key, None)
            if value is not None:
                return (*path, key), value
        return (), None


def find_blocks(config: Config | None, flags: Flags) -> Blocks:
    """The blocks for TARGET and --env. Raises ConfigError for names that kdeploy.yaml does not have."""
    if config is None:
        if flags.env:
            raise ConfigError("--env needs a kdeploy.yaml, and none is here", hint="name the file with --config")
        return Blocks()
    service = _service(config, flags.target)
    layers = [*_environment_layers(config, flags.env, service)]
    if service:
        layers.append((("services", service), config.services[service]))
    return Blocks(config=config, service=service, layers=layers)


def _environment_layers(config: Config, name: str | None, service: str | None) -> Iterator[tuple[Path, Any]]:
    if not name:
        return
    if name not in config.environments:
        hint = did_you_mean(name, config.environments)
        raise ConfigError(f'{config.source} has no environment "{one_line(name, 80)}"', hint=hint)
    environment = config.environments[name]
    if service in environment.services:
        yield ("environments", name, "services", service), environment.services[service]
    yield ("environments", name), environment


def _service(config: Config, target: tuple[str, ...]) -> str | None:
    """The name of the service that TARGET means; None for a KIND/NAME that is no service's."""
    refuse_several(target)
    names = config.services
    if not target:
        if len(names) == 1:
            return next(iter(names))
        raise ConfigError(
            f"which service? {config.source} has {len(names)} of them", hint=f"name one: {one_line(', '.join(names))}"
        )
    if "/" not in target[0]:
        if target[0] not in names:
            hint = did_you_mean(target[0], names)
            raise ConfigError(f'{config.source} has no service "{one_line(target[0], 80)}"', hint=hint)
        return target[0]
    workload = parse_workload(target[0])
    same = [name for name, service in names.items() if _is_target(service.target, workload)]
    return same[0] if len(same) == 1 else None


def _is_target(target: str, workload: Workload) -> bool:
    """Whether a service's target is that workload. One that is wrong is none: it is told where it is asked for."""
    try:
        return parse_workload(target) == workload
    except ConfigError:
        return False


def refuse_several(target: tuple[str, ...]) -> None:
    if len(target) > 1:
        names = one_line(", ".join(target))
        raise ConfigError(f"one target a run: {names} are {len(target)}", hint="run kdeploy once for each of them")
