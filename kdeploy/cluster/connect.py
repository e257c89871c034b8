"""From kubeconfig to a cluster to work with."""

from __future__ import annotations

from collections.abc import Callable

from kdeploy.clock import Deadline
from kdeploy.cluster.auth import Session, open_session
from kdeploy.cluster.client import SILENCE_SECONDS, KubernetesCluster
from kdeploy.cluster.kubeconfig import Context
from kdeploy.cluster.plugin import secrets_of
from kdeploy.cluster.transport import Transport
from kdeploy.ports import Clock
from kdeploy.secret import Secret

LOGIN_SECONDS = 60.0
"""For a login that nobody bounds otherwise: the one that an expired token asks for in the midst of a rollout."""


def connect(
    context: Context,
    clock: Clock,
    *,
    login_by: Deadline | None = None,
    hide: Callable[[Secret], None] = lambda _: None,
    silence: float = SILENCE_SECONDS,
) -> KubernetesCluster:
    """Reads the credentials of `context` (see kubeconfig.choose_context) and returns its cluster; sends no request.

    `login_by`: when a login plugin must have its answer, for which it may be waiting for a person. `hide` is told every
    secret as soon as it is read, those of later logins and of the pod template too. Raises ConfigError where the
    kubeconfig is wrong, ClusterError where the plugin fails.
    """

    def log_in(by: Deadline | None = None) -> Session:
        session = open_session(context, by or Deadline(clock.now, LOGIN_SECONDS))
        for secret in session.secrets():
            hide(secret)
        return session

    for secret in (*context.secrets, *(secrets_of(context.plugin) if context.plugin else ())):
        hide(secret)
    transport = Transport(log_in(login_by), clock, log_in)
    return KubernetesCluster(context.name, transport, clock, silence, namespace=context.namespace, hide=hide)
