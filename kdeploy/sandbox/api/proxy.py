"""The pod and service proxy: to whom a request goes, and with which headers. Pure.

pkg/registry/core/pod/strategy.go and pkg/registry/core/service/storage/storage.go (ResourceLocation),
apimachinery's pkg/util/net (SplitSchemeNamePort) and pkg/util/proxy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kdeploy.model import Obj
from kdeploy.sandbox.api import status
from kdeploy.sandbox.api.request import Asked
from kdeploy.sandbox.core.resources import ENDPOINTS, PODS, SERVICES, Resource

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110, 7.6.1: they belong to one connection."""

_OWN = frozenset({"authorization", "content-length", "host"})
"""What the API server keeps for itself, or says anew."""

Get = Callable[[Resource, str, str], Obj | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Where a proxied request goes: a pod that has an address, its port, and "http" or "https"."""

    pod: Obj
    port: int
    scheme: str


def backend(asked: Asked, get: Get, choose: Callable[[Sequence[Obj]], Obj]) -> Backend:
    """The pod that a request for a pod's or service's proxy is for. `choose` takes one of a service's endpoints.

    Raises ApiError as the real API server answers: 400, 404, 503.
    """
    scheme, name, port = _split(asked)
    if asked.resource is SERVICES:
        return _of_service(asked.namespace or "", scheme, name, port, get, choose)
    pod = get(PODS, asked.namespace or "", name)
    if pod is None:
        raise status.not_found(PODS, name)
    if not (pod.get("status") or {}).get("podIP"):
        raise status.bad_request("address not allowed")
    return Backend(pod=pod, port=_pod_port(pod, port, scheme), scheme=scheme)


def _split(asked: Asked) -> tuple[str, str, str]:
    """Scheme, name and port of "[SCHEME:]NAME[:PORT]"."""
    parts = asked.name.split(":")
    if len(parts) == 1:
        return "http", parts[0], ""
    if len(parts) == 2 and parts[0] not in ("http", "https", ""):
        return "http", parts[0], parts[1]
    if len(parts) in (2, 3) and parts[0] in ("http", "https", "") and parts[1]:
        return parts[0] or "http", parts[1], parts[2] if len(parts) == 3 else ""
    raise status.bad_request(f'invalid {asked.resource.singular} request "{asked.name}"')


def _pod_port(pod: Obj, port: str, scheme: str) -> int:
    if not port:
        containers = pod["spec"].get("containers") or ()
        first = next((one["ports"][0] for one in containers if one.get("ports")), None)
        return int(first["containerPort"]) if first is not None else 443 if scheme == "https" else 80
    if port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536:
        return int(port)
    said = f"lookup tcp/{port}: unknown port" if not port.isdecimal() else f"address {port}: invalid port"
    raise unreachable(f"dial tcp: {said}")


def _of_service(
    namespace: str, scheme: str, name: str, port: str, get: Get, choose: Callable[[Sequence[Obj]], Obj]
) -> Backend:
    service, endpoints = get(SERVICES, namespace, name), get(ENDPOINTS, namespace, name)
    if service is None:
        raise status.not_found(SERVICES, name)
    wanted = _service_port(service, port)
    subsets = (endpoints or {}).get("subsets") or ()
    found = [
        {"address": address, "port": one["port"]}
        for subset in subsets
        for one in subset.get("ports") or ()
        if (one.get("name") or "") == wanted
        for address in subset.get("addresses") or ()
    ]
    if not found:
        raise status.unavailable(f'no endpoints available for service "{name}"')
    chosen = choose(found)
    target = chosen["address"].get("targetRef") or {}
    pod = get(PODS, namespace, str(target.get("name") or ""))
    if pod is None:
        raise status.unavailable(f'no endpoints available for service "{name}"')
    return Backend(pod=pod, port=int(chosen["port"]), scheme=scheme)


def _service_port(service: Obj, port: str) -> str:
    """The name of the service's port that is meant by its name or number; its only one where none is named."""
    ports, name = service["spec"].get("ports") or (), service["metadata"]["name"]
    meant = [one for one in ports if port in (str(one["port"]), one.get("name") or "")]
    if not meant and not port and len(ports) == 1:
        meant = list(ports)
    if not meant:
        raise status.unavailable(f'no service port {port} found for service "{name}"')
    return str(meant[0].get("name") or "")


def passed_on(headers: Iterable[tuple[str, str]], *, sent: bool) -> list[tuple[str, str]]:
    """The headers that go through: not those of one connection, nor of what is `sent` to a pod the server's own."""
    every = list(headers)
    named = {one.strip().lower() for name, value in every if name.lower() == "connection" for one in value.split(",")}
    dropped = _HOP_BY_HOP | named | (_OWN if sent else frozenset())
    return [(name, value) for name, value in every if name.lower() not in dropped]


def unreachable(why: str) -> status.ApiError:
    """503 of a pod that gave no answer."""
    return status.unavailable(f"error trying to reach service: {why}")
