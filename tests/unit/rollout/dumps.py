"""The recorded moments of real clusters, as snapshots; `record.py` makes them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from kdeploy.model import Obj, Snapshot
from kdeploy.rollout.status import snapshot_from_dump

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = tuple(sorted(folder.name for folder in FIXTURES.iterdir()))
MOMENTS = tuple(sorted({path.stem for path in FIXTURES.glob("*/*.json")}))


@cache
def load(version: str, moment: str) -> Snapshot:
    """What a cluster of that version showed at that moment."""
    text = (FIXTURES / version / f"{moment}.json").read_text()
    return snapshot_from_dump(json.loads(text)["items"], None)[1]


def workload_of(snapshot: Snapshot) -> Obj:
    """The snapshot's workload, which is there."""
    assert snapshot.workload is not None
    return snapshot.workload


def changed(obj: Obj, change: Callable[[Any], object]) -> dict[str, Any]:
    """A deep copy of an object, with `change` applied to it in place."""
    altered: dict[str, Any] = copy.deepcopy(dict(obj))
    change(altered)
    return altered


def with_workload(snapshot: Snapshot, change: Callable[[Any], object]) -> Snapshot:
    """The snapshot with its workload changed."""
    return replace(snapshot, workload=changed(workload_of(snapshot), change))


def with_pods(snapshot: Snapshot, change: Callable[[Any], object]) -> Snapshot:
    """The snapshot with each of its pods changed."""
    return replace(snapshot, pods=tuple(changed(pod, change) for pod in snapshot.pods))
