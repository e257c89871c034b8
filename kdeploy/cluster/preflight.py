"""The look before anything is touched: is the target there, and may this user patch it?"""

from __future__ import annotations

import shlex

from kdeploy.cluster import requests
from kdeploy.cluster.answers import Doing
from kdeploy.cluster.parallel import together
from kdeploy.cluster.transport import Purpose, Transport
from kdeploy.errors import ClusterError
from kdeploy.model import Kind, Obj, Reason, Target


def read_workload(transport: Transport, target: Target, until: float) -> Obj:
    """The workload. Raises ClusterError: NotFound with the command that would create it, Forbidden, and the rest."""

    def read() -> Obj:
        return transport.read(requests.get_workload(target, Purpose.PREFLIGHT), until)

    def review() -> Obj:
        try:
            return transport.once(requests.may_patch(target), until)
        except ClusterError:
            return {}  # an answer that cannot be had forbids nothing: the patch itself will tell

    try:
        workload, reviewed = together([read, review])
    except ClusterError as error:
        if error.status != 404:
            raise
        raise not_found(transport, target, until) from None
    if (reviewed.get("status") or {}).get("allowed") is False:
        raise _may_not_patch(target)
    return workload


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


def _may_not_patch(target: Target) -> ClusterError:
    doing = Doing(verb="patch", resource=target.kind.plural, group="apps", namespace=target.namespace, name=target.name)
    return ClusterError(f"this user may not {doing}", hint=f"grant: {doing.rule}", reason=Reason.FORBIDDEN, status=403)
