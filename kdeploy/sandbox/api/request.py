"""What a request asks for, from its method, path and query. Pure.

k8s.io/apiserver/pkg/endpoints/request/requestinfo.go; resources that only the API has, not the store, are here too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from kdeploy.sandbox.api import status
from kdeploy.sandbox.core.resources import RESOURCES, Resource

SELF_SUBJECT_RULES_REVIEWS = Resource(
    plural="selfsubjectrulesreviews",
    singular="selfsubjectrulesreview",
    kind="SelfSubjectRulesReview",
    group="authorization.k8s.io",
    namespaced=False,
    verbs=("create",),
)
SELF_SUBJECT_REVIEWS = Resource(
    plural="selfsubjectreviews",
    singular="selfsubjectreview",
    kind="SelfSubjectReview",
    group="authentication.k8s.io",
    namespaced=False,
    verbs=("create",),
)
ENDPOINT_SLICES = Resource(
    plural="endpointslices",
    singular="endpointslice",
    kind="EndpointSlice",
    group="discovery.k8s.io",
    verbs=("get", "list"),
)

SERVED: tuple[Resource, ...] = (*RESOURCES, SELF_SUBJECT_RULES_REVIEWS, SELF_SUBJECT_REVIEWS, ENDPOINT_SLICES)

UNSUPPORTED = ("exec", "attach", "portforward", "eviction", "ephemeralcontainers", "resize")
"""Subresources of pods that the sandbox does not have."""

_BY_PLURAL = {(resource.group, resource.version, resource.plural): resource for resource in SERVED}
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}
_PROXIED = ("pods", "services")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for a resource. `verb` is get, list, watch, create, update, patch, delete, deletecollection or proxy.

    `namespace` None: of all namespaces, or cluster-scoped. `rest` is what follows a proxy subresource, still escaped,
    with its "/" ("" where the path ends at "proxy"). `query` has the first value of each parameter.
    """

    verb: str
    resource: Resource
    namespace: str | None = None
    name: str = ""
    subresource: str = ""
    rest: str = ""
    query: Mapping[str, str]

    @property
    def dry_run(self) -> bool:
        """Whether nothing is to be stored."""
        return self.query.get("dryRun") == "All"

    def flag(self, name: str) -> bool:
        """A boolean parameter."""
        return _flag(self.query, name)

    def integer(self, name: str) -> int | None:
        """A whole number, None where it is not given. Raises ApiError 400."""
        text = self.query.get(name)
        if not text:
            return None
        digits = text.removeprefix("-").removeprefix("+")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
            raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)


def parse(method: str, path: str, query: Mapping[str, str]) -> Asked:
    """What is asked for. `path` is still escaped. Raises ApiError: 404 for what is not served, 405."""
    group, version, parts = _split(path)
    namespace: str | None = None
    if parts[:1] == ["namespaces"] and len(parts) > 2 and parts[2] not in ("status", "finalize"):
        namespace, parts = unquote(parts[1]), parts[2:]
    resource = _BY_PLURAL.get((group, version, parts[0])) if parts else None
    if resource is None or (namespace is not None and not resource.namespaced):
        raise status.no_such_path()
    name = unquote(parts[1]) if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 else ""
    if name and resource.namespaced and namespace is None:
        raise status.no_such_path()
    rest = _rest(resource, subresource, parts[3:])
    verb = _verb(method, resource, name, subresource, query)
    if verb in ("create", "deletecollection") and resource.namespaced and namespace is None:
        raise status.not_allowed()
    return Asked(
        verb=verb,
        resource=resource,
        namespace=namespace,
        name=name,
        subresource=subresource,
        rest=rest,
        query=query,
    )


def _split(path: str) -> tuple[str, str, list[str]]:
    """Group, version, and the parts after them."""
    root, *parts = path.removeprefix("/").split("/")
    while parts and parts[-1] == "" and "proxy" not in parts:
        parts.pop()
    if root == "api" and len(parts) > 1:
        return "", parts[0], parts[1:]
    if root == "apis" and len(parts) > 2:
        return parts[0], parts[1], parts[2:]
    raise status.no_such_path()


def _rest(resource: Resource, subresource: str, parts: Sequence[str]) -> str:
    if subresource == "proxy" and resource.plural in _PROXIED:
        return "".join(f"/{part}" for part in parts)
    known = (*resource.subresources, *(UNSUPPORTED if resource.plural == "pods" else ()))
    if parts or (subresource and subresource not in known):
        raise status.no_such_path()
    return ""


def _verb(method: str, resource: Resource, name: str, subresource: str, query: Mapping[str, str]) -> str:
    if subresource == "proxy":
        return "proxy"
    verb = _VERBS.get("GET" if method == "HEAD" else method, "")
    if subresource:
        allowed = _of_subresource(subresource)
    elif verb == "get" and not name:
        verb, allowed = ("watch" if _flag(query, "watch") else "list"), resource.verbs
    elif verb == "delete" and not name:
        verb, allowed = "deletecollection", resource.verbs
    else:
        allowed = tuple(one for one in resource.verbs if (one == "create") != bool(name))
    if verb not in allowed:
        raise status.not_allowed()
    return verb


def _of_subresource(subresource: str) -> Sequence[str]:
    if subresource in ("status", "scale"):
        return "get", "update", "patch"
    return {"log": ("get",), "binding": ("create",)}.get(subresource, ("get", "create"))


def _flag(query: Mapping[str, str], name: str) -> bool:
    """As Go reads it (apimachinery/pkg/runtime/converter.go): whatever is not "false" or "0" is true."""
    return name in query and query[name].lower() not in ("false", "0")
