"""What `kdeploy init` sees of the cluster, within a few seconds; that there is none is no error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kdeploy.bounded import bounded
from kdeploy.clock import Deadline, SystemClock
from kdeploy.cluster.connect import connect
from kdeploy.cluster.kubeconfig import Context, choose_context, default_namespace
from kdeploy.errors import InterruptedBySignalError, KdeployError
from kdeploy.init.guess import SAID
from kdeploy.model import Obj
from kdeploy.report.redact import Redactor
from kdeploy.text import one_line

SECONDS = 3.0
"""For all that the cluster is asked, its login plugin included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The workloads of `namespace`; `why` it is that one; `blind`: why they could not be read, "" where they were."""

    namespace: str
    why: str
    workloads: tuple[Obj, ...] = ()
    blind: str = ""


def look_at_cluster(
    kubeconfig: str | None, name: str | None, namespace: str | None, env: Mapping[str, str], hide: Redactor
) -> Sight:
    """Lists the workloads of the namespace, as far as there is a cluster and this user may."""
    context: Context | None = None
    found: tuple[Obj, ...] = ()
    blind = ""
    try:
        context = choose_context(kubeconfig=kubeconfig, context=name, environ=env)
        found = _list(context, default_namespace(namespace, context), hide)
    except InterruptedBySignalError:
        raise
    except KdeployError as error:
        blind = one_line(error.message)
    except TimeoutError:
        blind = f"the cluster did not answer within {SECONDS:g} s"
    own = context.namespace if context else None
    why = SAID if namespace else "the default"
    if context and own and not namespace:
        why = f"that of context {one_line(context.name)}"
    return Sight(namespace=namespace or own or "default", why=why, workloads=found, blind=blind)


def _list(context: Context, namespace: str, hide: Redactor) -> tuple[Obj, ...]:
    clock = SystemClock()
    deadline = Deadline(clock.now, SECONDS)
    cluster = connect(context, clock, login_by=deadline, hide=hide.add)
    try:
        until = clock.now() + deadline.remaining()
        return bounded(lambda: cluster.workloads(namespace, until), deadline.remaining() + 0.5)
    finally:
        cluster.close()
