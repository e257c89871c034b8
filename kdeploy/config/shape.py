"""The shape of kdeploy.yaml, declared once: validation, config.schema.json and docs/config.md all come from here.

In every block a key that is left out (None) leaves the decision to the next one: environment's service, environment,
service, default.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from kdeploy.config.duration import PATTERN, parse_duration

OnInterrupt = Literal["rollback", "leave"]


class Duration(float):
    """Seconds, written as "90s" or "10m"."""

    __slots__ = ()


class PositiveDuration(Duration):
    """A duration of more than nothing."""

    __slots__ = ()


Text = Annotated[str, Meta(min_length=1)]
UrlPath = Annotated[str, Meta(pattern="^/")]
Url = Annotated[str, Meta(pattern="^https?://")]
Port = Annotated[int, Meta(ge=1, le=65535)] | Text
Status = Annotated[int, Meta(ge=100, le=599)]
Count = Annotated[int, Meta(ge=1, le=100_000)]
Restarts = Annotated[int, Meta(ge=0, le=1000)]
Share = Annotated[float, Meta(gt=0, le=1)]


def _doc(description: str) -> Meta:
    return Meta(description=description)


class _Block(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    pass


class Build(_Block, frozen=True):
    """How to build the image."""

    context: Annotated[Text | None, _doc("Folder to build, from this file's folder. Default: `.`")] = None
    dockerfile: Annotated[Text | None, _doc("From the context. Default: `Dockerfile`")] = None
    target: Annotated[str | None, _doc("Stage to build. Default: the last one")] = None
    args: Annotated[dict[str, str] | None, _doc("Build arguments")] = None
    secrets: Annotated[list[Text] | None, _doc("As buildx names them: `id=npm,src=.npmrc`, `id=token,env=TOKEN`")] = (
        None
    )
    platforms: Annotated[list[Text] | None, _doc("E.g. `linux/arm64`. Default: the builder's own")] = None


class Http(_Block, frozen=True):
    """One HTTP health check: `path` asks the new pods, `url` asks that address; exactly one of the two."""

    name: Annotated[Text | None, _doc("How output names it. Default: `http` and the path or URL")] = None
    path: Annotated[UrlPath | None, _doc("Path to ask of each new pod")] = None
    url: Annotated[Url | None, _doc("Address to ask, http or https")] = None
    port: Annotated[
        Port | None, _doc("Number or name. Default: the readiness probe's port, else the only container port")
    ] = None
    scheme: Annotated[Literal["http", "https"] | None, _doc("How pods are asked. Default: `http`")] = None
    headers: Annotated[
        dict[str, str] | None,
        _doc("Headers to send; their values are never printed. With a path not Authorization, Host and the like"),
    ] = None
    status: Annotated[Status | None, _doc("The answer that counts as healthy. Default: `200`")] = None
    timeout: Annotated[PositiveDuration | None, _doc("Of one request. Default: `2s`")] = None
    interval: Annotated[PositiveDuration | None, _doc("Between requests to one pod. Default: `250ms`")] = None
    samples: Annotated[Count | None, _doc("Requests a pod. Default: `20`")] = None
    success_rate: Annotated[Share | None, _doc("Share of the samples that must pass. Default: `1.0`")] = None
    within: Annotated[
        PositiveDuration | None,
        _doc("Failures before a pod's first success are warm-up for so long. Default: `1m`"),
    ] = None
    watch_for: Annotated[
        Duration | None, _doc("Go on watching the rollout that long after the check. Default: `0s`")
    ] = None
    pods: Annotated[Count | None, _doc("How many of the new pods to ask at most. Default: `5`")] = None


class Check(_Block, frozen=True):
    """One health check."""

    http: Annotated[Http, _doc("Over HTTP")]


class Policy(_Block, frozen=True):
    """How careful a deploy is: may stand in a service and in an environment."""

    timeout: Annotated[PositiveDuration | None, _doc("From the patch to verified. Default: `10m`")] = None
    build_timeout: Annotated[PositiveDuration | None, _doc("Build and push. Default: `30m`")] = None
    rollback_timeout: Annotated[PositiveDuration | None, _doc("The rollback. Default: `5m`")] = None
    crash_budget: Annotated[
        Restarts | None,
        _doc("Restarts of a new container that are borne until the rollout is complete. Default: `3`"),
    ] = None
    containers: Annotated[
        list[Text] | None,
        _doc(
            "Those that run the image, init containers too. Default: all that name its repository; where none does, "
            "the only container there is, with a warning unless a mirror's name explains it"
        ),
    ] = None
    rollback: Annotated[bool | None, _doc("Put the last verified version back on failure. Default: `true`")] = None
    on_interrupt: Annotated[
        OnInterrupt | None, _doc("What SIGINT and SIGTERM do after the patch. Default: `rollback`")
    ] = None
    url: Annotated[Text | None, _doc("Where people see the result; only shown")] = None


class ServiceOverride(Policy, frozen=True):
    """A service's block inside an environment: only what differs."""

    target: Annotated[Text | None, _doc("The workload as `KIND/NAME`, e.g. `deployment/web`")] = None
    namespace: Annotated[Text | None, _doc("Default: the kubeconfig context's")] = None
    image: Annotated[Text | None, _doc("A repository to build into; with a tag or digest nothing is built")] = None
    push_image: Annotated[Text | None, _doc("The repository to push to, where it is reached by another name")] = None
    build: Annotated[Build | None, _doc("How to build the image")] = None
    verify: Annotated[list[Check] | None, _doc("Health checks; all must pass")] = None


class Service(ServiceOverride, frozen=True, kw_only=True):
    """One workload and how it is deployed."""

    target: Annotated[Text, _doc("The workload as `KIND/NAME`, e.g. `deployment/web`")]


class Environment(Policy, frozen=True):
    """A cluster or namespace to deploy to, and what is different there."""

    context: Annotated[Text | None, _doc("The kubeconfig context. Default: the current one")] = None
    namespace: Annotated[Text | None, _doc("Default: the service's")] = None
    services: Annotated[dict[str, ServiceOverride], _doc("What differs, by service")] = {}


class File(_Block, frozen=True):
    """kdeploy.yaml."""

    version: Annotated[Literal[1], _doc("Of this format")]
    services: Annotated[dict[str, Service], Meta(min_length=1, description="What can be deployed, by name")]
    environments: Annotated[dict[str, Environment], _doc("Where to, by name (`--env`)")] = {}


def decode_duration(kind: type, value: Any) -> Any:
    """The msgspec hook for `Duration`. Raises ValueError, which msgspec turns into its own error with a path."""
    if not issubclass(kind, Duration):
        raise NotImplementedError
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError("a duration like 90s, 10m or 1h30m is needed")  # noqa: TRY004  (msgspec wraps ValueError)
    seconds = parse_duration(value)
    if seconds == 0 and issubclass(kind, PositiveDuration):
        raise ValueError("must be longer than 0s")
    return kind(seconds)


def config_schema() -> dict[str, Any]:
    """The JSON Schema of kdeploy.yaml (draft 2020-12)."""
    body = msgspec.json.schema(File, schema_hook=lambda _: {"type": "string", "pattern": PATTERN})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://kdeploy.dev/config.schema.json",
        "title": "kdeploy.yaml",
    } | body
