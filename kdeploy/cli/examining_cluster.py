"""What `kdeploy doctor` asks about the cluster: its server, the target in it, and what this user may do there."""

from __future__ import annotations

from kdeploy.build import open_history
from kdeploy.cli.questions import Questions
from kdeploy.cli.run import Session
from kdeploy.cli.wiring import origin_of
from kdeploy.clock import Deadline
from kdeploy.cluster.client import KubernetesCluster
from kdeploy.cluster.connect import connect
from kdeploy.cluster.kubeconfig import Context, choose_context, default_namespace
from kdeploy.config.settings import Settings
from kdeploy.doctor.check import Check, good, not_asked
from kdeploy.doctor.machine import judge_skew
from kdeploy.doctor.workload import (
    ABOUT_WORKLOAD,
    judge_commit,
    judge_permissions,
    judge_workload,
    permissions_to_ask,
    permissions_unknown,
)
from kdeploy.errors import ClusterError
from kdeploy.model import Snapshot, Target
from kdeploy.text import one_line

_AFTER_CLUSTER = ("clock", "target", "permissions", *ABOUT_WORKLOAD)


def examine_cluster(
    session: Session, settings: Settings | None, commit: str | None, questions: Questions
) -> tuple[Check, ...]:
    """The checks, in their order. `commit` would be deployed; None where that is not known."""
    opened = questions.ask("cluster", lambda deadline: _open(session, settings, deadline))
    if isinstance(opened, Check):
        return (opened, *(not_asked(name, "there is no cluster to ask") for name in _AFTER_CLUSTER))
    context, cluster = opened
    server = questions.ask("cluster", lambda deadline: cluster.server(_until(session, deadline)))
    if isinstance(server, Check):
        return (server, *(not_asked(name, "the cluster does not answer") for name in _AFTER_CLUSTER))
    version = f"Kubernetes {server.version}" if server.version else "its version is not told"
    found = good("cluster", f"{one_line(cluster.name, 80)} at {one_line(cluster.url, 120)}: {version}")
    checks = (found, judge_skew(server.skew))
    if settings is None:
        return (*checks, *(not_asked(name, "no target is known, see config") for name in _AFTER_CLUSTER[1:]))
    target = settings.workload.within(default_namespace(settings.namespace, context))
    return (*checks, *_about(session, settings, target, cluster, commit, questions))


def _open(session: Session, settings: Settings | None, deadline: Deadline) -> tuple[Context, KubernetesCluster]:
    given = settings or session.flags
    context = choose_context(kubeconfig=given.kubeconfig or None, context=given.context or None, environ=session.env)
    return context, connect(context, session.clock, login_by=deadline, hide=session.redactor.add)


def _about(
    session: Session,
    settings: Settings,
    target: Target,
    cluster: KubernetesCluster,
    commit: str | None,
    questions: Questions,
) -> tuple[Check, ...]:
    def ask_permissions(deadline: Deadline) -> tuple[Check, ...]:
        asked = permissions_to_ask(target, settings.checks)
        try:
            lacking = cluster.certainly_lacking(asked, _until(session, deadline))
        except ClusterError as error:
            return (permissions_unknown(error),)
        return judge_permissions(target, settings.checks, lacking)

    found = questions.ask("permissions", ask_permissions)
    allowed = (found,) if isinstance(found, Check) else found
    snapshot = questions.ask("target", lambda deadline: cluster.preflight(target, _until(session, deadline)))
    if isinstance(snapshot, Check):
        return (snapshot, *allowed, *(not_asked(name, "the target cannot be read") for name in ABOUT_WORKLOAD))
    fit, *rest, rollback = judge_workload(
        target,
        snapshot,
        repository=settings.image.repository if settings.image else "",
        containers=settings.containers,
        checks=settings.checks,
    )
    return (fit, *allowed, *rest, _commit(session, settings, snapshot, commit, questions), rollback)


def _commit(
    session: Session, settings: Settings, snapshot: Snapshot, commit: str | None, questions: Questions
) -> Check:
    def look(deadline: Deadline) -> Check:
        history = open_history(settings.build.context, session.env, deadline)
        return judge_commit(snapshot, commit, origin_of(session).run, history.is_ancestor)

    return questions.ask("commit", look)


def _until(session: Session, deadline: Deadline) -> float:
    """The deadline on the session's clock."""
    return session.clock.now() + deadline.remaining()
