"""Permissions as the rules of a Role. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kdeploy.model import Permission

_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")
_RESOURCES = ("deployments", "statefulsets", "daemonsets", "replicasets", "controllerrevisions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: each of the verbs on each of the resources of one API group."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]

    def __str__(self) -> str:
        """As YAML on one line, as examples/rbac.yaml has it."""
        group = self.group or '""'
        resources, verbs = ", ".join(self.resources), ", ".join(self.verbs)
        return f"{{apiGroups: [{group}], resources: [{resources}], verbs: [{verbs}]}}"


def rules_of(permissions: Collection[Permission]) -> tuple[Rule, ...]:
    """The fewest rules that grant these permissions and no others; names are left out, the workload comes first."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for one in permissions:
        verbs.setdefault((one.group, one.resource), set()).add(one.verb)
    resources: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for group, resource in sorted(verbs, key=_order):
        ordered = tuple(sorted(verbs[group, resource], key=_VERBS.index))
        resources.setdefault((group, ordered), []).append(resource)
    return tuple(
        Rule(group=group, resources=tuple(named), verbs=ordered) for (group, ordered), named in resources.items()
    )


def _order(key: tuple[str, str]) -> tuple[bool, int, str]:
    group, resource = key
    return not group, _RESOURCES.index(resource) if resource in _RESOURCES else len(_RESOURCES), resource
