"""What every cluster has from the beginning: its namespaces and its one node."""

from __future__ import annotations

from kdeploy.sandbox.core import nodes
from kdeploy.sandbox.core.defaults import with_defaults
from kdeploy.sandbox.core.resources import NAMESPACES, NODES
from kdeploy.sandbox.core.store import Store

NODE = "sandbox"
"""The node's name."""

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


def bootstrap(store: Store, now: float) -> None:
    """Creates the namespaces and the node in an empty store."""
    for name in _NAMESPACES:
        store.create(NAMESPACES, with_defaults(NAMESPACES, {"metadata": {"name": name}}), now)
    store.create(NODES, nodes.made(NODE, now), now)
