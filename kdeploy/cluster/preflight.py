"""The look before anything is touched: is the target there?"""

from __future__ import annotations

import shlex

from kdeploy.cluster import requests
from kdeploy.cluster.transport import Purpose, Transport
from kdeploy.errors import ClusterError
from kdeploy.model import Kind, Obj, Reason, Target


def read_workload(transport: Transport, target: Target, until: float) -> Obj:
    """The workload. Raises ClusterError: NotFound with the command that would create it, Forbidden, and the rest."""
    try:
        return transport.read(requests.get_workload(target, Purpose.PREFLIGHT), until)
    except ClusterError as error:
        if error.status != 404:
            raise
        raise not_found(transport, target, until) from None


def not_found(transport: Transport, target: Target, until: float) -> ClusterError:
    """Why there is no such workload, and the command that would make one."""
    try:
        transport.once(requests.get_namespace(target.namespace), until)
    except ClusterError as error:
        if error.status == 404:
            return ClusterError(
                f"there is no namespace {target.namespace!r}",
                hint=f"create it (kubectl create namespace {shlex.quote(target.namespace)}), or check -n and --context",
                reason=Reason.NOT_FOUND,
                status=404,
            )
    return ClusterError(
        f"there is no {target} in namespace {target.namespace!r}",
        hint=f"kdeploy creates no workloads; this would: {_creation(target)}",
        reason=Reason.NOT_FOUND,
        status=404,
    )


def _creation(target: Target) -> str:
    name, namespace = shlex.quote(target.name), shlex.quote(target.namespace)
    if target.kind is Kind.DEPLOYMENT:
        return f"kubectl create deployment {name} --image=IMAGE -n {namespace}"
    return f"kubectl apply -n {namespace} -f FILE (a manifest of the {target.kind} {name})"
