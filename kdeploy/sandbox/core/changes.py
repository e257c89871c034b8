"""What a controller decides, as values: a small algebra that control.py applies to the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kdeploy.model import Obj
from kdeploy.sandbox.core.resources import Resource


@dataclass(frozen=True, slots=True)
class Create:
    """A new object."""

    resource: Resource
    obj: Obj


@dataclass(frozen=True, slots=True)
class Replace:
    """The object as it is to be, all but its status. `subresource`: see `Store.replace`."""

    resource: Resource
    obj: Obj
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class SetStatus:
    """A new status for `obj`."""

    resource: Resource
    obj: Obj
    status: Obj


@dataclass(frozen=True, slots=True)
class Delete:
    """The end of `obj`. `grace` in seconds, None for its own."""

    resource: Resource
    obj: Obj
    grace: float | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """A Kubernetes event about `obj`, as `kubectl describe` shows it. `container` is the one that it is about."""

    obj: Obj
    reason: str
    message: str
    component: str
    type: Literal["Normal", "Warning"] = "Normal"
    container: str = ""
    init: bool = False


Change = Create | Replace | SetStatus | Delete | Tell


@dataclass(frozen=True, slots=True)
class Step:
    """What is to change now, in order, and when to look again though nothing changes (Unix seconds)."""

    changes: Sequence[Change] = ()
    wake: float | None = None


def earliest(*times: float | None) -> float | None:
    """The first of some moments."""
    return min((time for time in times if time is not None), default=None)
