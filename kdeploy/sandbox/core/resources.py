"""The resources that the sandbox's API serves, as discovery tells them.

The names are those of `kubectl api-resources` on Kubernetes 1.35; a resource that kdeploy and its demo have no use for
is not here.
"""

from __future__ import annotations

from dataclasses import dataclass

from kdeploy.model import Kind

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resource:
    """One kind of object. `group` is "" for core; compared by identity: there is one value of each, below.

    `generation`: its objects count changes of their spec in metadata.generation. A resource without the verb "list" is
    virtual: it is answered, never stored.
    """

    plural: str
    singular: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = _VERBS
    generation: bool = False

    @property
    def api_version(self) -> str:
        """The objects' apiVersion: "v1", "apps/v1"."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def has_status(self) -> bool:
        """Whether the status is written apart from the rest."""
        return "status" in self.subresources

    def __repr__(self) -> str:
        """The name with its group, as errors print it: "deployments.apps"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


NAMESPACES = Resource(
    plural="namespaces",
    singular="namespace",
    kind="Namespace",
    namespaced=False,
    short_names=("ns",),
    subresources=("status",),
)
NODES = Resource(
    plural="nodes", singular="node", kind="Node", namespaced=False, short_names=("no",), subresources=("status",)
)
PODS = Resource(
    plural="pods",
    singular="pod",
    kind="Pod",
    short_names=("po",),
    subresources=("status", "log", "proxy", "binding"),
    categories=("all",),
    generation=True,
)
SERVICES = Resource(
    plural="services",
    singular="service",
    kind="Service",
    short_names=("svc",),
    subresources=("status",),
    categories=("all",),
)
ENDPOINTS = Resource(plural="endpoints", singular="endpoints", kind="Endpoints", short_names=("ep",))
EVENTS = Resource(plural="events", singular="event", kind="Event", short_names=("ev",))
CONFIG_MAPS = Resource(plural="configmaps", singular="configmap", kind="ConfigMap", short_names=("cm",))
SECRETS = Resource(plural="secrets", singular="secret", kind="Secret")
SERVICE_ACCOUNTS = Resource(
    plural="serviceaccounts", singular="serviceaccount", kind="ServiceAccount", short_names=("sa",)
)


def _workload(kind: str, short_name: str, *, scale: bool = True) -> Resource:
    return Resource(
        plural=f"{kind.lower()}s",
        singular=kind.lower(),
        kind=kind,
        group="apps",
        short_names=(short_name,),
        subresources=("status", "scale") if scale else ("status",),
        categories=("all",),
        generation=True,
    )


DEPLOYMENTS = _workload("Deployment", "deploy")
REPLICA_SETS = _workload("ReplicaSet", "rs")
STATEFUL_SETS = _workload("StatefulSet", "sts")
DAEMON_SETS = _workload("DaemonSet", "ds", scale=False)
CONTROLLER_REVISIONS = Resource(
    plural="controllerrevisions", singular="controllerrevision", kind="ControllerRevision", group="apps"
)
SELF_SUBJECT_ACCESS_REVIEWS = Resource(
    plural="selfsubjectaccessreviews",
    singular="selfsubjectaccessreview",
    kind="SelfSubjectAccessReview",
    group="authorization.k8s.io",
    namespaced=False,
    verbs=("create",),
)

RESOURCES: tuple[Resource, ...] = (
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    ENDPOINTS,
    EVENTS,
    CONFIG_MAPS,
    SECRETS,
    SERVICE_ACCOUNTS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
    DAEMON_SETS,
    CONTROLLER_REVISIONS,
    SELF_SUBJECT_ACCESS_REVIEWS,
)

_BY_PLURAL = {(resource.group, resource.plural): resource for resource in RESOURCES}
_BY_KIND = {(resource.api_version, resource.kind): resource for resource in RESOURCES}


def by_plural(group: str, plural: str) -> Resource | None:
    """The resource of that group ("" for core) and plural name, None where none is served."""
    return _BY_PLURAL.get((group, plural))


def by_kind(api_version: str, kind: str) -> Resource | None:
    """The resource of objects with that apiVersion and kind, None where none is served."""
    return _BY_KIND.get((api_version, kind))


def of_workload(kind: Kind) -> Resource:
    """The resource of a workload kind."""
    return _BY_PLURAL["apps", kind.plural]
