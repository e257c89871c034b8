"""The look before anything is touched: is the target there?"""

from __future__ import annotations

import shlex

from kdeploy.cluster import requests
from kdeploy.cluster.transport import Purpose, Transport
from kdeploy.cluster.view import items
from kdeploy.config.nearest import nearest
from kdeploy.errors import ClusterError
from kdeploy.model import Kind, Obj, Reason, Target
from kdeploy.rollout.objects import name_of


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
    near = _near(transport, target, until)
    return ClusterError(
        f"there is no {target} in namespace {target.namespace!r}",
        hint=f"{near}kdeploy creates no workloads; this would: {_creation(target)}",
        reason=Reason.NOT_FOUND,
        status=404,
    )


def _near(transport: Transport, target: Target, until: float) -> str:
    """The workload of that kind that may be meant; "" where none is like it, or they may not be listed."""
    try:
        found = items(transport.once(requests.list_workloads(target), until))
    except ClusterError:
        return ""
    near = nearest(target.name, [name_of(one) for one in found])
    return f"did you mean {target.kind.lower()}/{near}? " if near else ""


def elsewhere(error: ClusterError, target: Target, context: str, namespace: str | None) -> ClusterError:
    """`error`, with the context's own namespace in its hint, where another one was asked for and it may be a slip."""
    if namespace and namespace != target.namespace and error.status in (403, 404):
        error.hint += f"; the context {context} names the namespace {namespace}"
    return error


def _creation(target: Target) -> str:
    name, namespace = shlex.quote(target.name), shlex.quote(target.namespace)
    if target.kind is Kind.DEPLOYMENT:
        return f"kubectl create deployment {name} --image=IMAGE -n {namespace}"
    return f"kubectl apply -n {namespace} -f FILE (a manifest of the {target.kind} {name})"
