"""From kubeconfig to a cluster to work with."""

from __future__ import annotations

from kdeploy.cluster.auth import open_session
from kdeploy.cluster.client import SILENCE_SECONDS, KubernetesCluster
from kdeploy.cluster.kubeconfig import Context
from kdeploy.cluster.transport import Transport
from kdeploy.ports import Clock


def connect(context: Context, clock: Clock, *, silence: float = SILENCE_SECONDS) -> KubernetesCluster:
    """Reads the credentials of `context` (see kubeconfig.choose_context) and returns its cluster; sends no request.

    Raises ConfigError where the kubeconfig is wrong, ClusterError where its login plugin fails.
    """
    transport = Transport(open_session(context), clock, lambda: open_session(context))
    return KubernetesCluster(context.name, transport, clock, silence)
