"""Build and push: which commit, under which name, by which engine; and reads of the registry.

The functions here are what the commands wire. Their SDKs are imported when they are called, never before.
"""

from __future__ import annotations

import functools
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from kdeploy.build.checkout import Checkout, look_at_checkout
from kdeploy.build.contents import context_hash
from kdeploy.build.dockerfile import read_dockerfile
from kdeploy.build.git import Git, GitHistory
from kdeploy.build.plan import hash_inputs, plan_build
from kdeploy.build.source import Source, inspect
from kdeploy.clock import Deadline
from kdeploy.config.settings import BuildOptions
from kdeploy.ports import Builder, BuildRequest
from kdeploy.process import within

if TYPE_CHECKING:
    from kdeploy.build.registry import DistributionRegistry
    from kdeploy.build.select import Choice
    from kdeploy.build.transport import Transport

__all__ = [
    "Source",
    "checkout_of",
    "choose_engine",
    "inspect_source",
    "is_shallow",
    "login_name",
    "needs_engine",
    "open_builder",
    "open_history",
    "open_registry",
    "read_dockerfile",
    "refuse_unbuildable",
    "request_build",
]


def inspect_source(
    options: BuildOptions,
    commit: str | None,
    env: Mapping[str, str],
    deadline: Deadline,
    *,
    beside: Sequence[str] = (),
) -> Source:
    """What would be built: the commit, whether files are changed, notes for the person. `beside`: files of kdeploy's
    own that may lie in the context. Raises ConfigError.
    """
    return inspect(
        options.context,
        commit,
        env,
        dockerfile=options.dockerfile,
        beside=beside,
        run=within(deadline),
        check=deadline.remaining,
        timeout=math.inf,  # but for the deadline
    )


def request_build(
    options: BuildOptions,
    source: Source,
    env: Mapping[str, str],
    deadline: Deadline,
    *,
    repository: str,
    tag: str | None = None,
) -> BuildRequest:
    """The build request for a source; see `plan_build`, and `read_dockerfile` for what it raises.

    All that goes to the builder is read where the commit's image might be reused, or be reused later.
    """
    dockerfile, inputs = read_dockerfile(options, source, env), ""
    if tag is None and source.is_exact:
        context = context_hash(options.context, options.dockerfile, check=deadline.remaining)
        machine = f"{env.get('DOCKER_DEFAULT_PLATFORM', '')} {platform.machine()}".strip()  # not every builder heeds it
        inputs = hash_inputs(options, dockerfile, context, machine)
    return plan_build(options, source, inputs, repository=repository, tag=tag)


def checkout_of(folder: str, env: Mapping[str, str], deadline: Deadline) -> Checkout:
    """What git tells of the folder; all empty outside of a checkout. Raises ConfigError where git fails."""
    return look_at_checkout(Git(folder=folder, env=env, run=within(deadline)))


def is_shallow(context: str, env: Mapping[str, str], deadline: Deadline) -> bool:
    """Whether the checkout lacks the older commits, so that git cannot tell which of two is older."""
    return Git(folder=context, env=env, run=within(deadline)).is_shallow()


def open_history(context: str, env: Mapping[str, str], deadline: Deadline) -> GitHistory:
    """`ports.History` of the repository that holds the build context."""
    return GitHistory(git=Git(folder=context, env=env, run=within(deadline)))


def open_registry(env: Mapping[str, str]) -> DistributionRegistry:
    """`ports.Registry` with the logins of Docker's configuration. Raises RefusedError where that cannot be read."""
    from kdeploy.build.registry import DistributionRegistry

    return DistributionRegistry(_open_transport(env))


def login_name(domain: str, env: Mapping[str, str], deadline: Deadline) -> str:
    """Who is logged in at a registry ("host:port"); "" for nobody. Raises RefusedError where that cannot be read."""
    from kdeploy.build.credentials import load_logins

    login = load_logins(env).login(domain, deadline.remaining())
    return login.username if login else ""


def choose_engine(name: str, env: Mapping[str, str], deadline: Deadline) -> Choice:
    """What would build, and why nothing that goes before it; see `select.choose`. Raises ConfigError, BuildError."""
    from kdeploy.build.examine import choose_engine as choose

    return choose(name, env, deadline)


def refuse_unbuildable(options: BuildOptions, engine: str, env: Mapping[str, str], no_engine: str = "") -> None:
    """Raises BuildError, ConfigError for what this engine cannot be given; see `examine`. Asks no registry.

    `no_engine`: why there is none, "" where none was looked for.
    """
    from kdeploy.build.examine import refuse_unbuildable as refuse

    refuse(options, engine, env, no_engine)


def needs_engine(options: BuildOptions) -> str:
    """Why no builder but an engine's can build this; "" where none is needed. Asks no registry."""
    from kdeploy.build.examine import needs_engine as needs

    return needs(options)


def open_builder(name: str, env: Mapping[str, str], deadline: Deadline, *, hide: Callable[[str], str] = str) -> Builder:
    """`ports.Builder` that reuses what is in the registry, and else builds with the engine that `name` asks for.

    The engine is looked for when there is something to build, not beyond `deadline`. `hide` takes secrets out of each
    line of output. Raises ConfigError for an unknown name.
    """
    from kdeploy.build.engine import check_name
    from kdeploy.build.registry import DistributionRegistry
    from kdeploy.build.reuse import ReusingBuilder

    check_name(name)
    transport = _open_transport(env)
    registry = DistributionRegistry(transport)

    def layers(no_engine: str) -> Builder:
        from kdeploy.build.layers.builder import LayersBuilder

        return LayersBuilder(transport=transport, env=env, hide=hide, no_engine=no_engine)

    @functools.cache
    def engine() -> Builder:
        if name == "layers":
            return layers("")
        from kdeploy.build.select import PATIENCE, connect, select  # the docker SDK takes 0.14 s

        return select(
            name,
            connect=lambda: connect(env, deadline.remaining(PATIENCE)),
            find=registry.find,
            layers=layers,
            hide=hide,
            env=env,
            run=within(deadline),
        )

    return ReusingBuilder(builder=engine, registry=registry, logins=transport.logins)


def _open_transport(env: Mapping[str, str]) -> Transport:
    """HTTP to registries. The engine is asked which of them are insecure only where that must be known."""
    from kdeploy.build.credentials import load_logins
    from kdeploy.build.insecure import insecure_registries
    from kdeploy.build.transport import Transport
    from kdeploy.build.trust import certificate_folders, session_for

    def insecure(timeout: float) -> tuple[str, ...]:
        from kdeploy.build.select import connect, engine_info

        return insecure_registries(engine_info(connect(env, timeout), timeout))

    folders = certificate_folders(env)
    return Transport(load_logins(env), insecure=insecure, session=lambda domain: session_for(domain, folders))
