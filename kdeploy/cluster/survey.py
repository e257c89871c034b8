"""Looks at a cluster before anything is decided: its server, and the workloads of a namespace. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from kdeploy.cluster import paths
from kdeploy.cluster.answers import decode, failure
from kdeploy.cluster.transport import Purpose, Request, Transport
from kdeploy.cluster.view import items
from kdeploy.errors import ClusterError
from kdeploy.model import Kind, Obj, Permission
from kdeploy.ports import Clock
from kdeploy.text import one_line

_HALF = 0.5
"""A Date header names a whole second (RFC 9110, section 5.6.7): in the middle it is half a second late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An API server. `version`: as it names it, "v1.35.4"; "" where it does not say.

    `skew`: by how many seconds this machine's clock is ahead of the server's, give or take one; None: unknown.
    """

    version: str
    skew: float | None


def look_at_server(transport: Transport, clock: Clock, until: float) -> Server:
    """Asks for its version, which every user may. Raises ClusterError where it does not answer, or not to this user."""
    doing = Permission(verb="get", resource="the server's version")
    request = Request(method="GET", path="/version", doing=doing, purpose=Purpose.PREFLIGHT)
    sent = clock.wall()
    answer = transport.exchange(request, until - clock.now())
    received = clock.wall()
    if answer.status not in (200, 403):  # a 403 comes from the server as well, and shows that it knows who asks
        raise failure(answer.status, answer.body, doing)
    version = decode(answer.body).get("gitVersion") if answer.status == 200 else ""
    return Server(
        version=one_line(str(version or ""), 60),
        skew=skew(answer.headers.get("Date", ""), sent, received),
    )


def skew(date: str, sent: datetime, received: datetime) -> float | None:
    """By how many seconds the clock that gave `sent` and `received` is ahead of the one that wrote `date`. Pure."""
    try:
        theirs = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    ours = sent + (received - sent) / 2
    return (ours - theirs.replace(tzinfo=theirs.tzinfo or UTC)).total_seconds() - _HALF


def list_workloads(transport: Transport, namespace: str, until: float) -> tuple[Obj, ...]:
    """The namespace's Deployments, StatefulSets and DaemonSets, each with its kind, as far as they may be listed.

    Raises ClusterError where none of the three may.
    """
    asked = [
        (
            kind,
            transport.begin_read(
                Request(
                    method="GET",
                    path=paths.collection(paths.APPS, namespace, kind.plural),
                    doing=Permission(verb="list", resource=kind.plural, group="apps", namespace=namespace),
                    purpose=Purpose.PREFLIGHT,
                ),
                until,
            ),
        )
        for kind in Kind
    ]
    found: list[Obj] = []
    problems: list[ClusterError] = []
    for kind, answered in asked:
        try:
            found += [{**one, "kind": kind.value} for one in items(answered())]
        except ClusterError as error:
            problems.append(error)
    if len(problems) == len(asked):
        raise problems[0]
    return tuple(found)
