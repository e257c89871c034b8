"""From settings to the edges of the story: the adapters are chosen and joined here, and nowhere else."""

from __future__ import annotations

import gc
import getpass
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kdeploy.address import refuse_unreadable
from kdeploy.build import inspect_source, open_builder, open_history, open_registry, request_build
from kdeploy.cli.files import files_of
from kdeploy.cli.login import docker_env
from kdeploy.cli.run import Session
from kdeploy.cli.secrets import given_secrets, known_secrets
from kdeploy.clock import Deadline
from kdeploy.cluster.client import KubernetesCluster
from kdeploy.cluster.connect import connect
from kdeploy.cluster.kubeconfig import choose_context, default_namespace
from kdeploy.config.file import find_config
from kdeploy.config.settings import Settings, resolve
from kdeploy.errors import ConfigError, KdeployError
from kdeploy.events import Warned
from kdeploy.model import Image, Target
from kdeploy.ports import Builder, BuildRequest, Registry
from kdeploy.provenance import Provenance, new_deploy_id, provenance
from kdeploy.reference import commit_of_tag
from kdeploy.secret import is_secret
from kdeploy.story.request import DeployRequest, RollbackRequest
from kdeploy.story.run import Edges
from kdeploy.verify.http import HttpProber
from kdeploy.verify.portforward import ApiEndpoint, PortForwarder


def load_settings(session: Session) -> Settings:
    """Reads kdeploy.yaml, if there is one, and decides every setting. Raises ConfigError, for a bad proxy too."""
    try:
        settings = resolve(find_config(session.flags.config, Path()), session.flags)
    except ConfigError:
        for secret in given_secrets(session.flags, session.env):
            session.redactor.add(secret)
        raise
    refuse_unreadable(session.env)
    for secret in known_secrets(settings, session.env, _names_in_kubeconfig(session, settings)):
        session.redactor.add(secret)
    return settings


def _names_in_kubeconfig(session: Session, settings: Settings) -> tuple[str, ...]:
    """Context and namespace, read where a build argument may be a part of them. What is wrong is told when needed."""
    if any(is_secret(*argument) for argument in settings.build.args):
        with suppress(KdeployError, OSError, ValueError):
            context = choose_context(kubeconfig=settings.kubeconfig, context=settings.context, environ=session.env)
            return context.name, default_namespace(settings.namespace, context)
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """The cluster that the settings mean, and the target in it."""

    cluster: KubernetesCluster
    target: Target
    prober: HttpProber


def reach(session: Session, settings: Settings, seconds: float) -> There:
    """Reads the credentials, within so many seconds of the command's beginning; asks nothing yet.

    Signals go to the cluster's inbox, once the story defers them. Nobody closes it: the process ends with the command,
    and its threads and connections with it. To end them one by one before the report is written would make a deploy
    several milliseconds longer.
    """
    context = choose_context(kubeconfig=settings.kubeconfig, context=settings.context, environ=session.env)
    cluster = connect(context, session.clock, login_by=session.within(seconds), hide=session.redactor.add)
    session.signals.post = cluster.post
    target = settings.workload.within(default_namespace(settings.namespace, context))
    prober = HttpProber(
        clock=session.clock,
        post=cluster.post,
        pod_proxy=cluster.pod_proxy,
        dial=PortForwarder(lambda: _endpoint(cluster), target.namespace),
    )
    gc.freeze()  # all is imported: the garbage of a long wait is looked for among what comes from here on
    return There(cluster=cluster, target=target, prober=prober)


def _endpoint(cluster: KubernetesCluster) -> ApiEndpoint:
    upgrade = cluster.credentials_for_upgrade()
    return ApiEndpoint(server=upgrade.server, tls=upgrade.tls, headers=lambda: list(upgrade.headers))


class LazyRegistry:
    """Implements `ports.Registry` by one that is opened when it is first asked: its SDKs take 100 ms to import."""

    def __init__(self, open_it: Callable[[], Registry]) -> None:
        self._open = cache(open_it)

    def resolve(self, reference: str, timeout: float) -> Image:
        """See `ports.Registry`."""
        return self._open().resolve(reference, timeout)

    def same_config(self, repository: str, one: str, other: str, timeout: float) -> bool | None:
        """See `ports.Registry`."""
        return self._open().same_config(repository, one, other, timeout)


def edges(session: Session, settings: Settings, there: There, builder: Builder | None = None) -> Edges:
    """Everything that the story may touch."""
    return Edges(
        clock=session.clock,
        cluster=there.cluster,
        prober=there.prober,
        registry=LazyRegistry(lambda: open_registry(docker_env(session.env, settings))),
        builder=builder,
        history=open_history(settings.build.context, session.env, before_patch(session, settings)),
        interrupts=session.signals,
        emit=session.emit,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployPlan:
    """A deploy, decided but for the namespace. `build` and `builder` are None where nothing is built."""

    settings: Settings
    commit: str | None
    deploy_id: str
    origin: Provenance
    started: float
    build: BuildRequest | None = None
    builder: Builder | None = None

    def request(self, target: Target) -> DeployRequest:
        """The story's request for `target`."""
        settings = self.settings
        assert settings.image is not None
        return DeployRequest(
            target=target,
            containers=settings.containers,
            build=self.build,
            image=None if self.build else str(settings.image),
            repository=settings.image.repository,
            checks=settings.checks,
            limits=settings.limits,
            deploy_id=self.deploy_id,
            commit=self.commit,
            actor=self.origin.actor,
            run_url=self.origin.run_url,
            run=self.origin.run,
            rollback=settings.rollback,
            on_interrupt=settings.on_interrupt,
            force=settings.force,
            dry_run=settings.dry_run,
            url=settings.url,
            started=self.started,
        )


def plan_deploy(session: Session, settings: Settings) -> DeployPlan:
    """What is to be built and deployed, by whom. Asks git and the file system, no network. Raises ConfigError."""
    repository = image_repository(settings)
    origin, deploy_id = origin_of(session), deploy_id_of(session)
    if not settings.builds:
        commit = settings.commit or commit_of_tag(str(settings.image))
        return DeployPlan(settings=settings, commit=commit, deploy_id=deploy_id, origin=origin, started=session.started)
    request = plan_build(session, settings, repository)
    return DeployPlan(
        settings=settings,
        commit=request.commit,
        deploy_id=deploy_id,
        origin=origin,
        started=session.started,
        build=request,
        builder=builder_of(session, settings),
    )


def before_patch(session: Session, settings: Settings) -> Deadline:
    """When all that comes before the patch must be done: git, login, build, push."""
    return session.within(settings.limits.build_timeout)


def builder_of(session: Session, settings: Settings) -> Builder:
    """What builds and pushes."""
    env = docker_env(session.env, settings)
    return open_builder(settings.build.builder, env, before_patch(session, settings), hide=session.redactor)


def plan_build(session: Session, settings: Settings, repository: str) -> BuildRequest:
    """The build request for the checkout; says how its commit was chosen where that is not plain."""
    until, own = before_patch(session, settings), files_of(session.flags)
    source = inspect_source(settings.build, settings.commit, session.env, until, beside=own)
    for note in source.notes:
        session.emit(Warned(message=note))
    if source.dirty:
        session.emit(Warned(message=f"the tree has changes that are in no commit: {', '.join(source.dirty[:3])}"))
    return request_build(settings.build, source, session.env, until, repository=repository, tag=settings.tag)


def plan_rollback(session: Session, settings: Settings, target: Target) -> RollbackRequest:
    """The story's request for a rollback by hand."""
    return RollbackRequest(
        target=target,
        containers=settings.containers,
        to=session.flags.to,
        checks=settings.checks,
        limits=settings.limits,
        deploy_id=deploy_id_of(session),
        url=settings.url,
        started=session.started,
    )


def image_repository(settings: Settings) -> str:
    """The repository of the image. Raises ConfigError where no image is named."""
    if settings.image is None:
        raise ConfigError(
            f"no image is named for {settings.workload}",
            hint="give --image REPOSITORY, or image: in kdeploy.yaml",
        )
    return settings.image.repository


def origin_of(session: Session) -> Provenance:
    """Who runs this, and where."""
    return provenance(session.env, _user(), socket.gethostname())


def deploy_id_of(session: Session) -> str:
    """A new id."""
    return new_deploy_id(session.clock.wall(), os.urandom(4))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return str(os.getuid())
