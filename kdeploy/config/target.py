"""KIND/NAME, as kubectl writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kdeploy.config.nearest import did_you_mean
from kdeploy.errors import ConfigError
from kdeploy.model import Kind, Target
from kdeploy.text import one_line

_KINDS = {
    "deployment": Kind.DEPLOYMENT,
    "deployments": Kind.DEPLOYMENT,
    "deploy": Kind.DEPLOYMENT,
    "statefulset": Kind.STATEFULSET,
    "statefulsets": Kind.STATEFULSET,
    "sts": Kind.STATEFULSET,
    "daemonset": Kind.DAEMONSET,
    "daemonsets": Kind.DAEMONSET,
    "ds": Kind.DAEMONSET,
}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A kind and a name, before it is known in which namespace."""

    kind: Kind
    name: str

    def within(self, namespace: str) -> Target:
        """The same workload in a namespace."""
        return Target(kind=self.kind, name=self.name, namespace=namespace)

    def __str__(self) -> str:
        """As kubectl names it: "deployment/web"."""
        return f"{self.kind.lower()}/{self.name}"


def parse_workload(text: str) -> Workload:
    """Reads "deployment/web", "deploy/web", "sts/db" or "ds/agent". Raises ConfigError."""
    kind_text, _, name = text.partition("/")
    kind = _KINDS.get(kind_text.lower())
    if kind is None:
        raise ConfigError(
            f'the kind "{one_line(kind_text, 60)}" is not supported: kdeploy rolls out Deployments, StatefulSets and '
            "DaemonSets",
            hint=did_you_mean(kind_text, ("deployment", "statefulset", "daemonset")),
        )
    if not _NAME.match(name):
        raise ConfigError(
            f'"{one_line(name, 80)}" cannot be a workload\'s name: lower-case letters, digits, "-" and "." are allowed',
            hint=f"write the target like {kind.lower()}/web",
        )
    return Workload(kind=kind, name=name)
