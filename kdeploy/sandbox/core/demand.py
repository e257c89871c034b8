"""What pods ask for, and what a node has: amounts by resource name. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from kdeploy.model import Obj
from kdeploy.sandbox.core.quantities import value_of

Amounts = dict[str, Fraction | int]
"""Cores, bytes, pods, by the resource's name."""


def amounts(quantities: Obj | None) -> Amounts:
    """The numbers of a resource list; what is no quantity is left out."""
    read: Amounts = {}
    for name, text in (quantities or {}).items():
        try:
            read[name] = value_of(str(text))
        except ValueError:
            continue
    return read


def requests(spec: Obj) -> Amounts:
    """What a pod asks for: all its containers together, or its largest init container where that is more."""
    total = _sum(_requests(each) for each in spec.get("containers") or ())
    for each in spec.get("initContainers") or ():
        for name, number in _requests(each).items():
            total[name] = max(total.get(name, 0), number)
    return total


def _requests(container: Obj) -> Amounts:
    resources = container.get("resources")
    if not resources:
        return {}
    return amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _sum(parts: Iterable[Amounts]) -> Amounts:
    total: Amounts = {}
    for part in parts:
        for name, number in part.items():
            total[name] = total.get(name, 0) + number
    return total
