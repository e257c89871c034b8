"""kdeploy.yaml and flags become one frozen `Settings`. Pure: no file, clock or environment is read.

Precedence: flag or its variable, the environment's service block, the environment block, the service block, default.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kdeploy.config.blocks import Blocks, find_blocks, refuse_several
from kdeploy.config.checks import checks_of, parse_check_flags
from kdeploy.config.duration import parse_duration
from kdeploy.config.file import Config
from kdeploy.config.flags import Flags
from kdeploy.config.shape import Build, OnInterrupt
from kdeploy.config.target import Workload, parse_workload
from kdeploy.errors import ConfigError
from kdeploy.model import HttpCheck, Limits
from kdeploy.reference import Reference, check_tag, parse
from kdeploy.text import one_line, ordinal

_ARGUMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*) *=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """How to build. `context` and `dockerfile` are paths from the current folder; `builder`: "" chooses by itself.

    `push_repository`: None where the image is pushed to the name that the cluster pulls.
    """

    push_repository: str | None = None
    context: str = "."
    dockerfile: str = "Dockerfile"
    target: str = ""
    args: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    builder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that was decided about one run.

    `service` and `environment` are names in kdeploy.yaml; None where it has no part in it. `namespace` and `context`:
    None means kubeconfig's own. `image`: None where it is given nowhere. `checks` may be empty.
    """

    workload: Workload
    service: str | None = None
    environment: str | None = None
    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    containers: tuple[str, ...] = ()
    image: Reference | None = None
    build: BuildOptions = BuildOptions()
    commit: str | None = None
    tag: str | None = None
    checks: tuple[HttpCheck, ...] = ()
    limits: Limits = field(default_factory=Limits)
    rollback: bool = True
    on_interrupt: OnInterrupt = "rollback"
    force: bool = False
    dry_run: bool = False
    url: str | None = None

    @property
    def builds(self) -> bool:
        """Whether an image is built: not where the image given names a tag or digest already."""
        return self.image is None or not (self.image.tag or self.image.digest)


def resolve(config: Config | None, flags: Flags) -> Settings:
    """Decides every setting. Raises ConfigError: no target, several, an unknown name, a bad value of a flag."""
    blocks = find_blocks(config, flags)
    settings = Settings(
        workload=_workload(blocks, flags),
        service=blocks.service,
        environment=flags.env or None,
        namespace=flags.namespace or blocks.first("namespace"),
        context=flags.context or blocks.first("context"),
        kubeconfig=flags.kubeconfig or None,
        containers=flags.container or tuple(blocks.first("containers") or ()),
        image=_image(blocks, "image", flags.image),
        build=_build(blocks, flags),
        commit=flags.commit or None,
        tag=check_tag(flags.tag) if flags.tag else None,
        checks=parse_check_flags(flags.verify_http) or _checks(blocks),
        limits=_limits(blocks, flags),
        rollback=_given(flags.rollback, blocks.first("rollback"), True),
        on_interrupt=_on_interrupt(flags.on_interrupt or blocks.first("on_interrupt") or "rollback"),
        force=flags.force,
        dry_run=flags.dry_run,
        url=blocks.first("url"),
    )
    _refuse_contradictions(settings)
    return settings


def _workload(blocks: Blocks, flags: Flags) -> Workload:
    refuse_several(flags.target)
    if flags.target and "/" in flags.target[0]:
        return parse_workload(flags.target[0])
    if flags.target and blocks.config is None:
        raise ConfigError(
            f'"{one_line(flags.target[0], 80)}" is no KIND/NAME, and there is no kdeploy.yaml here that names services',
            hint=f"write deployment/{one_line(flags.target[0], 80)}, or name the file with --config",
        )
    path, text = blocks.found("target")
    if blocks.config is None or text is None:
        raise ConfigError(
            "nothing to act on: no target is given, and there is no kdeploy.yaml here",
            hint="name a target like deployment/web, or the file with --config; a pipeline has to check it out first",
        )
    try:
        return parse_workload(text)
    except ConfigError as error:
        raise blocks.config.error(path, error.message, error.hint) from None


def _image(blocks: Blocks, key: str, flag: str | None) -> Reference | None:
    if flag:
        return parse(flag, what=f"--{key.replace('_', '-')}")
    path, text = blocks.found(key)
    if blocks.config is None or text is None:
        return None
    try:
        return parse(text)
    except ConfigError as error:
        raise blocks.config.error(path, error.message, error.hint) from None


def _build(blocks: Blocks, flags: Flags) -> BuildOptions:
    """The `build` blocks together, key by key, below the flags. Paths of the file start from the file's folder."""
    builds = [block.build for _, block in blocks.layers if getattr(block, "build", None)]
    given = {key: _first(builds, key) for key in Build.__struct_fields__}
    pushed = _image(blocks, "push_image", flags.push_image)
    context = flags.build_context or _join(blocks.config.folder if blocks.config else ".", given["context"] or ".")
    return BuildOptions(
        push_repository=pushed.repository if pushed else None,
        context=context,
        dockerfile=flags.dockerfile or _join(context, given["dockerfile"] or "Dockerfile"),
        target=given["target"] or "",
        args=tuple(
            ((given["args"] or {}) | dict(map(_build_arg, flags.build_arg, range(1, len(flags.build_arg) + 1)))).items()
        ),
        secrets=tuple(given["secrets"] or ()),
        platforms=flags.platform or tuple(given["platforms"] or ()),
        builder=flags.builder or "",
    )


def _first(blocks: Sequence[Any], key: str) -> Any:
    return next((value for block in blocks if (value := getattr(block, key)) is not None), None)


def _join(folder: str, path: str) -> str:
    return os.path.normpath(os.path.join(folder, path))  # noqa: PTH118  (text in, text out: no file system is asked)


def _build_arg(text: str, number: int) -> tuple[str, str]:
    """Name and value. What is none is not shown: it may be the second line of a secret."""
    if not (found := _ARGUMENT.fullmatch(text.lstrip())):
        raise ConfigError(
            f"the {ordinal(number)} --build-arg is not NAME=VALUE",
            hint="a name has letters, digits, _ . and -; a value has one line: several go into build.secrets",
        )
    return found[1], found[2]


def _checks(blocks: Blocks) -> tuple[HttpCheck, ...]:
    path, checks = blocks.found("verify")
    if blocks.config is None or checks is None:
        return ()
    config = blocks.config
    return checks_of(checks, lambda steps, problem, hint: config.error((*path, *steps), problem, hint))


def _limits(blocks: Blocks, flags: Flags) -> Limits:
    names = ("timeout", "build_timeout", "rollback_timeout")
    given = {name: _duration(name, getattr(flags, name)) or blocks.first(name) for name in names}
    limits: dict[str, Any] = {name: float(value) for name, value in given.items() if value is not None}
    crash_budget = _given(flags.crash_budget, blocks.first("crash_budget"))
    return Limits(**limits) if crash_budget is None else Limits(**limits, crash_budget=crash_budget)


def _duration(name: str, text: str | None) -> float | None:
    """Seconds of a flag such as --build-timeout; None where it is not given."""
    if not text:
        return None
    flag = "--" + name.replace("_", "-")
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{flag}: {one_line(str(error))}", hint=f"for example {flag} 10m") from None
    if not seconds:
        raise ConfigError(f"{flag} must be longer than 0s", hint=f"for example {flag} 10m")
    return seconds


def _on_interrupt(text: str) -> OnInterrupt:
    if text == "rollback":
        return "rollback"
    if text == "leave":
        return "leave"
    raise ConfigError(f'--on-interrupt "{one_line(text, 40)}" is unknown', hint="valid: rollback, leave")


def _given(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _refuse_contradictions(settings: Settings) -> None:
    if settings.tag and not settings.builds:
        raise ConfigError(
            f"--tag names what is built, but the image {settings.image} is deployed as it is",
            hint="leave out --tag, or give --image without tag and digest",
        )
