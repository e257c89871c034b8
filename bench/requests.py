"""How many requests does a good deploy send?"""

from __future__ import annotations

from dataclasses import dataclass

from bench.audit import Counted
from bench.numbers import Measure, Of, Row, Target, Unit
from bench.workload import Deployed, Workload

LIMIT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One deploy's requests: as its report says, and as the API server's audit log says."""

    what: str
    reported: int
    counted: Counted


def sent(what: str, workload: Workload, deployed: Deployed) -> Sent:
    """Counts a deploy that has ended."""
    return Sent(what=what, reported=int(deployed.report["api_requests"]), counted=workload.requests(deployed.ended))


def kubectl_requests(workload: Workload) -> int:
    """What `kubectl set image` and `kubectl rollout status` send together for the same."""
    workload.calm()
    first = workload.kubectl("set", "image", "deployment/web", f"web={workload.rig.sleeping()}")
    workload.kubectl("rollout", "status", "deployment/web")
    return len(workload.rig.cluster.requests("kubectl", since=first.started))


def requests_table(deploys: list[Sent], kubectl: int) -> Measure:
    """The page's table. `deploys`: the first is what the others must not be more than."""
    rows: list[Row] = []
    for one in deploys:
        rows += [
            _row(f"{one.what}: `api_requests` of the report", one.reported, LIMIT),
            _row(f"{one.what}: the same by the audit log", one.counted.story, LIMIT),
            _row(f"{one.what}: discovery", one.counted.discovery, 0),
        ]
    rows += [
        _row(f"{one.what}: more than for {deploys[0].what}", one.counted.story - deploys[0].counted.story, 0)
        for one in deploys[1:]
    ]
    rows += [_row(f"{one.what}: preflight (not counted)", one.counted.preflight) for one in deploys[:1]]
    rows += [_row(f"{one.what}: reads in silence (counted apart)", one.counted.silence) for one in deploys]
    rows.append(_row(f"`kubectl set image` and `rollout status`, {deploys[0].what}", kubectl))
    return Measure(
        title="API requests of a good deploy",
        note="By the report and by the API server's own audit log. While all streams are silent, one GET of the "
        "workload each 5 s looks whether they are alive. A watch is one request.",
        rows=tuple(rows),
    )


def _row(what: str, value: int, limit: int | None = None) -> Row:
    target = None if limit is None else Target(limit=limit, of=Of.MAXIMUM)
    return Row(what=what, unit=Unit.COUNT, values=(float(value),), target=target)
